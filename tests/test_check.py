"""Models that cannot work are refused before anything is drawn, in one line that says what to set."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfreward.backends.chat import open_chat, render_prompt
from selfreward.backends.model_loading import load_chat
from selfreward.backends.rendering import ChatSpec, read_rendering
from selfreward.commands.check import findings
from selfreward.data.models import model_policy
from selfreward.errors import BackendError, ConfigError
from selfreward.policies import Policy
from selfreward.records import Message
from tests.families import FAMILIES, by_name, write_model
from tests.support import selfreward
from tests.tiny import ask, make_tiny_policy


def settled(folder: Path, tmp_path: Path, **chat: object) -> Policy:
    return model_policy(folder, ChatSpec.model_validate(chat), tmp_path / "store", trusted=False)


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def drop_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.0.self_attn.q_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"][:8].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def classify(folder: Path) -> None:
    """A sequence classifier's folder: the body of a language model under another name, with a score head."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    body = {name: weight for name, weight in weights.items() if "layers" in name or "norm" in name}
    save_file({**body, "score.weight": weights["model.norm.weight"][None].clone()}, folder / "model.safetensors")


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a LoRA adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}") and None, "merge_and_unload"),
    "no safetensors": (lambda folder: (folder / "model.safetensors").unlink(), "safetensors"),
    "4 bits": (
        lambda folder: rewrite(
            folder / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}
        ),
        r"quantised \(bitsandbytes\).*dequantise",
    ),
    "a missing weight": (drop_weight, r"lacks 1 weights .*layers\.0\.self_attn\.q_proj\.weight"),
    "a weight of another shape": (cut_weight, r"lacks 1 weights .*model\.norm\.weight"),
    "a classifier": (classify, r"lacks \d+ weights .*causal language model"),
    "half a file": (
        lambda folder: (
            (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:900]) and None
        ),
        r"model\.safetensors is not whole",
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), "no model can be loaded from"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_cannot_work_is_refused_before_a_run(fault: str, tmp_path: Path) -> None:
    folder = make_tiny_policy(tmp_path / "model").path
    damage, told = FAULTS[fault]
    damage(folder)
    with pytest.raises(BackendError, match=told) as caught:
        list(findings(settled(folder, tmp_path).path, trusted=False))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["llama-3.2", "gemma-2", "qwen-3", "r1-distill", "temperature-without-sampling"])
def test_a_check_says_what_a_model_is_like(name: str, tmp_path: Path) -> None:
    family = by_name(name)
    found = {
        one.what: one.says
        for one in findings(settled(write_model(family, tmp_path / "model"), tmp_path).path, trusted=False)
    }
    assert found["end of turn"] == family.end_of_turn
    assert found["stops"].split(", ")[0] == family.end_of_turn
    assert ("merged" in found["system turn"]) == (family.system == "merged")
    assert ("2026-01-01" in found["date"]) == family.prints_date
    assert ("thought" in found["thinking"].replace("no thought", "")) == bool(family.opens_thought) or family.lead
    assert found["small copy"].startswith("draws, scores, takes options")
    assert "1/2/3/4/5" in found["options"]
    assert "closes it" in found["a user turn"]
    assert found["context"] == "256 tokens, prompt and answer"


def test_what_changes_each_time_it_is_saved_and_read_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfreward.commands import check

    saved = check.save_policy

    def changing(model: Any, chat: Any, out: Path, *, like: Path) -> None:
        import torch

        other = copy.deepcopy(model)
        with torch.no_grad():
            for weights in other.parameters():
                weights.mul_(1.5)
        saved(other, chat, out, like=like)

    monkeypatch.setattr(check, "save_policy", changing)
    folder = make_tiny_policy(tmp_path / "model").path
    with pytest.raises(BackendError, match="draws or scores otherwise once it was saved and read back"):
        list(findings(settled(folder, tmp_path).path, trusted=False))


def test_the_command_prints_the_table_and_costs_nothing_the_second_time(tmp_path: Path) -> None:
    make_tiny_policy(tmp_path / "model")
    first, second = (selfreward("check", "model.path=model", cwd=tmp_path) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert "end of turn       <|im_end|>" in first.stdout
    assert "first of its kind" in first.stderr
    assert "first of its kind" not in second.stderr


def test_the_command_refuses_with_exit_status_2(tmp_path: Path) -> None:
    drop_weight(make_tiny_policy(tmp_path / "model").path)
    done = selfreward("check", "model.path=model", cwd=tmp_path)
    assert done.returncode == 2
    assert "lacks 1 weights" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_external_judge_is_checked_and_talked_to_as_its_own_settings_say(tmp_path: Path) -> None:
    make_tiny_policy(tmp_path / "model")
    bare = make_tiny_policy(tmp_path / "judge").path
    (bare / "chat_template.jinja").unlink()
    judge = ("judge.policy=external", "judge.path=judge")
    refused = selfreward("check", "model.path=model", *judge, cwd=tmp_path)
    assert refused.returncode == 2
    assert "no chat template" in refused.stderr
    done = selfreward("check", "model.path=model", *judge, "judge.chat.chat_template=chatml", cwd=tmp_path)
    assert done.returncode == 0
    assert "model:" in done.stdout and "judge:" in done.stdout


def test_an_external_writer_of_prompts_is_checked_too(tmp_path: Path) -> None:
    make_tiny_policy(tmp_path / "model")
    writer = ("prompts=magpie", "prompts.policy=external", "prompts.path=model")
    done = selfreward("check", "model.path=model", *writer, cwd=tmp_path)
    assert done.returncode == 0
    assert "prompts:" in done.stdout
    assert "a user turn" in done.stdout


def test_a_template_that_opens_no_user_turn_is_refused_before_a_run(tmp_path: Path) -> None:
    make_tiny_policy(tmp_path / "model")
    (tmp_path / "bare.jinja").write_text("{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}")
    settings = ("model.path=model", "model.chat_template=bare.jinja")
    done = selfreward("run", *settings, "prompts=magpie", cwd=tmp_path)
    assert done.returncode == 2
    assert "writes nothing before what a user says" in done.stderr
    assert "set prompts=self_instruct" in done.stderr
    assert selfreward("check", *settings, cwd=tmp_path).returncode == 0


def test_settings_of_a_judge_that_is_no_model_of_its_own_are_refused() -> None:
    from selfreward.__main__ import compose
    from selfreward.config import validate

    with pytest.raises(ConfigError, match=r"judge\.chat goes with judge\.policy=external"):
        validate(compose(["judge.chat.chat_template=chatml"]))


def test_what_is_settled_counts_in_the_digest_and_leaves_the_model_alone(tmp_path: Path) -> None:
    folder = make_tiny_policy(tmp_path / "model").path
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    plain, dated, again = (settled(folder, tmp_path, date=day) for day in ("2026-01-01", "2027-05-06", "2026-01-01"))
    assert plain.digest != dated.digest
    assert (plain.digest, plain.path) == (again.digest, again.path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert (plain.path / "model.safetensors").resolve() == (folder / "model.safetensors").resolve()
    shutil.move(tmp_path / "model", tmp_path / "moved")
    assert settled(tmp_path / "moved", tmp_path).digest == plain.digest


def test_the_date_of_a_prompt_is_the_pinned_one(tmp_path: Path) -> None:
    policy = settled(write_model(by_name("llama-3.2"), tmp_path / "model"), tmp_path, date="2031-07-14")
    chat = load_chat(policy.path, trust_remote_code=False)
    text = chat.tokenizer.decode(render_prompt(chat, ask("what day is it")))
    assert "14 Jul 2031" in text


def test_settings_reach_the_template(tmp_path: Path) -> None:
    folder = write_model(by_name("qwen-3"), tmp_path / "model")
    thinking, silent = (
        load_chat(settled(folder, tmp_path, **chat).path, trust_remote_code=False)
        for chat in ({}, {"template_kwargs": {"enable_thinking": False}})
    )
    assert thinking.rendering.lead == "<think>\n\n</think>\n\n"
    assert silent.rendering.opening.endswith("<think>\n\n</think>\n\n")
    assert silent.rendering.lead == ""


def test_the_end_of_turn_can_be_named(tmp_path: Path) -> None:
    folder = make_tiny_policy(tmp_path / "model").path
    named = settled(folder, tmp_path, end_of_turn="<|im_start|>")
    assert read_rendering(named.path).end_of_turn == "<|im_start|>"
    with pytest.raises(BackendError, match=r"end_of_turn=<end> is 5 tokens to this model"):
        settled(folder, tmp_path, end_of_turn="<end>")


def test_a_template_is_a_file_or_a_name(tmp_path: Path) -> None:
    folder = write_model(by_name("base-chatml"), tmp_path / "model")
    own = tmp_path / "own.jinja"
    own.write_text(
        "{% for one in messages %}<|im_start|>{{ one.role }}: {{ one.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant: {% endif %}"
    )
    assert read_rendering(settled(folder, tmp_path, chat_template=str(own)).path).opening.endswith("assistant: ")
    with pytest.raises(BackendError, match=r"chat_template=absent is no file and none of chatml, plain"):
        settled(folder, tmp_path, chat_template="absent")
    with pytest.raises(BackendError, match=r"no chat template: set chat_template=plain"):
        settled(folder, tmp_path)


def test_a_system_turn_that_is_refused_goes_before_the_first_question(tmp_path: Path) -> None:
    policy = settled(write_model(by_name("gemma-2"), tmp_path / "model"), tmp_path)
    chat = load_chat(policy.path, trust_remote_code=False)
    asked = (Message(role="system", content="Be short."), *ask("why"))
    text = chat.tokenizer.decode(render_prompt(chat, asked))
    assert "Be short.\n\nwhy" in text
    assert open_chat(chat.tokenizer, chat.rendering).rendering.system == "merged"


def test_turns_that_a_template_refuses_are_named_with_what_to_do(tmp_path: Path) -> None:
    chat = load_chat(write_model(by_name("mistral-v0.2"), tmp_path / "model"), trust_remote_code=False)
    with pytest.raises(BackendError, match=r"chat_template\.jinja refuses .*'one'.*alternate.*mend the row") as caught:
        render_prompt(chat, (*ask("one"), *ask("two")))
    assert "\n" not in str(caught.value)


def test_docs_have_a_row_for_every_shape() -> None:
    from tests.families.table import row

    table = (Path(__file__).parents[1] / "docs" / "models.md").read_text().splitlines()
    assert [row(family) for family in FAMILIES if row(family) not in table] == []
