"""Measure, diagnose and decide in a scripted run: what a user reads in their files, and what moves nothing."""

from collections import Counter
from pathlib import Path

import pytest

from selfreward.artifacts import Output
from selfreward.artifacts.runs import RunView
from selfreward.metrics.probe_rows import HumanScore, PromptMeasure
from selfreward.monitor.controller import ControllerSpec, steer
from selfreward.records import Example
from selfreward.selection.mixing import Spent
from selfreward.spec import Json
from selfreward.stages.decide import decision_of
from tests.support import run_scripted

ACTING = ("loop.iterations=5", "monitor=act", "mix.data=replace")


@pytest.fixture(scope="module")
def acting(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("acting"), *ACTING)


def course(view: RunView, t: int) -> dict:
    return view.iterations[t]["decide"].json("decision")["course"]


def test_a_loop_that_loses_human_mass_alarms_and_is_given_human_data(acting: RunView) -> None:
    diagnoses = [stages["diagnose"].json("diagnosis") for stages in acting.iterations]
    assert [one["round"] for one in diagnoses] == [0, 1, 2, 3, 4, 5], "the last policy too"
    states = [one["state"] for one in diagnoses]
    assert states[:2] == ["WARMUP", "WARMUP"]
    assert set(states[2:]) <= {"ALARM", "SEVERE"}
    shares = [course(acting, t)["real_share"] for t in range(5)]
    assert shares[0] == shares[1] == ControllerSpec().floor
    assert shares[1] < shares[2] < shares[3]
    mixed = [stages["mix"].json("mixing") for stages in acting.iterations[:-1]]
    for asked, got in zip(shares, mixed, strict=True):
        assert got["real_share_asked"] == asked
        assert got["short"] or got["real_share_tokens"] == pytest.approx(asked, abs=0.05)


def test_every_decision_follows_from_its_file_alone(acting: RunView) -> None:
    for stages in acting.iterations[:-1]:
        decision = decision_of(stages["decide"])
        again = steer(ControllerSpec(**decision.settings), decision.evidence, decision.previous)
        assert again == decision.course


def test_round_0_compares_the_policy_with_itself(acting: RunView) -> None:
    found = acting.iterations[0]["diagnose"].json("diagnosis")
    assert abs(found["findings"]["sem"]["z"]) < 4
    assert "cannot see" in found["cannot_see"]


def test_what_is_seen_is_in_rows_that_can_be_opened(acting: RunView) -> None:
    first, later = (acting.iterations[t]["measure"] for t in (0, 3))
    rows = [row for row in later.records(PromptMeasure, "prompts") if row.stratum == "open"]
    told = later.json("metrics")["open"]["matched"]
    assert told["sem"] == pytest.approx(sum(row.sem or 0 for row in rows) / len(rows))
    assert told["baseline_sem"] > told["sem"]
    assert {row.answers for row in rows} == {4}
    assert later.json("probe")["gauge"] == first.json("probe")["gauge"]
    finding = acting.iterations[3]["diagnose"].json("diagnosis")["findings"]["sem"]
    assert finding["now"] == pytest.approx(told["sem"])
    nll = [score.nll for score in later.records(HumanScore, "human")]
    assert min(nll) > 0


def test_closed_questions_raise_no_alarm(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=3", "data.probe_open=0", "data.probe_closed=30")
    closed = [stages["measure"].json("metrics")["closed"]["distinct_share"] for stages in view.iterations]
    states = [stages["diagnose"].json("diagnosis")["state"] for stages in view.iterations]
    assert closed[-1] < closed[0]
    assert set(states[2:]) == {"INCONCLUSIVE"}


def test_observing_spends_the_fixed_share_and_says_what_it_would_do(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=4", "mix.real_share=0")
    assert {course(view, t)["real_share"] for t in range(4)} == {0}
    assert "act would" in course(view, 3)["why"]
    assert course(view, 3)["shadow_share"] > ControllerSpec().floor
    assert course(view, 3)["orders"]["novelty"] is False


def test_a_run_stops_where_nothing_is_left_to_try_and_names_the_round_to_go_back_to(tmp_path: Path) -> None:
    settings = ("loop.iterations=6", "monitor=act", "monitor.allow_stop=true", "monitor.max_rung=1")
    view = run_scripted(tmp_path, *settings, "monitor.ceiling=0.2", "monitor.severe_drop=0.99")
    stopped = course(view, len(view.iterations) - 1)
    assert len(view.iterations) < 6
    assert stopped["action"] == "stop"
    assert f"go back to round {stopped['best_healthy']}" in stopped["stop"]
    assert "mix" not in view.iterations[-1]


def test_a_budget_is_never_exceeded_and_its_end_is_a_state(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, "loop.iterations=5", "monitor=act", "monitor.budget=200")
    ledger = view.iterations[-2]["mix"].records(Spent, "ledger")
    assert 150 < sum(row.tokens for row in ledger) <= 200
    assert "BUDGET_EXHAUSTED" in {course(view, t)["state"] for t in range(5)}


def test_novelty_is_ordered_for_the_next_selection(acting: RunView) -> None:
    assert course(acting, 2)["rung"] == 3
    assert acting.iterations[3]["select"].json("selection").get("over_cluster_cap") is not None
    assert acting.iterations[2]["select"].json("selection").get("over_cluster_cap") is None
    assert list(acting.iterations[3]["select"].records(Example))


@pytest.mark.parametrize("dies_at", ["metrics", "decision", "mixing"])
def test_interrupted_in_measure_decide_or_mix_it_decides_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acting: RunView, dies_at: str
) -> None:
    write_json, seen = Output.write_json, Counter[str]()

    def dies_the_second_time(out: Output, name: str, value: Json) -> None:
        seen[name] += 1
        if name == dies_at and seen[name] == 2:
            raise KeyboardInterrupt
        write_json(out, name, value)

    monkeypatch.setattr(Output, "write_json", dies_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        run_scripted(tmp_path, *ACTING)
    monkeypatch.undo()
    resumed = run_scripted(tmp_path, *ACTING)
    for left_alone, again in zip(acting.iterations[:-1], resumed.iterations, strict=False):
        assert (again["decide"].path / "decision.json").read_bytes() == (
            left_alone["decide"].path / "decision.json"
        ).read_bytes()
