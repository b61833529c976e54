"""`selfreward monitor`: exit codes by state, replays that are exact or say what differs, a calibration paid once."""

import json
import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import read_run
from selfreward.commands.monitor_check import EXIT_CODES
from selfreward.monitor.detector import State
from tests.support import Done, run_scripted, selfreward
from tests.tiny import CONTEXT, make_tiny_policy

NEVER = [f"monitor.margin.{family}=0.99" for family in ("sem", "lex", "ent", "human")]
STATES = {
    "SEVERE": (21, []),
    "ALARM": (20, ["monitor.severe_drop=0.99", "monitor.severe_duplicates=1"]),
    "WARN": (10, ["monitor.margin.human=0.99"]),
    "OK": (0, NEVER),
    "WARMUP": (0, ["monitor.warmup=2"]),
    "INCONCLUSIVE": (31, ["monitor.alpha=1e-9"]),
    "INVALID": (30, ["monitor.truncation_rise=0", "backend.cut_share=0.1"]),
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `runs/scripted` is: two updates, watched, in which human mass is lost."""
    folder = tmp_path_factory.mktemp("monitored")
    run_scripted(folder / "runs", "loop.iterations=2")
    return folder


@pytest.fixture(scope="module")
def acted(there: Path) -> Path:
    """Where `runs/acted` is: four updates, steered, with a budget for the first alarm alone."""
    run_scripted(there / "runs", "run=acted", "loop.iterations=4", "monitor=act", "monitor.budget=250")
    return there


def monitor(*arguments: str, cwd: Path) -> Done:
    return selfreward("monitor", *arguments, cwd=cwd)


def test_every_state_has_a_code_that_the_help_tells(tmp_path: Path) -> None:
    assert set(EXIT_CODES) == {*State.__args__, "BUDGET_EXHAUSTED"}
    told = monitor("check", "--help", cwd=tmp_path).stdout
    assert [line for state, code in EXIT_CODES.items() if (line := f"{code:>2}  {state}\n") not in told] == []


@pytest.mark.parametrize(("state", "code", "settings"), [(name, *given) for name, given in STATES.items()])
def test_check_ends_with_the_code_of_the_last_verdict(there: Path, state: str, code: int, settings: list[str]) -> None:
    name = state.lower()
    run_scripted(there / "runs", f"run={name}", "loop.iterations=2", *settings)
    done = monitor("check", name, cwd=there)
    assert (done.returncode, done.stdout.splitlines()[0]) == (code, f"{name}, round 2: {state}")
    assert "cannot see, at 80% power" in done.stdout
    assert re.search(r"^sem +contraction ", done.stdout, re.MULTILINE)


def test_an_alarm_that_no_human_data_can_answer_has_its_own_code(acted: Path) -> None:
    done = monitor("check", "acted", "--iteration", "3", cwd=acted)
    assert (done.returncode, done.stdout.splitlines()[0]) == (40, "acted, round 3: BUDGET_EXHAUSTED")
    assert "human data is used up" in done.stdout


def test_check_tells_what_the_controller_did(acted: Path) -> None:
    done = monitor("check", "acted", "--iteration=2", "--runs", "runs", cwd=acted)
    assert done.returncode == 21
    assert "controller (act): escalate, real share 0.300, rung 3" in done.stdout
    assert "share 0.100 to 0.300" in done.stdout
    assert "orders: cluster_cap 4, novelty True" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("best healthy round: 0, human NLL 0.")


def test_check_tells_how_to_start_from_the_best_healthy_policy(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, states, nlls = Artifact.json, ("WARMUP", "WARN", "SEVERE"), (3.2, 2.7, 2.5)

    def planted(self: Artifact, name: str) -> dict[str, Any]:
        told = read(self, name)
        return (
            told if name != "diagnosis" else {**told, "state": states[told["round"]], "human_nll": nlls[told["round"]]}
        )

    monkeypatch.setattr(Artifact, "json", planted)
    *_, said, way = monitor("check", "scripted", cwd=there).stdout.splitlines()
    assert said == "best healthy round: 1, human NLL 2.700"
    first = read_run(there / "runs/scripted").iterations[0]["update"]
    assert (there / way.split("model.path=")[1].split()[0]).resolve() == first.path.resolve() / "model"


def test_check_loads_no_model(there: Path) -> None:
    heavy = dict.fromkeys(("torch", "transformers", "datasets"), None)
    with patch.dict(sys.modules, heavy):
        assert monitor("check", "scripted", cwd=there).returncode == 21
        assert monitor("replay", "scripted", cwd=there).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "ghost"], "there is no run"),
        (["replay", "ghost"], "there is no run"),
        (["check", "scripted", "--iteration", "7"], "round 7 of scripted is not diagnosed: give --iteration 0 to 2"),
        (
            ["replay", "scripted", "margin.foo=1"],
            "margin.foo=1: no setting of the monitor, write NAME=VALUE with one of mode, ",
        ),
        (["replay", "scripted", "alpha"], "alpha: no setting of the monitor"),
        (["replay", "scripted", "alpha=2"], "alpha=2: Input should be less than 0.5"),
        (["replay", "scripted", "mode=stop"], "mode=stop: Input should be 'observe' or 'act'"),
        (["replay", "scripted", "floor=0.9"], "floor 0.9 is above ceiling 0.5"),
        (["calibrate", "experiment=scripted", "measure.k=0"], "measure.k=0: Input should be greater than 0"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(there: Path, arguments: list[str], told: str) -> None:
    done = monitor(*arguments, cwd=there)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert told in line


@pytest.mark.parametrize("name", ["scripted", "acted"])
def test_replay_without_settings_gives_what_is_stored(acted: Path, name: str) -> None:
    before = _files(acted)
    done = monitor("replay", name, cwd=acted)
    assert done.returncode == 0, done.stderr
    rounds = 3 if name == "scripted" else 5
    assert done.stdout.splitlines()[-1].startswith(f"identical: {rounds} diagnoses and {rounds - 1} courses")
    assert "->" not in done.stdout
    assert _files(acted) == before, "nothing is written"


def test_a_wider_margin_silences_an_alarm(acted: Path) -> None:
    done = monitor("replay", "acted", "margin.human=.9", "--runs", "runs", "severe_drop=.99", cwd=acted)
    assert done.returncode == 0
    cells = _cells(done)["2"]
    assert [one for one in ("SEVERE -> WARN", "0.300 -> 0.100", "escalate -> hold", "3 -> 0") if one not in cells] == []
    assert "round 2 is WARN now: sem moved by" in done.stdout
    assert "measurements after round 2 are those of the old course" in done.stdout


def test_a_replay_in_mode_act_does_what_observing_only_said(there: Path) -> None:
    done = monitor("replay", "scripted", "mode=act", cwd=there)
    assert "0.200 -> 0.100" in done.stdout
    assert "no state differs" in done.stdout
    assert "what is done differs after rounds 0, 1" in done.stdout


def test_a_replay_ends_where_the_run_would_have_been_stopped(acted: Path) -> None:
    done = monitor("replay", "acted", "allow_stop=true", "max_rung=1", "ceiling=.11", cwd=acted)
    assert "the run would have ended after round" in done.stdout
    assert "go back to round 0" in done.stdout


def test_another_budget_is_set_against_what_was_spent(there: Path) -> None:
    run_scripted(there / "runs", "run=longer", "loop.iterations=3")
    spent = monitor("replay", "longer", "budget=1", cwd=there)
    assert _cells(spent)["2"].split()[1:4] == ["SEVERE", "->", "BUDGET_EXHAUSTED"]
    kept = monitor("replay", "longer", "budget=100000", cwd=there)
    assert "no state differs" in kept.stdout


def test_a_verdict_that_was_altered_is_not_reproduced(tmp_path: Path) -> None:
    view = run_scripted(tmp_path / "runs", "loop.iterations=1")
    path = view.iterations[1]["diagnose"].path / "diagnosis.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "state": "OK"}))
    done = monitor("replay", "scripted", cwd=tmp_path)
    assert done.returncode == 2
    assert "iter-001/diagnose of scripted does not follow from what was measured" in done.stderr


CALIBRATED = ["experiment=scripted", "data.held_out_closed=30", "evaluate.ladder=[0.4]", "loop.iterations=1"]


def test_calibrate_says_what_is_seen_and_what_is_not(tmp_path: Path) -> None:
    done = monitor("calibrate", *CALIBRATED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.endswith(tuple("0123456789"))}
    assert rows["sem"][1] == "24"
    assert "sem is blind to a drop below" in done.stdout
    assert "recall is blind: the open probe prompts have 96 human answers, 128 are needed" in done.stdout
    assert "will be INCONCLUSIVE" in done.stdout
    assert "loop.iterations=1: " in done.stdout
    assert selfreward("status", "scripted", cwd=tmp_path).stdout == "scripted: not begun\n"
    made = _files(tmp_path)
    assert monitor("calibrate", *CALIBRATED, cwd=tmp_path).stdout == done.stdout
    assert _files(tmp_path) == made, "nothing is measured again"


def test_as_many_prompts_as_it_says_are_enough(tmp_path: Path) -> None:
    few = monitor("calibrate", *CALIBRATED, cwd=tmp_path).stdout
    (wanted,) = re.findall(r"sem is blind .* about (\d+) open probe prompts would do", few)
    many = monitor("calibrate", *CALIBRATED, f"data.probe_open={wanted}", cwd=tmp_path).stdout
    assert "sem is blind" not in many
    assert "INCONCLUSIVE" not in many
    assert re.search(r"A/A recall: 0\.\d{3} of the human answers", many)


def test_a_run_pays_for_its_first_measurement_once(tmp_path: Path) -> None:
    assert monitor("calibrate", *CALIBRATED, cwd=tmp_path).returncode == 0
    made = _files(tmp_path)
    done = selfreward("run", *CALIBRATED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^measure ", done.stderr, re.MULTILINE)) == 1, "round 0 is there, round 1 is made"
    run, calibration = tmp_path / "runs/scripted", tmp_path / "runs/scripted/calibration"
    for stage in ("measure", "diagnose"):
        assert (run / "iter-000" / stage).resolve() == (calibration / "iter-000" / stage).resolve()
    assert all(_files(tmp_path)[path] == changed for path, changed in made.items())


def test_calibrating_under_other_settings_leaves_a_run_as_it_is(tmp_path: Path) -> None:
    view = run_scripted(tmp_path / "runs", "loop.iterations=1")
    links = {path: path.resolve() for path in view.folder.glob("iter-*/*")}
    again = monitor("calibrate", *CALIBRATED, "measure.k=3", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert {path: path.resolve() for path in view.folder.glob("iter-*/*")} == links


@pytest.mark.slow
def test_a_real_model_is_calibrated_too(tmp_path: Path) -> None:
    make_tiny_policy(tmp_path / "model")
    settings = ["experiment=scripted", "model=smollm2", "backend=hf", "update=rft", f"model.path={tmp_path / 'model'}"]
    small = ["data.probe_open=10", "data.probe_closed=0", "measure.k=2", "measure.baseline_k=4"]
    lengths = ["measure.max_new_tokens.open=8", f"data.system={'x' * (CONTEXT // 32)}"]
    done = monitor("calibrate", *settings, *small, *lengths, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nll (10 prompts) has no noise here" in done.stdout


def _cells(done: Done) -> dict[str, str]:
    """The rows of a replay by round."""
    return {line.split()[0]: line for line in done.stdout.splitlines() if line[:1].isdigit()}


def _files(folder: Path) -> dict[Path, int]:
    """Every file of the store and when it was last changed."""
    kept = (path for path in folder.glob("runs/store/[a-z]*/*/*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in kept}
