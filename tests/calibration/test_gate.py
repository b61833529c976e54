"""The gate: decided on whole intervals, nothing passed in silence."""

import pytest
from pydantic import ValidationError

from selfreward.calibration.gate import Action, GateSpec, Rule, judge_gate, overoptimised
from selfreward.calibration.measure import Measure, missing
from selfreward.diversity.statistics import Interval


def measure(name: str, low: float, high: float, items: int = 200) -> Measure:
    return Measure(name=name, interval=Interval((low + high) / 2, low, high, items))


DEFAULTS: list[tuple[str, float, float, Action]] = [
    ("kappa", 0.2, 0.39, "warn"),
    ("kappa", 0.2, 0.41, "observe"),
    ("share_at_maximum", 0.91, 0.99, "stop"),
    ("share_at_maximum", 0.85, 0.99, "observe"),
    ("parse_rate", 0.3, 0.49, "stop"),
    ("parse_rate", 0.45, 0.6, "observe"),
    ("flip_rate", 0.99, 1.0, "observe"),
]


@pytest.mark.parametrize(("name", "low", "high", "action"), DEFAULTS)
def test_the_defaults_act_on_whole_intervals(name: str, low: float, high: float, action: Action) -> None:
    decision = judge_gate(GateSpec(), [measure(name, low, high)])
    assert decision.action == action
    assert decision.findings[0].action == action
    assert (decision.findings[0].bound is None) == (action == "observe")


def test_a_kappa_too_low_says_what_not_to_do() -> None:
    finding = judge_gate(GateSpec(), [measure("kappa", 0.1, 0.3)]).findings[0]
    assert finding.why == "0.2 (0.1 to 0.3) lies wholly below 0.4: these labels should not be trained on"


def test_the_strongest_action_wins() -> None:
    spec = GateSpec(flip_rate=Rule(action="freeze", above=0.3))
    bad = [measure("kappa", 0.1, 0.2), measure("flip_rate", 0.4, 0.5)]
    assert judge_gate(spec, bad).action == "freeze"
    assert judge_gate(spec, [*bad, measure("parse_rate", 0, 0.1)]).action == "stop"


def test_what_is_not_measured_is_a_finding() -> None:
    decision = judge_gate(GateSpec(), [missing("kappa", "people gave no verdicts")])
    told = {finding.name: finding for finding in decision.findings}
    assert decision.action == "observe"
    assert told["kappa"].why == "not measured: people gave no verdicts"
    assert told["parse_rate"].why == "not measured: it was not asked for"
    assert told.keys() == GateSpec().rules().keys()


def test_too_few_items_lead_to_nothing() -> None:
    finding = judge_gate(GateSpec(), [measure("parse_rate", 0, 0, items=5)]).findings[0]
    assert (finding.action, finding.bound) == ("observe", 0.5)
    assert "on 5 items: too few to act on" in finding.why


def test_a_measure_without_a_rule_is_observed_and_none_comes_twice() -> None:
    assert judge_gate(GateSpec(), [measure("fleiss_kappa", 0, 0.1)]).action == "observe"
    with pytest.raises(ValueError, match="comes twice"):
        judge_gate(GateSpec(), [measure("kappa", 0, 1), measure("kappa", 0, 1)])


@pytest.mark.parametrize("rule", [{"action": "stop"}, {"below": 0.5, "above": 0.5}, {"action": "halt", "below": 0}])
def test_rules_that_cannot_be_meant_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(rule)


def rounds(name: str, *values: float) -> list[Measure]:
    return [measure(name, value - 0.02, value + 0.02) for value in values]


def test_a_proxy_that_rises_while_gold_falls_is_told() -> None:
    finding = overoptimised(GateSpec(), rounds("mean_score", 3.0, 3.2, 3.4), rounds("accuracy", 0.7, 0.75, 0.65))
    assert (finding.name, finding.action, finding.bound) == ("over_optimised/accuracy", "warn", pytest.approx(0.73))
    assert finding.why == (
        "since round 1 mean_score rose from 3.2 (3.18 to 3.22) to 3.4 (3.38 to 3.42) "
        "while gold fell from 0.75 (0.73 to 0.77) to 0.65 (0.63 to 0.67)"
    )
    stop = GateSpec(over_optimised="stop")
    assert overoptimised(stop, rounds("p", 0, 1), rounds("lc_win_rate", 0.6, 0.5)).action == "stop"


@pytest.mark.parametrize(
    ("proxy", "gold"),
    [
        ((3.0, 3.4), (0.7, 0.75)),  # both rise
        ((3.4, 3.0), (0.7, 0.6)),  # both fall
        ((3.0, 3.4), (0.7, 0.67)),  # gold's intervals overlap
        ((3.0, 3.03), (0.7, 0.6)),  # the proxy's do
    ],
)
def test_anything_less_is_no_over_optimisation(proxy: tuple[float, ...], gold: tuple[float, ...]) -> None:
    finding = overoptimised(GateSpec(), rounds("mean_score", *proxy), rounds("accuracy", *gold))
    assert (finding.action, finding.bound) == ("observe", None)


def test_over_optimisation_that_cannot_be_seen_is_told() -> None:
    first = overoptimised(GateSpec(), rounds("mean_score", 3.0), rounds("accuracy", 0.7))
    assert first.why == "not measured: no earlier round has both the proxy score and gold"
    gone = [*rounds("accuracy", 0.7), missing("accuracy", "no gold set was given")]
    assert overoptimised(GateSpec(), rounds("p", 0, 1), gone).why == "not measured: no gold set was given"
    with pytest.raises(ValueError, match="one of each a round"):
        overoptimised(GateSpec(), rounds("p", 0, 1), rounds("accuracy", 0.7))
