"""scripts/controller_evidence.py: what the page says of rows whose truth is known, which cell is next, who has it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.runs import RunView, read_run
from selfreward.config import validate
from tests.support import Silent, run_scripted, scripted_config

SCRIPTS = Path(__file__).parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

import controller_evidence as evidence  # noqa: E402
import controller_evidence_claims as claims  # noqa: E402
import controller_evidence_compare as comparing  # noqa: E402
import controller_evidence_row as keeping  # noqa: E402
import controller_evidence_table as paging  # noqa: E402

Row = dict[str, Any]
QUESTIONS = [f"q{number}" for number in range(40)]
NLL, RECALL, DIVERSITY, PASS = comparing.QUANTITIES
SMALL = ["measure.k=4", "measure.baseline_k=8", "data.probe_open=10", "data.probe_closed=2", "data.train_closed=32"]


def made_row(
    arm: str,
    seed: int,
    *,
    nll: float = 3.0,
    sem: float = 0.4,
    right: float = 0.5,
    alarm: int | None = None,
    **more: Any,
) -> Row:
    """A row of five updates; every question is a little different, alike in all rows of a seed."""

    def entry(t: int) -> Row:
        found = {"part": "contraction", "drop": 0.2, "margin": 0.07, "z": 3.1, "hit": t == alarm, "detectable": 0.06}
        interval = {"value": right, "low": right - 0.1, "high": right + 0.1}
        mixed = {"real_share": {"asked": 0.3, "realised": 0.3}, "action": "hold", "human_rows_spent": 10 * (t + 1)}
        return {
            "t": t,
            "greedy": interval,
            "pass_at_1": interval,
            "matched_pass_at_1": 0.25,
            "sem": sem,
            "human_sem": 0.5,
            "human_nll": nll,
            "human_nll_rise": 0.125,
            "recall": 0.75,
            "state": "ALARM" if t == alarm else "OK",
            "findings": {"sem": found},
            **(mixed if t < 5 else {}),
        }

    def level(number: int) -> float:
        return ((number * 7 + seed) % 11) / 100

    opened = {
        name: {"sem": sem + level(n), "human_sem": 0.5, "human_nll": nll + level(n), "recall": 0.75}
        for n, name in enumerate(QUESTIONS)
    }
    prompts = {"open": opened, "closed": {name: right + level(n) for n, name in enumerate(QUESTIONS)}}
    settings = {name: {} for name in ("model", "loop", "data", "measure", "evaluate")}
    return {
        "arm": arm,
        "seed": seed,
        "ended": "complete",
        "commits": ["abc"],
        "settings": settings,
        "mean_real_share": 0.3,
        "rounds": [entry(t) for t in range(6)],
        "prompts": {"0": prompts, "5": prompts},
        **more,
    }


def rows_of(*rows: Row) -> dict[tuple[str, int], Row]:
    return {(row["arm"], row["seed"]): row for row in rows}


def test_a_difference_is_paired_by_question_within_a_seed() -> None:
    rows = rows_of(
        *(made_row(paging.CONTROLLER, seed, nll=2.9 + seed / 100) for seed in (0, 1)),
        *(made_row("replace_0.3", seed, nll=3.0) for seed in (0, 1, 2)),
    )
    found = comparing.compare(rows, paging.CONTROLLER, "replace_0.3", NLL.values)
    assert found is not None
    assert found.seeds == pytest.approx({0: -0.10, 1: -0.09})
    # Questions differ far more than the arms do; pairing takes that out, and both questions and pairs are counted.
    assert (found.pairs.n, found.questions.n) == (80, 40)
    assert found.limits == pytest.approx((-0.0985, -0.0915), abs=0.004)
    assert comparing.compare(rows, paging.CONTROLLER, "replace_0.1", NLL.values) is None


def test_a_value_that_is_missing_on_one_side_takes_its_question_out() -> None:
    ours, theirs = made_row(paging.CONTROLLER, 0), made_row("replace_0.3", 0)
    ours["prompts"]["5"]["open"] |= {"q0": dict.fromkeys(("sem", "human_sem", "human_nll", "recall"))}
    theirs["prompts"]["5"]["open"] = {n: v for n, v in theirs["prompts"]["5"]["open"].items() if n != "q1"}
    found = comparing.compare(rows_of(ours, theirs), paging.CONTROLLER, "replace_0.3", NLL.values)
    assert found is not None
    assert found.questions.n == 38


def test_arms_that_came_unequally_far_are_not_compared() -> None:
    starved = made_row("replace_0.3", 0, ended="starved")
    starved["rounds"] = starved["rounds"][:3]
    starved["prompts"]["2"] = starved["prompts"].pop("5")
    rows = rows_of(made_row(paging.CONTROLLER, 0), starved)
    assert comparing.compare(rows, paging.CONTROLLER, "replace_0.3", PASS.values) is None
    page = paging.write_table(rows, list(rows))
    assert "**replace_0.3:0** starved at M2" in page
    assert "no seed with both rows" in page


def test_diversity_is_compared_as_a_share_of_the_human_level() -> None:
    ours, theirs = made_row(paging.CONTROLLER, 0, sem=0.4), made_row("replace_0.3", 0, sem=0.4)
    for one in theirs["prompts"]["5"]["open"].values():
        one["human_sem"] = 0.4
    found = comparing.compare(rows_of(ours, theirs), paging.CONTROLLER, "replace_0.3", DIVERSITY.values)
    assert found is not None
    level = sum(one["sem"] for one in ours["prompts"]["5"]["open"].values()) / len(QUESTIONS)
    assert found.seeds[0] == pytest.approx(level / 0.5 - level / 0.4)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.10, "higher"),
        (-0.04, 0.02, "no difference shown; not lower by more than 0.05"),
        (-0.04, -0.01, "lower, but not by more than 0.05"),
        (-0.20, -0.06, "lower by more than 0.05"),
        (-0.20, -0.01, "lower; open whether by more than 0.05"),
        (-0.20, 0.20, "open: lower by more than 0.05 is not excluded"),
    ],
)
def test_the_reading_is_the_same_whichever_way_a_difference_falls(low: float, high: float, said: str) -> None:
    assert comparing.reading(PASS, low, high) == said
    turned = said.replace("higher", "HIGHER").replace("lower", "higher").replace("HIGHER", "lower")
    assert comparing.reading(NLL, -high, -low) == turned.replace("0.05", "0.05 nats")


def test_the_page_says_what_is_missing_and_shows_every_seed() -> None:
    rows = rows_of(
        made_row("replace_0", 0, nll=3.6, alarm=3),
        made_row("replace_0", 1, nll=3.4),
        made_row("replace_0.3", 0, nll=2.0),
    )
    page = paging.write_table(rows, evidence.planned(rows, healthy=True))
    assert "no row yet for replace_controller:0, replace_controller_from_0:0, accumulate_0:0" in page
    assert "waits for all seeds of replace_controller" in page
    assert "3.500 (3.600, 3.400)" in page
    assert "| replace_0 | 1 of 2 | M3, none | sem 0.20 |" in page
    assert "| replace_0.3 | 0 of 1 | none | - |" in page
    assert "| replace_0.3 | 0.060 (0.07) |" in page
    assert paging.write_table({}, evidence.planned({}, healthy=True)).count("Not complete") == 2


def test_rows_of_other_settings_are_told() -> None:
    other = made_row("replace_0", 1)
    other["settings"]["data"] = {"probe_open": 8}
    rows = rows_of(made_row("replace_0", 0), other)
    assert "2 different settings of `data`" in paging.write_table(rows, list(rows))


def test_the_arm_of_equal_share_waits_for_all_seeds_of_the_controller() -> None:
    two = rows_of(*(made_row(paging.CONTROLLER, seed, mean_real_share=0.1 + seed / 10) for seed in (0, 1)))
    assert evidence.equal_arm(two, paging.CONTROLLER) is None
    three = two | rows_of(made_row(paging.CONTROLLER, 2, mean_real_share=0.21))
    assert evidence.planned(three, healthy=False)[-1] == ("replace_equal_0.17", 2)
    assert evidence.settings_of("replace_equal_0.17") == ["monitor.mode=observe", "mix.real_share=0.17"]


def test_workers_start_with_seeds_of_their_own_and_with_the_arms_that_tell_most() -> None:
    cells = evidence.planned({}, healthy=True)
    assert evidence.turn_of(cells, 0) == cells
    fixed = len(evidence.FIXED)
    assert [seed for _, seed in evidence.turn_of(cells, 1)] == [1] * fixed + [2] * fixed + [0] * fixed + [1, 2, 0]
    assert [arm for arm, _ in cells[:2]] == ["replace_0", "replace_controller"]
    left = [cell for cell in cells if cell[1] > 0]
    assert [evidence.turn_of(left, worker)[0][1] for worker in (0, 1)] == [1, 2]


@pytest.mark.parametrize("arm", [*evidence.FIXED, "replace_equal_0.17", paging.HEALTHY])
def test_the_settings_of_every_arm_are_valid(arm: str) -> None:
    config = validate(compose(["experiment=controller_evidence", f"run={arm}-0", *evidence.settings_of(arm)]))
    assert config.loop.iterations == 5
    assert config.run == f"{arm}-0"


def run_cell(runs: Path, cell: evidence.Cell) -> RunView:
    name = f"{cell[0]}-{cell[1]}"
    settings = [f"run={name}", f"seed={cell[1]}", "loop.iterations=2", *SMALL, *evidence.settings_of(cell[0])]
    view = run_scripted(runs, *settings)
    (view.folder / "config.json").write_text(json.dumps(scripted_config(*settings).model_dump(mode="json")))
    return view


def test_a_row_holds_every_round_and_what_arms_are_paired_by(tmp_path: Path) -> None:
    view = run_cell(tmp_path, ("replace_0.3", 0))
    row: Row = keeping.row_of(view.folder, "replace_0.3", 0, "complete")  # type: ignore[assignment]
    first, second, last = row["rounds"]
    assert [entry["t"] for entry in row["rounds"]] == [0, 1, 2]
    assert first["human_nll_rise"] is None
    assert last["human_nll_rise"] == pytest.approx(
        last["human_nll"] - min(first["human_nll"], second["human_nll"]), abs=2e-4
    )
    assert "real_share" not in last
    assert 0.25 < row["mean_real_share"] < 0.35
    assert second["human_rows_spent"] > first["human_rows_spent"] > 0
    assert first["findings"]["sem"]["detectable"] > 0
    # What is kept by question gives the figures of the round again.
    closed = row["prompts"]["2"]["closed"].values()
    assert sum(closed) / len(closed) == pytest.approx(last["pass_at_1"]["value"], abs=1e-3)
    sem = [one["sem"] for one in row["prompts"]["0"]["open"].values()]
    assert sum(sem) / len(sem) == pytest.approx(first["sem"], abs=1e-3)
    rows = rows_of(row, {**row, "arm": paging.CONTROLLER})
    assert "| replace_0.3 | pass@1 | +0.000 (+0.000) |" in paging.write_table(rows, list(rows))


def test_weights_go_when_no_unfinished_cell_needs_them(tmp_path: Path) -> None:
    work = evidence.Work(rows=tmp_path / "rows", runs=tmp_path / "runs", only=(), healthy=False, settings=())
    work.rows.mkdir()
    done, begun = ("replace_0", 0), ("replace_0.3", 0)
    for cell in (done, begun):
        run_cell(work.runs, cell)
    arms = [cell for cell in evidence.planned({}, healthy=False) if cell[1] == 0]

    def finish(*cells: evidence.Cell) -> list[bool]:
        for cell in cells:
            work.row_file(cell).write_text(json.dumps(made_row(*cell)))
        evidence.free_weights(work, Store(work.runs / "store", Silent()))
        views = [read_run(work.folder(cell)).iterations for cell in (done, begun)]
        return [stages["update"].manifest.collected for view in views for stages in view if "update" in stages]

    # The first update may be that of another arm too; what an unfinished run has made stays.
    assert finish(done) == [False, True, False, False]
    assert finish(*arms) == [True, True, True, True]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    code = (
        "import sys, time; from pathlib import Path; from controller_evidence_claims import claimed\n"
        "with claimed(Path(sys.argv[1])) as claim: print(claim is not None, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "claim")], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_cell_is_claimed_once_and_free_when_its_holder_is_killed(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with claims.claimed(tmp_path / "claim") as claim:
        assert claim is None
    holder.kill()
    holder.wait()
    with claims.claimed(tmp_path / "claim") as claim:
        assert claim is not None
    assert not (tmp_path / "claim").exists()
