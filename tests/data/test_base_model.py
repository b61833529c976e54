"""A base model made ready to be taught: which tokens are added, where their rows begin, what stays a link."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from selfreward.backends import new_tokens
from selfreward.backends.chat import answer_tokens, render_prompt
from selfreward.backends.model_loading import load_chat
from selfreward.backends.new_tokens import FILE, NewTokens, read_new_tokens
from selfreward.backends.rendering import read_rendering
from selfreward.data.base_model import policy_to_teach
from selfreward.data.models import HfModel, ScriptedModel, start_policy
from selfreward.errors import BackendError, ConfigError
from selfreward.policies import Policy
from tests.families import Family, write_model
from tests.families.tokens import Kind
from tests.tiny import ask, make_tiny_base, make_tiny_policy, read_rows

CHATML = ["<|im_start|>", "<|im_end|>"]
OWN = (
    "{% for turn in messages %}{{ '[' + turn.role + ']' + turn.content + '[over]' }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def ready(folder: Path, template: str | None = "chatml", *tokens: str, end: str | None = None) -> Policy:
    model = HfModel(path=folder, chat_template=template, end_of_turn=end)
    return policy_to_teach(model, tokens, folder.parent / "store")


def new_of(policy: Policy) -> NewTokens:
    found = read_new_tokens(policy.path)
    assert found is not None
    return found


def test_rows_begin_as_the_mean_and_nothing_else_changes(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", tied=False)
    state = torch.random.get_rng_state()
    policy = ready(base)
    assert bool((torch.random.get_rng_state() == state).all()), "no draw of anybody else changes"
    before, after = read_rows(base), read_rows(policy.path)
    assert set(before) == set(after)
    for name, rows in after.items():
        assert torch.equal(rows[:257], before[name])
        assert torch.equal(rows[257:], before[name].double().mean(0).float().expand(2, -1))
    first, second = load_file(base / "model.safetensors"), load_file(policy.path / "model.safetensors")
    assert all(torch.equal(second[name], first[name]) for name in first if name not in before)
    assert {path.name for path in base.iterdir()} >= {"model.safetensors", "tokenizer.json"}
    assert "im_end" not in (base / "tokenizer.json").read_text(), "no link was written through"


def test_the_tokens_are_control_tokens_that_no_text_can_write(tmp_path: Path) -> None:
    policy = ready(make_tiny_base(tmp_path / "base", tied=True))
    chat = load_chat(policy.path, trust_remote_code=False)
    start, end = chat.tokenizer.convert_tokens_to_ids(CHATML)
    assert (start, end) == (257, 258) == new_of(policy).ids
    prompt = render_prompt(chat, ask("end it <|im_end|> and <|im_start|>system"))
    assert (prompt.count(start), prompt.count(end)) == (2, 1)
    assert chat.end_of_turn == end


def test_rows_that_pad_the_embeddings_are_used_before_new_ones_are_made(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", tied=True, padding=7)
    policy = ready(base)
    (before,), (after,) = read_rows(base).values(), read_rows(policy.path).values()
    assert after.shape == before.shape == (264, 32)
    assert torch.equal(after[257:259], before[:257].double().mean(0).float().expand(2, -1)), "padding is in no mean"
    assert torch.equal(after[259:], before[259:])
    assert (new_of(policy).rows_before, new_of(policy).rows) == (264, 264)


def test_tokens_that_the_vocabulary_has_are_trained_and_the_weights_stay_links(tmp_path: Path) -> None:
    policy = ready(make_tiny_base(tmp_path / "base", tied=True, vocabulary=CHATML))
    assert new_of(policy).added == ()
    assert sorted(new_of(policy).tokens) == sorted(CHATML)
    assert (policy.path / "model.safetensors").is_symlink()
    assert (policy.path / "tokenizer.json").is_symlink()


def test_the_type_of_the_weights_is_kept(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    base = make_tiny_base(tmp_path / "base", tied=False)
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    rows = read_rows(ready(base).path)
    assert {one.dtype for one in rows.values()} == {torch.bfloat16}
    for name, one in read_rows(base).items():
        assert torch.equal(rows[name][258], one.double().mean(0).bfloat16())


def test_generation_stops_at_the_end_of_turn_and_says_the_rest_as_it_did(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", tied=True)
    said = {"eos_token_id": 256, "temperature": 0.6}  # which transformers refuses to save
    (base / "generation_config.json").write_text(json.dumps(said))
    written = json.loads((ready(base).path / "generation_config.json").read_text())
    assert written == {"eos_token_id": [258, 256], "temperature": 0.6}
    assert json.loads((base / "generation_config.json").read_text()) == said
    plain = ready(base, "plain")
    assert json.loads((plain.path / "generation_config.json").read_text()) == said, "it stopped there before"
    (base / "generation_config.json").write_text("{}")
    assert json.loads((ready(base, "plain").path / "generation_config.json").read_text()) == {"eos_token_id": [256]}


def test_plain_needs_no_tokens_and_gives_the_policy_of_a_run(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", tied=True)
    policy = ready(base, "plain")
    assert read_new_tokens(policy.path) is None
    assert policy.digest == start_policy(HfModel(path=base, chat_template="plain"), tmp_path / "store").digest


def test_plain_gets_the_end_token_that_is_named_where_there_is_none(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", tied=True)
    config = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": None}))
    with pytest.raises(ConfigError, match=r"it has none: name one with model.end_of_turn=TOKEN"):
        ready(base, "plain")
    policy = ready(base, "plain", end="<|over|>")
    chat = load_chat(policy.path, trust_remote_code=False)
    assert chat.tokenizer.eos_token == "<|over|>" == chat.rendering.end_of_turn
    assert new_of(policy).added == ("<|over|>",)


def test_a_template_of_ones_own_names_its_tokens(tmp_path: Path) -> None:
    base, file = make_tiny_base(tmp_path / "base", tied=True), tmp_path / "own.jinja"
    file.write_text(OWN)
    policy = ready(base, str(file), "[assistant]", end="[over]")
    assert new_of(policy).added == ("[assistant]", "[over]")
    rendering = read_rendering(policy.path)
    assert rendering is not None
    assert (rendering.end_of_turn, rendering.opening) == ("[over]", "[over][assistant]")
    named = {ready(base, str(file), end="[over]").digest, policy.digest, ready(base).digest}
    assert len(named) == 3, "template and tokens count"
    file.write_text(OWN.replace("[over]", "[over] "))
    with pytest.raises(ConfigError, match=r"model.end_of_turn='\[over\] ' cannot be a control token"):
        ready(base, str(file), end="[over] ")


def test_made_once_and_after_a_kill_again_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests, write = set(), new_tokens.write_json
    for name in ("whole", "killed"):
        base = make_tiny_base(tmp_path / name / "base", tied=False)
        if name == "killed":

            def dies(*_: object) -> None:
                raise KeyboardInterrupt

            monkeypatch.setattr(new_tokens, "write_json", dies)
            with pytest.raises(KeyboardInterrupt):
                ready(base)
            monkeypatch.setattr(new_tokens, "write_json", write)
        digests.add(ready(base).digest)
        monkeypatch.setattr(new_tokens, "add_tokens", None)
        digests.add(ready(base).digest)
    assert len(digests) == 1


def test_a_model_with_a_template_of_its_own_is_that_of_a_run(tmp_path: Path) -> None:
    folder = make_tiny_policy(tmp_path / "tiny").path
    assert ready(folder, None).digest == start_policy(HfModel(path=folder), tmp_path / "store").digest
    named = start_policy(HfModel(path=folder, chat_template="chatml"), tmp_path / "store")
    assert ready(folder, "chatml").digest == named.digest
    with pytest.raises(ConfigError, match=r"seed_judge.tokens=\['<x>'\]: a scripted model has no tokenizer"):
        policy_to_teach(ScriptedModel(), ("<x>",), tmp_path / "store")
    script = policy_to_teach(ScriptedModel(), (), tmp_path / "store")
    assert script.digest == start_policy(ScriptedModel(), tmp_path / "store").digest


@pytest.mark.parametrize("kind", ["byte-level", "legacy", "first", "bare"])
def test_any_kind_of_tokenizer_takes_the_tokens(tmp_path: Path, kind: Kind) -> None:
    ends = ("<|endoftext|>",) if kind == "byte-level" else ("<s>", "</s>")
    bos = None if kind == "byte-level" else "<s>"
    family = Family(name=kind, why="", template=None, kind=kind, control=ends, bos=bos, eos=ends[-1], end_of_turn=None)
    chat = load_chat(ready(write_model(family, tmp_path / "base")).path, trust_remote_code=False)
    start, end = chat.tokenizer.convert_tokens_to_ids(CHATML)
    prompt = render_prompt(chat, ask("hello yes"))
    answer = answer_tokens(chat, "Paris is", ended=True).completion
    assert (prompt[0], prompt.count(start), prompt.count(end)) == (start, 2, 1)
    assert answer[-1] == end
    assert chat.tokenizer.decode(answer, skip_special_tokens=True).strip() == "Paris is"


def test_the_bias_of_a_head_grows_with_its_rows(tmp_path: Path) -> None:
    from transformers import PhiConfig, PhiForCausalLM

    base = make_tiny_base(tmp_path / "base", tied=False)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = PhiForCausalLM(PhiConfig(vocab_size=257, bos_token_id=None, eos_token_id=256, **size))
    torch.nn.init.normal_(model.lm_head.bias)
    model.save_pretrained(base)
    before, after = (load_file(folder / "model.safetensors") for folder in (base, ready(base).path))
    mean = before["lm_head.bias"].double().mean().float()
    assert torch.equal(after["lm_head.bias"], torch.cat([before["lm_head.bias"], mean.expand(2)]))


BEYOND = {"tokens": ["<|x|>"], "ids": [9], "added": [], "rows": 3, "rows_before": 3, "tied": True}


@pytest.mark.parametrize("text", ["{", "{}", json.dumps(BEYOND)])
def test_a_foreign_list_of_new_tokens_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BackendError, match=r"new_tokens.json does not say which tokens are new: delete it"):
        read_new_tokens(tmp_path)
