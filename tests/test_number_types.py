"""Number types that are left to the machine: the one that begins a run chooses for good, and says so on another."""

import json
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts.runs import read_run
from selfreward.commands.number_types import FILE, with_types_of_run, with_types_of_this_machine
from selfreward.config import RunConfig, validate
from selfreward.errors import StoreError
from tests.support import Silent, selfreward
from tests.tiny import CONTEXT, make_tiny_policy

MODEL = ("experiment=scripted", "model=smollm2", "backend=hf", "backend.device=cpu", "update=rft", "update.device=cpu")


def config(*settings: str) -> RunConfig:
    return validate(compose([*MODEL, *settings]))


def types(taken: RunConfig) -> tuple[str, str]:
    return taken.backend.dtype, taken.update.compute


@pytest.fixture
def modern(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, this is a machine whose processor computes in bfloat16."""
    processor(monkeypatch, bfloat16=True)


def processor(monkeypatch: pytest.MonkeyPatch, *, bfloat16: bool) -> None:
    monkeypatch.setattr("selfreward.backends.device._cpu_has_bfloat16", lambda: bfloat16)


def test_a_run_keeps_the_types_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, bfloat16=True)
    began = Silent()
    assert types(with_types_of_run(config(), tmp_path, began.say)) == ("bfloat16", "bfloat16")
    assert types(with_types_of_run(config(), tmp_path, began.say)) == ("bfloat16", "bfloat16")
    assert began.lines == []
    processor(monkeypatch, bfloat16=False)
    moved = Silent()
    assert types(with_types_of_run(config(), tmp_path, moved.say)) == ("bfloat16", "bfloat16")
    assert moved.lines == [
        f"this run began with backend.dtype=bfloat16 update.compute=bfloat16 and keeps it ({tmp_path / FILE}); auto "
        "here would be backend.dtype=float32 update.compute=float32, type that to begin anew"
    ]


@pytest.mark.usefixtures("modern")
def test_a_reward_model_keeps_its_type_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = config("reward=start", "reward.device=cpu", "data.human_pairs=20")
    assert with_types_of_run(asked, tmp_path, print).reward == asked.reward.model_copy(update={"compute": "bfloat16"})
    processor(monkeypatch, bfloat16=False)
    assert with_types_of_run(asked, tmp_path, Silent().say).reward.compute == "bfloat16"


@pytest.mark.usefixtures("modern")
def test_what_is_typed_goes_before_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_types_of_run(config("backend.dtype=float32"), tmp_path, print)
    assert json.loads((tmp_path / FILE).read_text()) == {"update.compute": "bfloat16"}
    processor(monkeypatch, bfloat16=False)
    reporter = Silent()
    typed = with_types_of_run(config("backend.dtype=bfloat16", "update.compute=float32"), tmp_path, reporter.say)
    assert types(typed) == ("bfloat16", "float32")
    assert reporter.lines == []
    later = with_types_of_run(config("update.compute=float32"), tmp_path, reporter.say)
    assert types(later) == ("float32", "float32"), "a type that was typed at first is chosen when it no longer is"
    assert json.loads((tmp_path / FILE).read_text()) == {"backend.dtype": "float32", "update.compute": "bfloat16"}


@pytest.mark.usefixtures("modern")
def test_nothing_else_changes_and_nothing_is_kept_where_nothing_is_left_open(tmp_path: Path) -> None:
    taken = with_types_of_this_machine(config())
    assert taken == config("backend.dtype=bfloat16", "update.compute=bfloat16")
    assert with_types_of_run(taken, tmp_path, print) == taken
    scripted = validate(compose(["experiment=scripted"]))
    assert with_types_of_run(scripted, tmp_path, print) == scripted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["{", "[]", '{"backend.dtype": "float16"}', '{"backend.dtype": ["float32"]}'])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(StoreError, match=f"{FILE} .*delete it") as caught:
        with_types_of_run(config(), tmp_path, print)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_that_moved_makes_nothing_again_and_shares_with_one_that_names_its_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tiny_policy(tmp_path / "model", extra_stops=range(60, 90))
    data = ("train_closed=4", "train_open=4", "probe_open=8", "probe_closed=0", "held_out_closed=4", "held_out_open=2")
    drawing = ("sample", "measure", "evaluate")
    stages = [f"{stage}.max_new_tokens.{stratum}=8" for stage in drawing for stratum in ("closed", "open")]
    small = [f"data.{one}" for one in data] + [f"data.system={'x' * (CONTEXT // 32)}", *stages]
    rest = [f"model.path={tmp_path / 'model'}", "loop.iterations=1", "mix.min_rows=1", "update.top_layers=1"]
    arguments = ["run", *MODEL, *small, *rest]
    processor(monkeypatch, bfloat16=False)
    done = selfreward(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = digests(tmp_path / "runs/scripted")
    processor(monkeypatch, bfloat16=True)
    moved = selfreward(*arguments, cwd=tmp_path)
    assert "this run began with backend.dtype=float32 update.compute=float32 and keeps it" in moved.stderr
    named = selfreward(*arguments, "run=named", "backend.dtype=float32", "update.compute=float32", cwd=tmp_path)
    assert "this run began with" not in named.stderr
    for said, name in ((moved, "scripted"), (named, "named")):
        assert said.returncode == 0 and digests(tmp_path / "runs" / name) == made
        assert "first of its kind" not in said.stderr and " -> " not in said.stderr
    assert json.loads((tmp_path / "runs/scripted/config.json").read_text())["backend"]["dtype"] == "auto"


def digests(folder: Path) -> dict[str, tuple[str, str]]:
    return {name: (artifact.key, artifact.digest) for name, artifact in read_run(folder).artifacts()}
