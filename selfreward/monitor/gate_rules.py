"""What is done about a judge's measures: decided on whole intervals, so that noise in a small gold set does nothing.

A run looks at its judge in every round, and a judge whose true value is the bound would be acted on by chance in one
round or another. So the error that a rule may make in a run is divided by the rounds (Bonferroni): each look takes
limits that the truth lies beyond in `alpha / looks` of cases. The rounds are those of `monitor.horizon`, the most that
a run may have, and not those that it has: with more iterations an earlier round would otherwise be decided anew, and
perhaps otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.judge_quality.estimate import Measure, limits_at
from selfreward.metrics.intervals import Interval
from selfreward.spec import Spec, execution

Action = Literal["observe", "warn", "freeze", "stop"]

_DECIMALS = 6
STRENGTH: tuple[Action, ...] = ("observe", "warn", "freeze", "stop")


class Rule(Spec):
    """`action` follows where a measure's interval lies wholly below `below` or wholly above `above`.

    `freeze` means that the judge stays at the last policy that passed; `stop` is the stronger, because nothing is
    trained after it.
    """

    action: Action = "observe"
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "Rule":
        if self.action != "observe" and self.below is None and self.above is None:
            raise ValueError(f"action={self.action} without a bound never happens: give below or above")
        if self.below is not None and self.above is not None and self.below >= self.above:
            raise ValueError(f"below={self.below} and above={self.above} leave nothing in between")
        return self


class GateSpec(Spec):
    """One rule a measure. Measures over fewer than `fewest_items` prompts are told, and lead to nothing.

    `alpha` is the chance that a rule acts in a run of `looks` rounds on a judge whose true value is the bound; on one
    inside it is smaller. `over_optimised` follows where the proxy score rose while a gold measure fell. With `final`
    the judge is measured on the final gold pairs too, which leads to nothing.
    """

    final: bool = execution(False)
    fewest_items: PositiveInt = 20
    looks: PositiveInt = 10
    alpha: float = Field(0.05, gt=0, lt=0.5)
    accuracy: Rule = Rule()
    kappa: Rule = Rule(action="warn", below=0.4)
    quadratic_kappa: Rule = Rule()
    spearman: Rule = Rule()
    kendall: Rule = Rule()
    calibration_error: Rule = Rule()
    flip_rate: Rule = Rule()
    same_position: Rule = Rule()
    position_preference: Rule = Rule()
    length_slope: Rule = Rule()
    self_preference: Rule = Rule()
    share_at_maximum: Rule = Rule(action="stop", above=0.9)
    parse_rate: Rule = Rule(action="stop", below=0.5)
    mean_score: Rule = Rule()
    tie_share: Rule = Rule()
    over_optimised: Action = "warn"

    def rules(self) -> dict[str, Rule]:
        """The rule of every measure, in the order of the settings."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Rule)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """One measure as the gate saw it. `bound` is the one that was crossed, None where none was.

    `low` and `high` are the gate's own limits, wider than the 95% interval of the measure. They and `value` are None
    where the measure does not exist; `why` then says so. `prompts` counts what they are over.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    prompts: int
    bound: float | None
    action: Action
    why: str


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The strongest action among the findings, one of which there is for every measure and every rule."""

    action: Action
    findings: tuple[GateFinding, ...]


def judge_gate(spec: GateSpec, measures: Sequence[Measure]) -> GateDecision:
    """What `spec` says of `measures`: the strongest action of any; `observe` without one.

    A rule whose measure is missing is a finding too, never passed in silence. A measure without a rule is observed.
    """
    rules, given = spec.rules(), {measure.name: measure for measure in measures}
    if len(given) != len(measures):
        raise ValueError(f"a measure comes twice among {[measure.name for measure in measures]}")
    found = [_finding(spec, rules.get(measure.name, Rule()), measure) for measure in measures]
    found += [_unmeasured(name, "it was not asked for") for name in rules if name not in given]
    return decide(found)


def decide(findings: Sequence[GateFinding]) -> GateDecision:
    """The strongest action among `findings`; `observe` without any."""
    return GateDecision(max((one.action for one in findings), key=STRENGTH.index, default="observe"), tuple(findings))


def overoptimised(spec: GateSpec, proxy_by_round: Sequence[Measure], gold_by_round: Sequence[Measure]) -> GateFinding:
    """Whether the last round's proxy score is above an earlier round's while a gold measure is below it.

    Both must lie apart from those of the same earlier round, by the limits of one look; told is the round from which
    gold fell most. Give one gold measure at a time (accuracy, or the length-controlled win rate). The finding is of the
    gold measure; `bound` is the lower limit it was compared with. Not measured without two rounds that have both.
    """
    if not gold_by_round or len(proxy_by_round) != len(gold_by_round):
        raise ValueError(
            f"{len(proxy_by_round)} proxy scores and {len(gold_by_round)} gold measures: one of each a round"
        )
    rounds = [
        (_seen(spec, proxy), _seen(spec, gold)) for proxy, gold in zip(proxy_by_round, gold_by_round, strict=True)
    ]
    *earlier, (proxy_now, gold_now) = rounds
    name = f"over_optimised/{gold_by_round[-1].name}"
    if proxy_now is None or gold_now is None:
        return _unmeasured(name, _why((proxy_by_round if proxy_now is None else gold_by_round)[-1]))
    before = [(n, proxy, gold) for n, (proxy, gold) in enumerate(earlier) if proxy is not None and gold is not None]
    if not before:
        return _unmeasured(name, "no earlier round has both the proxy score and gold")
    fell = [(n, p, g) for n, p, g in before if proxy_now.low > p.high and gold_now.high < g.low]
    if not fell:
        return _gate_finding(name, gold_now, None, "observe", "the proxy score did not rise while gold fell")
    number, proxy, gold = max(fell, key=lambda row: row[2].value)
    rose = f"{proxy_by_round[-1].name} rose from {_say(proxy)} to {_say(proxy_now)}"
    why = f"since round {number} {rose} while gold fell from {_say(gold)} to {_say(gold_now)}"
    prompts = min(proxy.n, gold.n, proxy_now.n, gold_now.n)
    if prompts < spec.fewest_items:
        return _gate_finding(name, gold_now, gold.low, "observe", f"{why}, on {_few(prompts)}")
    return _gate_finding(name, gold_now, gold.low, spec.over_optimised, why)


def _finding(spec: GateSpec, rule: Rule, measure: Measure) -> GateFinding:
    seen = _seen(spec, measure)
    if seen is None:
        return _unmeasured(measure.name, _why(measure))
    said = _say(seen)
    below = rule.below is not None and seen.high < rule.below
    above = rule.above is not None and seen.low > rule.above
    if not below and not above:
        return _gate_finding(measure.name, seen, None, "observe", said)
    bound = rule.below if below else rule.above
    why = f"{said} lies wholly {'below' if below else 'above'} {bound:g}"
    if seen.n < spec.fewest_items:
        return _gate_finding(measure.name, seen, bound, "observe", f"{why}, on {_few(seen.n)}")
    if measure.name == "kappa" and below:
        why += ": these labels should not be trained on"
    return _gate_finding(measure.name, seen, bound, rule.action, why)


def _seen(spec: GateSpec, measure: Measure) -> Interval | None:
    """A measure with the limits of one look, over prompts, rounded as what the gate reads is; None without limits."""
    if measure.interval is None or (limits := limits_at(measure, spec.alpha / spec.looks)) is None:
        return None
    low, high = (round(limit, _DECIMALS) + 0.0 for limit in limits)
    return replace(measure.interval, low=low, high=high, n=measure.prompts)


def _why(measure: Measure) -> str:
    return measure.why_missing or "all items are of one prompt"


def _few(prompts: int) -> str:
    return f"{prompts} prompt{'' if prompts == 1 else 's'}: too few to act on"


def _gate_finding(name: str, seen: Interval | None, bound: float | None, action: Action, why: str) -> GateFinding:
    if seen is None:
        return GateFinding(name=name, value=None, low=None, high=None, prompts=0, bound=bound, action=action, why=why)
    return GateFinding(
        name=name,
        value=seen.value,
        low=seen.low,
        high=seen.high,
        prompts=seen.n,
        bound=bound,
        action=action,
        why=why,
    )


def _unmeasured(name: str, reason: str | None) -> GateFinding:
    return _gate_finding(name, None, None, "observe", f"not measured: {reason}")


def _say(interval: Interval) -> str:
    return f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g})"
