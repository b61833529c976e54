"""Reward models that cannot judge are refused before anything runs, wherever they come from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from safetensors.torch import load_file, save_file

from selfreward.commands.check_reward import reward_findings
from selfreward.data.models import named_folder
from selfreward.errors import AssetError
from tests.rewarding import make_tiny_reward_model
from tests.support import selfreward
from tests.tiny import CHAT_TEMPLATE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
JUDGED = ("experiment=scripted", "judge=reward_model", "judge.device=cpu", "judge.dtype=float32")


def drop_head(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def drop_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def as_language_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForCausalLM"]}))


FAULTS: dict[str, tuple[Callable[[Path], None] | int, str]] = {
    "two logits": (2, "gives 2 logits, and a reward model gives one"),
    "no head": (drop_head, "lacks 1 weights of a reward model, score.weight among them"),
    "no chat template": (drop_template, "no chat template"),
    "a language model": (as_language_model, "holds a LlamaForCausalLM, no reward model"),
    "no folder": (shutil.rmtree, "judge.models=reward is no folder"),
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_judge_is_refused_before_anything_runs(fault: str, command: str, tmp_path: Path) -> None:
    damage, told = FAULTS[fault]
    folder = make_tiny_reward_model(tmp_path / "reward", labels=damage if isinstance(damage, int) else 1)
    if callable(damage):
        damage(folder)
    done = selfreward(command, *JUDGED, "judge.models=[reward]", cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("runs/*/iter-*"))


def test_a_template_may_be_named_for_one_that_has_none(tmp_path: Path) -> None:
    drop_template(make_tiny_reward_model(tmp_path / "reward"))
    done = selfreward("check", *JUDGED, "judge.models=[reward]", "judge.chat.chat_template=chatml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_model_that_judges_is_told_of(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_tiny_reward_model(tmp_path / name)
    done = selfreward("check", *JUDGED, "judge.models=[one,two]", cwd=tmp_path)
    assert [line for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        "judge.model_1:",
        "judge.model_2:",
    ]
    assert "one logit, read at" in done.stdout
    again = selfreward("check", *JUDGED, "judge.models=[one,two]", cwd=tmp_path)
    assert again.stdout == done.stdout
    assert "first of its kind" not in again.stderr


@pytest.mark.parametrize(
    ("template", "where"),
    [
        (CHAT_TEMPLATE, "'\\n', the last token"),
        (CHAT_TEMPLATE.replace("<|im_end|>\n", "<|im_end|>"), "'s', before '<|im_end|>', by which the model pads"),
    ],
)
def test_it_is_said_where_a_score_is_read(template: str, where: str, tmp_path: Path) -> None:
    folder = make_tiny_reward_model(tmp_path / "reward")
    (folder / "chat_template.jinja").write_text(template)
    found = {one.what: one.says for one in reward_findings(folder)}
    assert found["score"] == f"one logit, read at {where} of a conversation"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """A hub that has one reward model; what was asked of it."""
    folder = make_tiny_reward_model(tmp_path / "cache" / COMMIT, context=512)
    asked: list[tuple[str, str]] = []

    def download(name: str, *, revision: str, allow_patterns: Any) -> str:
        asked.append((name, revision))
        if name != "someone/reward":
            raise huggingface_hub.errors.LocalEntryNotFoundError("no such file here\nand no network")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_a_hub_model_judges_as_the_folder_of_its_commit_does(tmp_path: Path, hub: list[tuple[str, str]]) -> None:
    from tests.support import run_scripted

    small = ("loop.iterations=1", *JUDGED[1:])
    named = run_scripted(tmp_path, *small, f"judge.models=[someone/reward@{COMMIT}]").iterations[0]["judge"]
    assert set(hub) == {("someone/reward", COMMIT)}
    folder = run_scripted(tmp_path, *small, f"judge.models=[{tmp_path / 'cache' / COMMIT}]").iterations[0]["judge"]
    assert named.key == folder.key


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("someone/reward", r"judge\.models=someone/reward is no folder: .* someone/reward@COMMIT"),
        ("someone/reward@main", r"judge\.models=someone/reward@main is no folder: .* OWNER/NAME@COMMIT.*40"),
        (f"/nowhere/x@{COMMIT}", r"is no folder"),
        (f"someone/gone@{COMMIT}", rf"someone/gone@{COMMIT} cannot be had .*check the name, the revision and the net"),
    ],
)
def test_what_is_no_model_of_the_hub_is_one_line(named: str, told: str, hub: list[tuple[str, str]]) -> None:
    with pytest.raises(AssetError, match=told) as caught:
        named_folder(Path(named), "judge.models")
    assert "\n" not in str(caught.value)


def test_without_a_network_a_model_that_was_never_fetched_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    done = selfreward("check", *JUDGED, f"judge.models=[someone/reward@{COMMIT}]", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be had" in done.stderr
    assert len(done.stderr.splitlines()) == 1
