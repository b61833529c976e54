"""What is done about a judge's measures: decided on whole intervals, so that noise in a small gold set does nothing.

A run looks at its judge in every round, so the error that a rule may make in a run is divided by the rounds
(Bonferroni): each look takes limits that the truth lies beyond in `alpha / looks` of cases. `looks` are the most rounds
that a run may have: with those that it has, more iterations would decide an earlier round anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.judge_quality.estimate import Measure, Measures, limits_at
from selfreward.metrics.intervals import Interval
from selfreward.spec import Spec, execution, neutral

Action = Literal["observe", "warn", "end", "freeze", "stop"]

_DECIMALS = 6
STRENGTH: tuple[Action, ...] = ("observe", "warn", "end", "freeze", "stop")
META = "meta_"
"""What the names of rules for the meta-judge begin with."""


class Rule(Spec):
    """`action` follows where a measure's interval lies wholly below `below` or wholly above `above`.

    `freeze` keeps the judge at the last policy that passed; `end`, of a rule for the meta-judge, ends training on pairs
    of judgments; after `stop` nothing is trained.
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
    the judge is measured on the final gold pairs too, which leads to nothing. `meta_...` are of the meta-judge.
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
    meta_prefers_score: Rule = neutral(Rule(action="end", above=0.8))
    meta_prefers_first: Rule = neutral(Rule())
    meta_prefers_longer: Rule = neutral(Rule())
    over_optimised: Action = "warn"

    @model_validator(mode="after")
    def _actions_fit(self) -> "GateSpec":
        actions = {name: rule.action for name, rule in (*self.rules().items(), *self.meta_rules().items())}
        for name, action in (*actions.items(), ("over_optimised", self.over_optimised)):
            of_meta = name.startswith(META)
            setting = f"gate.{name}{'' if name == 'over_optimised' else '.action'}={action}"
            if action == "end" and not of_meta:
                raise ValueError(
                    f"{setting} ends training on judgments, which follows from the meta-judge alone: set observe, "
                    "warn, freeze or stop"
                )
            if action == "freeze" and of_meta:
                raise ValueError(f"{setting} freezes no judge for its meta-judge: set observe, warn, end or stop")
        return self

    def rules(self) -> dict[str, Rule]:
        """The rule of every measure of the judge, in the order of the settings."""
        return {name: rule for name, rule in self._all_rules() if not name.startswith(META)}

    def meta_rules(self) -> dict[str, Rule]:
        """The rule of every measure of the meta-judge that has one."""
        return {name: rule for name, rule in self._all_rules() if name.startswith(META)}

    def _all_rules(self) -> list[tuple[str, Rule]]:
        return [(name, value) for name in type(self).model_fields if isinstance(value := getattr(self, name), Rule)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """One measure as the gate saw it. `bound` is the one that was crossed, None where none was.

    `low` and `high` are the gate's own limits, wider than the 95% interval of the measure. They and `value` are None
    where the measure does not exist; `why` then says so. `prompts` counts what they are over.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    prompts: int = 0
    bound: float | None = None
    action: Action = "observe"
    why: str


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The strongest action among the findings, one of which there is for every measure and every rule."""

    action: Action
    findings: tuple[GateFinding, ...]


def judge_gate(spec: GateSpec, measures: Measures) -> GateDecision:
    """What `spec` says of `measures`: the strongest action of any; `observe` without one.

    A rule whose measure is missing is a finding too, never passed in silence. A measure without a rule is observed.
    """
    rules = spec.rules()
    found = [_finding(spec, name, rules.get(name, Rule()), measure) for name, measure in measures.items()]
    found += [_unmeasured(name, "it was not asked for") for name in rules if name not in measures]
    return decide(found)


def judge_meta(spec: GateSpec, measures: Measures) -> list[GateFinding]:
    """What the rules for the meta-judge say of its `measures`, whose names there have no `meta_` before them."""
    rules = spec.meta_rules()
    return [_finding(spec, name, rule, measures[name.removeprefix(META)]) for name, rule in rules.items()]


def decide(findings: Sequence[GateFinding]) -> GateDecision:
    """The strongest action among `findings`; `observe` without any."""
    return GateDecision(max((one.action for one in findings), key=STRENGTH.index, default="observe"), tuple(findings))


def overoptimised(
    spec: GateSpec, gold: str, proxy_by_round: Sequence[Measure], gold_by_round: Sequence[Measure]
) -> GateFinding:
    """Whether the last round's proxy score is above an earlier round's while the measure `gold` is below it.

    Both must lie apart from those of the same earlier round, by the limits of one look; told is the round from which
    gold fell most. Give one gold measure at a time (accuracy, or the length-controlled win rate). The finding is of the
    gold measure; `bound` is the lower limit it was compared with. Not measured without two rounds that have both.
    """
    if not gold_by_round or len(proxy_by_round) != len(gold_by_round):
        raise ValueError(
            f"{len(proxy_by_round)} proxy scores and {len(gold_by_round)} gold measures: one of each a round"
        )
    name = f"over_optimised/{gold}"
    proxies, golds = ([_seen(spec, one) for one in measures] for measures in (proxy_by_round, gold_by_round))
    proxy_now, gold_now = proxies.pop(), golds.pop()
    if proxy_now is None or gold_now is None:
        return _unmeasured(name, _why((proxy_by_round if proxy_now is None else gold_by_round)[-1]))
    before = [(n, p, g) for n, (p, g) in enumerate(zip(proxies, golds, strict=True)) if p is not None and g is not None]
    if not before:
        return _unmeasured(name, "no earlier round has both the proxy score and gold")
    fell = [(n, p, g) for n, p, g in before if proxy_now.low > p.high and gold_now.high < g.low]
    if not fell:
        return _within(name, gold_now, "the proxy score did not rise while gold fell")
    number, proxy, before_it = max(fell, key=lambda row: row[2].value)
    rose = f"mean_score rose from {_say(proxy)} to {_say(proxy_now)}"
    why = f"since round {number} {rose} while gold fell from {_say(before_it)} to {_say(gold_now)}"
    fewest = min(one.n for one in (proxy, before_it, proxy_now, gold_now))
    return _crossed(spec, _within(name, gold_now, why), before_it.low, spec.over_optimised, fewest)


def _finding(spec: GateSpec, name: str, rule: Rule, measure: Measure) -> GateFinding:
    seen = _seen(spec, measure)
    if seen is None:
        return _unmeasured(name, _why(measure))
    if rule.below is not None and seen.high < rule.below:
        useless = ": these labels should not be trained on" if name == "kappa" and seen.n >= spec.fewest_items else ""
        bound, why = rule.below, f" lies wholly below {rule.below:g}{useless}"
    elif rule.above is not None and seen.low > rule.above:
        bound, why = rule.above, f" lies wholly above {rule.above:g}"
    else:
        return _within(name, seen, _say(seen))
    return _crossed(spec, _within(name, seen, _say(seen) + why), bound, rule.action, seen.n)


def _seen(spec: GateSpec, measure: Measure) -> Interval | None:
    """A measure with the limits of one look, over prompts, rounded as what the gate reads is; None without limits."""
    if measure.interval is None or (limits := limits_at(measure, spec.alpha / spec.looks)) is None:
        return None
    low, high = (round(limit, _DECIMALS) + 0.0 for limit in limits)
    return replace(measure.interval, low=low, high=high, n=measure.prompts)


def _unmeasured(name: str, why: str) -> GateFinding:
    return GateFinding(name=name, why=f"not measured: {why}")


def _within(name: str, seen: Interval, why: str) -> GateFinding:
    return GateFinding(name=name, value=seen.value, low=seen.low, high=seen.high, prompts=seen.n, why=why)


def _crossed(spec: GateSpec, found: GateFinding, bound: float, action: Action, prompts: int) -> GateFinding:
    """`found` with the `bound` that it crossed; nothing follows from too few `prompts`."""
    if prompts < spec.fewest_items:
        few = f"on {prompts} prompt{'' if prompts == 1 else 's'}: too few to act on"
        return replace(found, bound=bound, why=f"{found.why}, {few}")
    return replace(found, bound=bound, action=action)


def _why(measure: Measure) -> str:
    return measure.why_missing or "all items are of one prompt"


def _say(interval: Interval) -> str:
    return f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g})"
