"""What is done about a judge's measures: decided on whole intervals, so that noise in a small gold set does nothing."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from pydantic import PositiveInt, model_validator

from selfreward.calibration.measure import Measure
from selfreward.diversity.statistics import Interval
from selfreward.spec import Spec, execution

Action = Literal["observe", "warn", "freeze", "stop"]

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
    """One rule a measure. Measures over fewer than `fewest_items` items are told, and lead to nothing.

    `over_optimised` follows where the proxy score rose while a gold measure fell. With `final` the judge is measured on
    the final gold pairs too, which leads to nothing.
    """

    final: bool = execution(False)
    fewest_items: PositiveInt = 20
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

    `value`, `low` and `high` are None where the measure does not exist; `why` then says so. `items` counts what the
    interval is over.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    items: int
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

    Both intervals must lie apart from those of the same earlier round; told is the round from which gold fell most.
    Give one gold measure at a time (accuracy, or the length-controlled win rate). The finding is of the gold measure;
    `bound` is the lower limit it was compared with. Not measured without two rounds that have both.
    """
    if not gold_by_round or len(proxy_by_round) != len(gold_by_round):
        raise ValueError(
            f"{len(proxy_by_round)} proxy scores and {len(gold_by_round)} gold measures: one of each a round"
        )
    rounds = [(proxy.interval, gold.interval) for proxy, gold in zip(proxy_by_round, gold_by_round, strict=True)]
    *earlier, (proxy_now, gold_now) = rounds
    name = f"over_optimised/{gold_by_round[-1].name}"
    if proxy_now is None or gold_now is None:
        return _unmeasured(name, (proxy_by_round if proxy_now is None else gold_by_round)[-1].why_missing)
    before = [(n, proxy, gold) for n, (proxy, gold) in enumerate(earlier) if proxy is not None and gold is not None]
    if not before:
        return _unmeasured(name, "no earlier round has both the proxy score and gold")
    fell = [(n, p, g) for n, p, g in before if proxy_now.low > p.high and gold_now.high < g.low]
    if not fell:
        return _told(name, gold_now, None, "observe", "the proxy score did not rise while gold fell")
    number, proxy, gold = max(fell, key=lambda row: row[2].value)
    rose = f"{proxy_by_round[-1].name} rose from {_say(proxy)} to {_say(proxy_now)}"
    why = f"since round {number} {rose} while gold fell from {_say(gold)} to {_say(gold_now)}"
    items = min(proxy.n, gold.n, proxy_now.n, gold_now.n)
    if items < spec.fewest_items:
        return _told(name, gold_now, gold.low, "observe", f"{why}, on {items} items: too few to act on")
    return _told(name, gold_now, gold.low, spec.over_optimised, why)


def _finding(spec: GateSpec, rule: Rule, measure: Measure) -> GateFinding:
    interval = measure.interval
    if interval is None:
        return _unmeasured(measure.name, measure.why_missing)
    said = _say(interval)
    below = rule.below is not None and interval.high < rule.below
    above = rule.above is not None and interval.low > rule.above
    if not below and not above:
        return _told(measure.name, interval, None, "observe", said)
    bound = rule.below if below else rule.above
    why = f"{said} lies wholly {'below' if below else 'above'} {bound:g}"
    if interval.n < spec.fewest_items:
        return _told(measure.name, interval, bound, "observe", f"{why}, on {interval.n} items: too few to act on")
    if measure.name == "kappa" and below:
        why += ": these labels should not be trained on"
    return _told(measure.name, interval, bound, rule.action, why)


def _told(name: str, interval: Interval | None, bound: float | None, action: Action, why: str) -> GateFinding:
    value, low, high, items = (None, None, None, 0) if interval is None else astuple(interval)
    return GateFinding(name=name, value=value, low=low, high=high, items=items, bound=bound, action=action, why=why)


def _unmeasured(name: str, reason: str | None) -> GateFinding:
    return _told(name, None, None, "observe", f"not measured: {reason}")


def _say(interval: Interval) -> str:
    return f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g})"
