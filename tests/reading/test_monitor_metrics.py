"""The monitor as it is followed: names and values, lines in the log, alerts, how a run ended."""

import math
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.monitor.detector import State
from selfreward.monitor.findings import Finding
from selfreward.reading.metrics import final_values
from selfreward.reading.monitor_metrics import kl_bound, monitor_metrics, policy_ratio
from selfreward.reading.rounds import Round
from selfreward.tracking import metrics_of_run
from selfreward.tracking.alerts import decision_alerts, policy_alerts
from selfreward.tracking.round_lines import monitor_lines
from tests.support import Silent, run_scripted
from tests.verdicts import Told, decision, finding, verdict

STATES: tuple[State, ...] = ("WARMUP", "OK", "WARN", "ALARM", "SEVERE")
FEW = ("data.train_closed=24", "data.train_open=12", "data.human=60", "data.held_out_open=4")


@pytest.fixture(scope="module")
def alarming(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunView, Silent]:
    """Three updates in a world that loses human mass, answered by the controller."""
    reporter = Silent()
    view = run_scripted(tmp_path_factory.mktemp("run"), *FEW, "loop.iterations=3", "monitor=act", reporter=reporter)
    return view, reporter


def seen(t: int, state: State, *findings: Finding, **changed: Any) -> Round:
    """Iteration `t` with such a verdict."""
    return Told(t, verdict=verdict(state, *findings, **changed))


def test_best_of_k_over_rounds_is_best_of_a_power_of_k() -> None:
    assert kl_bound(8, 3) == pytest.approx(5.24, abs=0.005)
    assert kl_bound(2, 2) == pytest.approx(kl_bound(4, 1)) == pytest.approx(math.log(4) - 0.75)
    assert kl_bound(4, 0) == kl_bound(1, 5) == 0


def test_a_policy_ratio_needs_diversity_to_compare_with() -> None:
    assert policy_ratio([1.0, 0.8, 0.4]) == 0.5
    assert policy_ratio([1.0]) is None
    assert policy_ratio([None, 0.4]) is None
    assert policy_ratio([5e-17, 0.04]) is None, "what is left of nothing by rounding is nothing"


def test_every_number_of_a_verdict_has_its_name(alarming: tuple[RunView, Silent]) -> None:
    view, _ = alarming
    for t, row in enumerate(metrics_of_run(view)):
        seen = view.iterations[t]["diagnose"].json("diagnosis")
        assert row["collapse/state"] == seen["state"]
        for family, found in seen["findings"].items():
            assert row[f"collapse/{family}/value"] == found["now"]
            assert row[f"collapse/{family}/baseline"] == found["base"]
            for name in ("drop", "low", "high", "z", "critical", "margin", "detectable", "hit"):
                assert row[f"collapse/{family}/{name}"] == found[name]
        shares = [found["drop"] / found["margin"] for found in seen["findings"].values()]
        assert row["collapse/index"] == pytest.approx(sum(shares) / len(shares))
        assert all(value is not None and value == value for value in row.values())
        assert "diversity/open/matched/opening" not in row, "words of the policy are no metric"
        if t:
            assert row["policy/kl_bound"] == pytest.approx(kl_bound(4, t))
            assert row["policy/ratio"] == pytest.approx(seen["sem_ratios"][t] / seen["sem_ratios"][t - 1])
        if "decide" in view.iterations[t]:
            decision = view.iterations[t]["decide"].json("decision")
            assert row["control/rung"] == decision["course"]["rung"]
            assert row["control/real_share"] == row["mix/real_share_asked"] == decision["real_share"]
            assert row["selection/selection_ratio"] == decision["selection"]["selection_ratio"]


def test_a_round_without_a_verdict_has_no_code() -> None:
    codes = {state: monitor_metrics(seen(2, state), None) for state in STATES}
    assert {state: row["collapse/state_code"] for state, row in codes.items()} == {
        "WARMUP": 0,
        "OK": 0,
        "WARN": 1,
        "ALARM": 2,
        "SEVERE": 3,
    }
    unjudged: tuple[State, ...] = ("INVALID", "INCONCLUSIVE")
    for state in unjudged:
        row = monitor_metrics(seen(2, state), None)
        assert row["collapse/judged"] is False
        assert row.keys().isdisjoint({"collapse/state_code", "collapse/index", "policy/ratio"})


def test_a_lot_moves_nothing_that_a_bound_speaks_of(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *FEW, "loop.iterations=1", "select=random_pick")
    assert "policy/kl_bound" not in metrics_of_run(view)[1]


def test_each_iteration_says_how_it_stands_and_what_it_could_not_see(alarming: tuple[RunView, Silent]) -> None:
    view, reporter = alarming
    told = [line for line in reporter.lines if line.startswith("  monitor ")]
    states = [stages["diagnose"].json("diagnosis")["state"] for stages in view.iterations]
    assert [line.split()[1].strip(":,") for line in told] == states
    blind = [line for line in reporter.lines if line.startswith("    cannot see drops of sem under ")]
    assert len(blind) == len(view.iterations) == 4
    assert all("not measured" in line for line in blind)
    assert max(map(len, told + blind)) < 160


def test_what_the_controller_did_is_told_with_both_shares(alarming: tuple[RunView, Silent]) -> None:
    view, reporter = alarming
    (told,) = [line for line in reporter.lines if line.startswith("  controller ")]
    before, after = (view.iterations[t]["decide"].json("decision")["real_share"] for t in (1, 2))
    assert f"share {before:.3f} to {after:.3f}" in told


def test_a_silent_monitor_names_what_came_nearest() -> None:
    found = (finding("sem", 0.03, detectable=0.2), finding("nll", 0.02, margin=0.05, detectable=0.2))
    assert monitor_lines(seen(1, "OK", *found)) == [
        "  monitor OK: none is clearly beyond its margin; nearest: nll +0.020 nats (margin 0.050 nats)",
        "    cannot see drops of sem under 30.0%, nll under 0.250 nats (80% power); "
        "not measured: lex, ent, recall, human",
    ]
    held = monitor_lines(seen(1, "ALARM", finding("sem", 0.4, hit=True)))[0]
    assert held == "  monitor ALARM, held until two calm rounds in a row (0 so far): sem -40.0% (margin 10.0%)"
    assert monitor_lines(seen(1, "INVALID"))[0] == "  monitor INVALID: so it is"


@pytest.mark.parametrize(
    ("state", "before", "titles"),
    [
        ("OK", "OK", []),
        ("WARN", "OK", []),
        ("ALARM", "WARN", ["ALARM at iteration 3"]),
        ("ALARM", "ALARM", []),
        ("SEVERE", "ALARM", ["SEVERE at iteration 3"]),
        ("ALARM", "SEVERE", []),
        ("INVALID", "SEVERE", ["INVALID at iteration 3"]),
        ("INCONCLUSIVE", "OK", []),
    ],
)
def test_an_alert_is_sent_when_it_gets_worse(state: State, before: State, titles: list[str]) -> None:
    alerts = list(policy_alerts(seen(3, state), seen(2, "INVALID", stood=before)))
    assert [one.title for one in alerts] == titles
    assert all(one.text == "so it is; cannot see small drops" for one in alerts)


def test_an_alert_of_the_first_policy_needs_nothing_before_it() -> None:
    assert [one.title for one in policy_alerts(seen(0, "SEVERE"), None)] == ["SEVERE at iteration 0"]


def test_human_data_runs_out_once() -> None:
    assert [
        one.title for one in decision_alerts(Told(4, decision=decision(state="BUDGET_EXHAUSTED", before="SEVERE")))
    ] == ["BUDGET_EXHAUSTED at iteration 4"]
    assert list(decision_alerts(Told(5, decision=decision(state="BUDGET_EXHAUSTED", before="BUDGET_EXHAUSTED")))) == []
    assert list(decision_alerts(Told(4, decision=decision(state="ALARM", before=None)))) == []


def test_a_run_ends_with_its_drop_its_rise_its_first_alarm_and_what_it_spent() -> None:
    rows = [
        {"loop/iteration": t, "diversity/open/human_nll": nll, "collapse/state": state, "collapse/sem/drop": 0.1 * t}
        for t, (nll, state) in enumerate([(3.0, "WARMUP"), (2.5, "OK"), (2.8, "SEVERE"), (2.7, "ALARM")])
    ]
    rows[1]["mix/human_rows_spent"], rows[2]["mix/human_rows_spent"] = 10, 25
    assert final_values(rows) == {
        "final/sem_drop": pytest.approx(0.3),
        "final/human_nll_rise": pytest.approx(0.2),
        "final/first_alarm": 2,
        "final/human_rows_spent": 25,
    }
    assert final_values(rows[:1]) == {"final/sem_drop": 0.0}
    assert final_values([]) == {}
