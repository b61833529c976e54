"""The gate: decided on whole intervals, nothing passed in silence."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from selfreward.judge_quality.estimate import Measure, missing, share_of
from selfreward.monitor.gate_rules import Action, GateSpec, Rule, judge_gate, overoptimised

TEN_LOOKS = 2.6007603
"""Student's t that 199 prompts exceed in .005 of cases: an error of .05 over ten looks."""


def measure(low: float, high: float, prompts: int = 200) -> Measure:
    """A figure that one look of ten finds between `low` and `high`, where there are 200 prompts."""
    middle, error = (low + high) / 2, (high - low) / 2 / TEN_LOOKS
    return Measure(value=middle, low=low, high=high, n=400, prompts=prompts, error=error)


def share(hits: int, prompts: int, pairs: int = 1) -> Measure:
    """A share of prompts that say one thing throughout, of `pairs` pairs each."""
    values = [float(number < hits) for number in range(prompts) for _ in range(pairs)]
    return share_of(values, [number for number in range(prompts) for _ in range(pairs)], "none")


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
    decision = judge_gate(GateSpec(), {name: measure(low, high)})
    assert decision.action == action
    assert decision.findings[0].action == action
    assert (decision.findings[0].bound is None) == (action == "observe")


def test_a_kappa_too_low_says_what_not_to_do() -> None:
    finding = judge_gate(GateSpec(), {"kappa": measure(0.1, 0.3)}).findings[0]
    assert finding.why == "0.2 (0.1 to 0.3) lies wholly below 0.4: these labels should not be trained on"


def test_the_strongest_action_wins() -> None:
    spec = GateSpec(flip_rate=Rule(action="freeze", above=0.3))
    bad = {"kappa": measure(0.1, 0.2), "flip_rate": measure(0.4, 0.5)}
    assert judge_gate(spec, bad).action == "freeze"
    assert judge_gate(spec, {**bad, "parse_rate": measure(0, 0.1)}).action == "stop"


def test_what_is_not_measured_is_a_finding() -> None:
    decision = judge_gate(GateSpec(), {"kappa": missing("people gave no verdicts")})
    told = {finding.name: finding for finding in decision.findings}
    assert decision.action == "observe"
    assert told["kappa"].why == "not measured: people gave no verdicts"
    assert told["parse_rate"].why == "not measured: it was not asked for"
    assert told.keys() == GateSpec().rules().keys()


def test_too_few_items_lead_to_nothing() -> None:
    finding = judge_gate(GateSpec(), {"parse_rate": measure(0, 0, prompts=5)}).findings[0]
    assert (finding.action, finding.bound) == ("observe", 0.5)
    assert "on 5 prompts: too few to act on" in finding.why


def test_a_measure_without_a_rule_is_observed() -> None:
    assert judge_gate(GateSpec(), {"fleiss_kappa": measure(0, 0.1)}).action == "observe"


def test_every_look_is_paid_for() -> None:
    """15 of 48 is below .5 by a single 95% interval, and in one look of ten it is not told from it."""
    once, ten = GateSpec(looks=1), GateSpec(looks=10)
    for read, stopped in ((13, (True, True)), (16, (True, False)), (20, (False, False))):
        seen = {"parse_rate": share(read, 48)}
        assert tuple(judge_gate(spec, seen).action == "stop" for spec in (once, ten)) == stopped
    wide = judge_gate(GateSpec(looks=50), {"kappa": measure(0.2, 0.39)}).findings[0]
    assert wide.high is not None and wide.high > 0.4


def test_pairs_of_one_prompt_do_not_make_prompts() -> None:
    """Four prompts with six pairs each are four, however many pairs there are."""
    finding = judge_gate(GateSpec(), {"parse_rate": share(0, 4, pairs=6)}).findings[0]
    assert (finding.prompts, finding.action) == (4, "observe")
    (few, many) = (judge_gate(GateSpec(), {"parse_rate": share(5, 20, pairs)}).findings[0] for pairs in (1, 6))
    assert (few.low, few.high) == (many.low, many.high)


def test_a_share_that_is_1_has_limits_all_the_same() -> None:
    """As many prompts as can be told from .9: .9 ** 44 / 2 is below .005."""
    acted = {n: judge_gate(GateSpec(), {"share_at_maximum": share(n, n)}).action for n in (20, 40, 43, 44, 48)}
    assert acted == {20: "observe", 40: "observe", 43: "observe", 44: "stop", 48: "stop"}


def test_a_single_prompt_has_no_limits() -> None:
    alone = replace(measure(0.1, 0.2, prompts=1), error=None)
    finding = judge_gate(GateSpec(fewest_items=1), {"kappa": alone}).findings[0]
    assert (finding.action, finding.why) == ("observe", "not measured: all items are of one prompt")


def test_healthy_judges_are_left_in_peace_for_ten_rounds() -> None:
    """A share of .85 under a bound of .9, on 20 pairs: each look by itself stopped .3 of such runs."""
    rng, spec = np.random.default_rng(0), GateSpec()
    stopped = 0
    for _ in range(100):
        looks = [int((rng.random(20) < 0.85).sum()) for _ in range(10)]
        stopped += any(judge_gate(spec, {"share_at_maximum": share(hits, 20)}).action == "stop" for hits in looks)
    assert stopped <= 5


@pytest.mark.parametrize("rule", [{"action": "stop"}, {"below": 0.5, "above": 0.5}, {"action": "halt", "below": 0}])
def test_rules_that_cannot_be_meant_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate(rule)


def rounds(*values: float) -> list[Measure]:
    return [measure(value - 0.02, value + 0.02) for value in values]


def test_a_proxy_that_rises_while_gold_falls_is_told() -> None:
    finding = overoptimised(GateSpec(), "accuracy", rounds(3.0, 3.2, 3.4), rounds(0.7, 0.75, 0.65))
    assert (finding.name, finding.action, finding.bound) == ("over_optimised/accuracy", "warn", pytest.approx(0.73))
    assert finding.why == (
        "since round 1 mean_score rose from 3.2 (3.18 to 3.22) to 3.4 (3.38 to 3.42) "
        "while gold fell from 0.75 (0.73 to 0.77) to 0.65 (0.63 to 0.67)"
    )
    stop = GateSpec(over_optimised="stop")
    assert overoptimised(stop, "lc_win_rate", rounds(0, 1), rounds(0.6, 0.5)).action == "stop"


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
    finding = overoptimised(GateSpec(), "accuracy", rounds(*proxy), rounds(*gold))
    assert (finding.action, finding.bound) == ("observe", None)


def test_over_optimisation_that_cannot_be_seen_is_told() -> None:
    first = overoptimised(GateSpec(), "accuracy", rounds(3.0), rounds(0.7))
    assert first.why == "not measured: no earlier round has both the proxy score and gold"
    gone = [*rounds(0.7), missing("no gold set was given")]
    assert overoptimised(GateSpec(), "accuracy", rounds(0, 1), gone).why == "not measured: no gold set was given"
    with pytest.raises(ValueError, match="one of each a round"):
        overoptimised(GateSpec(), "accuracy", rounds(0, 1), rounds(0.7))
