"""Sweeps: names of cells, failures that stay where they are, launchers, one store."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.__main__ import expand
from selfreward.artifacts.runs import read_run
from selfreward.commands.cells import cell_run, read_state
from selfreward.commands.sweep import plan_sweep, run_cell, settings_of, summary
from selfreward.config import RUN_NAME, SweepCell
from selfreward.errors import ConfigError
from tests.support import Done, selfreward
from tests.test_cli import SCRIPTED

SMALL = [*SCRIPTED[1:], "loop.iterations=1"]


def sweep(*arguments: str, cwd: Path) -> Done:
    return selfreward("run", "-m", *SMALL, *arguments, cwd=cwd)


def sweep_apart(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A sweep in a process of its own, so that what its workers say is heard too."""
    command = [sys.executable, "-m", "selfreward", "run", "-m", *SMALL, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def cell(**settings: str) -> SweepCell:
    return SweepCell(name="k", settings={name.replace("__", "."): value for name, value in settings.items()})


def test_a_cell_is_named_by_what_is_swept_in_any_order() -> None:
    swept = {"select.k", "mix.real_share"}
    typed = ["experiment=scripted", "select.k=2", "mix.real_share=0.1"]
    names = {cell_run(SweepCell(name="k", settings=settings_of(one, swept))) for one in (typed, typed[::-1])}
    assert names == {"k.mix.real_share=0.1,select.k=2"}


def test_a_sweep_of_one_cell_keeps_its_name() -> None:
    assert cell_run(cell()) == "k"


def test_hydra_expands_choices_ranges_and_groups() -> None:
    cells, swept, first = expand(["experiment=scripted", "run=s", "seed=range(0,3)", "select=best_of_k,random_pick"])
    assert swept == {"seed", "select"}
    assert first["run"] == "s"
    planned = plan_sweep("s", Path("runs"), cells, swept)
    assert len({cell_run(one) for one in planned.cells}) == 6
    assert {"seed": "2", "select": "random_pick"} in [dict(one.settings) for one in planned.cells]


def test_a_group_that_is_swept_in_its_place_names_its_cells() -> None:
    rubrics = "rubric@judge.rubric=right_or_wrong,five_point_quality"
    cells, swept, _ = expand(["experiment=scripted", "run=s", "judge=rubric", rubrics])
    one, other = (cell_run(cell) for cell in plan_sweep("s", Path("runs"), cells, swept).cells)
    assert one.startswith("s.rubric-judge.rubric=right_or_wrong")
    assert other.startswith("s.rubric-judge.rubric=five_point_quality")


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a.b", "c", "d@e/f"]), st.text(max_size=80), min_size=1),
        unique_by=lambda one: tuple(sorted(one.items())),
        min_size=2,
        max_size=4,
    )
)
def test_names_are_allowed_and_differ_whatever_is_swept(cells: list[dict[str, str]]) -> None:
    names = [cell_run(SweepCell(name="k", settings=one)) for one in cells]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(RUN_NAME, name)
        assert len(name) <= 120


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("s", ["run=a"], "run cannot be swept"),
        ("s", ["store.runs=a"], "store.runs cannot be swept"),
        ("s", ["experiment=a"], "give it one, run=NAME"),
        ("../s", ["seed=1"], "run=../s: a name is made of"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(name: str, overrides: list[str], message: str) -> None:
    swept = {one.partition("=")[0] for one in overrides}
    with pytest.raises(ConfigError, match=message):
        plan_sweep(name, Path("runs"), [overrides], swept)


def test_a_defect_in_a_cell_is_told_and_stays_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan_sweep("s", tmp_path, [["seed=0"], ["seed=1"]], {"seed"})

    def broken() -> dict[str, object]:
        raise KeyError("a\nlost thing")

    run_cell(broken, planned, planned.cells[1])
    state = read_state(tmp_path / "s.seed=1")
    assert state is not None
    assert (state.status, state.exit_status) == ("failed", 1)
    assert state.error is not None and state.error.startswith("KeyError: ")
    assert "Traceback" in capsys.readouterr().err
    lines, status = summary(planned)
    assert lines[:2] == ["sweep s: 0 of 2 cells done", "  pending  seed=0"]
    assert status == 2


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("swept")
    return folder, sweep("run=s", "select.k=2,4", "mix.min_rows=8,500", cwd=folder)


def test_a_starved_cell_does_not_take_the_others_along(swept) -> None:
    _, done = swept
    assert done.returncode == 3
    told = done.stderr.splitlines()[-5:]
    assert told[0] == "sweep s: 2 of 4 cells done"
    assert [line.split(":")[0] for line in told[1:]] == [
        "  done     mix.min_rows=8 select.k=2",
        "  failed   mix.min_rows=500 select.k=2",
        "  done     mix.min_rows=8 select.k=4",
        "  failed   mix.min_rows=500 select.k=4",
    ]
    assert "own examples to train on, mix.min_rows asks for 500" in told[2]
    assert told[2].endswith("(exit status 3)")


def test_a_sweep_says_first_what_its_cells_share(swept) -> None:
    _, done = swept
    first, second = done.stderr.splitlines()[:2]
    assert first.startswith("shared by all values of mix.min_rows: the data and, of iteration 0, measure")
    assert "made for each: select, decide, mix, update" in second


def test_a_cell_is_a_run_and_knows_its_sweep(swept) -> None:
    folder, _ = swept
    config = json.loads((folder / "runs/s.mix.min_rows=8,select.k=2/config.json").read_text())
    assert config["sweep"] == {"name": "s", "settings": {"mix.min_rows": "8", "select.k": "2"}}
    assert (folder / "runs/s.mix.min_rows=8,select.k=2/metrics.jsonl").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["runs"], "nothing is written elsewhere"


def test_cells_share_what_does_not_depend_on_what_is_swept(swept) -> None:
    folder, _ = swept
    assert len(list(folder.glob("runs/store/sample/*/manifest.json"))) == 1


def test_again_makes_only_what_is_missing(swept) -> None:
    folder, _ = swept
    made = {path: path.stat().st_mtime_ns for path in folder.glob("runs/store/*/*/manifest.json")}
    again = sweep("run=s", "select.k=2,3,4", "mix.min_rows=8", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert "sweep s: 3 of 3 cells done" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(list(folder.glob("runs/store/sample/*/manifest.json"))) == 1


def test_a_setting_that_does_not_exist_leaves_no_cells(tmp_path: Path) -> None:
    done = sweep("sample.beams=1,2", cwd=tmp_path)
    assert done.returncode == 2
    assert "Could not override 'sample.beams'" in done.stderr
    assert not list(tmp_path.glob("runs/*/cell.json"))


def test_a_value_that_is_not_allowed_fails_its_cell_alone(tmp_path: Path) -> None:
    done = sweep("run=s", "sample.k=0,4", cwd=tmp_path)
    assert done.returncode == 2
    assert "  failed   sample.k=0: sample.k=0: Input should be greater than 0 (exit status 2)" in done.stderr
    assert "  done     sample.k=4" in done.stderr


def test_policies_that_cells_share_are_deleted_once_all_have_ended(tmp_path: Path) -> None:
    settings = ("mix.data=replace,accumulate", "loop.iterations=2", "store.keep_policies=last")
    done = sweep("run=s", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    updates = list(tmp_path.glob("runs/s.*/iter-00?/update"))
    assert len({one.resolve() for one in updates}) == 3, "the first update is that of both"
    whole = {one.resolve() for one in updates if (one / "model").is_dir()}
    assert whole == {one.resolve() for one in updates if one.parent.name == "iter-001"}


@pytest.mark.slow
def test_joblib_cells_share_what_both_need(tmp_path: Path) -> None:
    parallel = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = sweep_apart("run=s", "select.k=2,4,9", *parallel, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "sweep s: 2 of 3 cells done" in done.stderr
    samples = [read_run(tmp_path / f"runs/s.select.k={k}").iterations[0]["sample"] for k in (2, 4)]
    assert samples[0] == samples[1]
    made = re.findall(r"^(sample \w+): (?!another)", done.stderr, re.MULTILINE)
    assert len(made) == len(set(made)) == 1, "the second cell waits for the first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


@pytest.mark.slow
def test_submitit_runs_cells_and_keeps_its_logs_below_the_sweep(tmp_path: Path) -> None:
    done = sweep_apart("run=s", "select.k=2,9", "hydra/launcher=submitit_local", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "sweep s: 1 of 2 cells done" in done.stderr
    assert "select.k=9 is more than sample.k=4" in done.stderr
    assert list(tmp_path.glob("runs/s/.submitit/*/*.out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


@pytest.mark.slow
def test_ctrl_c_stops_the_whole_sweep(tmp_path: Path) -> None:
    big = [*SMALL, "run=s", "data.train_closed=1500", "sample.shard_prompts=16", "loop.iterations=6", "seed=0,1"]
    started = subprocess.Popen(
        [sys.executable, "-m", "selfreward", "run", "-m", *big], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/store/sample/*/rows-00010.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "sweep s: 0 of 2 cells done" in said
    assert said.splitlines()[-1] == "selfreward: stopped; the same command goes on from here"
    assert "Traceback" not in said
