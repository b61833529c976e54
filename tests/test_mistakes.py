"""Settings that are typed wrong: each ends with status 2 and one line that says what to type."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import selfreward as selfreward_package
from tests.support import Done, selfreward
from tests.test_cli import SCRIPTED

FILES = ["data=files", "data.train=t.jsonl", "mix.real_share=0"]
LONG = "a" * 300


def one_line(done: Done) -> str:
    """What a command that ends with a mistake says, which is one line."""
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("selfreward: ")
    return line


@pytest.mark.parametrize("command", ["run", "check", "seed-judge"])
@pytest.mark.parametrize("path", ["café.jsonl", "runs/s.mix.real_share=0.1,select.k=2/x.jsonl", "a (1).jsonl", "#1"])
def test_a_path_that_needs_quotes_is_given_back_with_them(command: str, path: str, tmp_path: Path) -> None:
    line = one_line(selfreward(command, "data=files", f"data.train={path}", cwd=tmp_path))
    assert line.startswith(f"selfreward: data.train={path} needs quotes, type ")
    (typed,) = shlex.split(line.partition("type ")[2])
    again = selfreward(command, "data=files", typed, "mix.real_share=0", "model.path=/nowhere", cwd=tmp_path)
    assert "model.path=/nowhere is no folder" in again.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["select.k=2,4"], "select.k=2,4 is several values, which `selfreward run -m ...` tries one after the other"),
        (["run=a,b"], "as one text it is 'run=\"a,b\"', as a list 'run=[a,b]'"),
        (["seed=range(0,3)"], "is several values, which `selfreward run -m ...` tries one after the other"),
        (["two", "words"], "two is no SETTING=VALUE: a value with spaces needs quotes"),
        (["=3"], "has no name of a setting before '='"),
        (["data={train: café}"], "put each text in it in quotes, as in 'data={name: \"a text\"}'"),
        (
            ["experiment=3"],
            "experiment=3 names no file of conf/experiment: give one of constitutional_rl, constitutional_sl",
        ),
        (["model.path=???"], "model.path is not given: type model.path=VALUE"),
        (["model.path=${nowhere}"], "model.path: Interpolation key 'nowhere' not found"),
        (["~sample.beams"], "Could not delete from config. 'sample.beams' does not exist."),
    ],
)
def test_what_is_typed_wrong_is_told_with_what_to_type(settings: list[str], message: str, tmp_path: Path) -> None:
    assert message in one_line(selfreward("run", *settings, cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_with_m_a_text_with_a_comma_is_no_sweep_by_accident(tmp_path: Path) -> None:
    (tmp_path / "my,file.jsonl").touch()
    line = one_line(selfreward("run", "-m", *FILES[:1], "data.train=my,file.jsonl", cwd=tmp_path))
    assert "type 'data.train=\"my,file.jsonl\"' for the text, 'data.train=choice(my,file.jsonl)' for the sweep" in line
    line = one_line(selfreward("run", "-m", "model.system=Be brief, and kind.", cwd=tmp_path))
    assert "type 'model.system=\"Be brief, and kind.\"' for the text" in line
    assert '\'model.system=choice("Be brief","and kind.")\' for the sweep' in line


@pytest.mark.parametrize(
    ("settings", "typed"),
    [
        (
            ["data.gold_gate=g.jsonl", "data.gold_gate.columns.prompt=q"],
            "gold_gate={path: g.jsonl, columns: {prompt: q}}",
        ),
        (["data.gold_gate.columns.prompt=q"], "gold_gate={path: FILE, columns: {prompt: q}}"),
        (["data.train=t.jsonl", "data.train.limit=3"], "train={path: t.jsonl, limit: 3}"),
    ],
)
def test_a_role_with_settings_of_its_own_is_given_as_one(settings: list[str], typed: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"prompt": "What is 2 + 2?"}\n')
    line = one_line(selfreward("run", *FILES, *settings, cwd=tmp_path))
    assert line.endswith(f"type 'data.{typed}'")
    done = selfreward("check", *FILES, *shlex.split(line.partition("type ")[2]), "model.path=/nowhere", cwd=tmp_path)
    assert "model.path=/nowhere is no folder" in done.stderr, "it is read"


@pytest.mark.parametrize("command", [["run"], ["run", "-m"], ["check"], ["monitor", "calibrate"]])
def test_what_hydra_refuses_keeps_its_words_and_ends_with_2(command: list[str], tmp_path: Path) -> None:
    for setting, words in (("nope=1", "Could not override 'nope'"), ("data=nope", "Could not find 'data/nope'")):
        done = selfreward(*command, setting, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sample.temperature=inf"], "sample.temperature=inf is no finite number"),
        (["sample.top_p=nan"], "sample.top_p=nan is no finite number"),
        (["evaluate.ladder=[0.2,nan]"], "evaluate.ladder=nan is no finite number"),
        (["seed=1000000000000000000000"], "seed=1000000000000000000000 is too large: give at most 9223372036854775807"),
        (["sample.temperature=1e-300"], "sample.temperature=1e-300: Input should be greater than or equal to 0.001"),
        (["monitor.horizon=1000000000"], "monitor.horizon=1000000000: Input should be less than or equal to 1000"),
        (["monitor.alpha=1e-300"], "monitor.alpha=1e-300: Input should be greater than or equal to"),
        ([f"run={LONG}"], "String should have at most 120 characters"),
        ([f"store.runs={LONG}"], "File name too long: "),
        (["store.runs=/proc/none"], "No such file or directory: /proc/none"),
    ],
)
def test_numbers_and_names_that_cannot_be_are_refused(settings: list[str], message: str, tmp_path: Path) -> None:
    assert message in one_line(selfreward(*SCRIPTED, *settings, cwd=tmp_path))


def test_a_reader_that_has_had_enough_is_no_mistake(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m selfreward run --cfg all experiment=scripted | head -1"
    environment = {**os.environ, "PYTHONPATH": str(Path(selfreward_package.__file__).parents[1])}
    done = subprocess.run(["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("hydra:\n", "")


def test_the_name_of_a_sweep_leaves_room_for_its_settings(tmp_path: Path) -> None:
    line = one_line(selfreward("run", "-m", *SCRIPTED[1:], "seed=0,1", f"run={'a' * 61}", cwd=tmp_path))
    assert "has 61 characters: the name of a sweep has at most 60" in line


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sample.k=1000000000"], r"sample.k=1000000000 makes 32,000,000,000 answers .* set sample.k to 62500 or less"),
        (["measure.baseline_k=1000000000"], "set measure.baseline_k to 55555 or less"),
        (["evaluate.k=1000000000"], "set evaluate.k to 125000 or less"),
        (["data.train_closed=1000000000"], "set data.train_closed to 2000000 or less"),
        (["data.gold_gate=9223372036854775807"], "9,223,372,036,854,775,807 gold gate rows .* to 2000000 or less"),
        (
            ["judge=rubric", "judge.repeats=1000000000"],
            "128,000,000,000 replies .* judge.repeats to 15625 or less",
        ),
        (
            ["judge=pairwise", "sample.k=50000"],
            "sample.k=50000 makes 1,249,975,000 comparisons a prompt: set it to 2000",
        ),
    ],
)
def test_sizes_that_cannot_fit_are_refused_by_arithmetic(
    settings: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfreward.sizes.memory_bytes", lambda: 10**9)
    assert re.search(message, one_line(selfreward(*SCRIPTED, *settings, cwd=tmp_path)))
