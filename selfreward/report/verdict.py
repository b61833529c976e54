"""The verdict in plain words, computed from committed numbers; it claims no more than the intervals allow."""

from dataclasses import dataclass
from typing import TypeGuard

from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation, MatchedStart
from selfreward.metrics.intervals import Interval
from selfreward.reading.changes import control_gap, probe_change, running_minimum
from selfreward.reading.rounds import Diagnosed, Round
from selfreward.report.figures import change, change_with_limits, limits, plural, share
from selfreward.report.standing import blind_spots, headline, standing

_FEW = 100  # prompts; below, only large differences show
_TOO_FEW = 10  # prompts; below, a bootstrap interval means nothing


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out: what about, and the sentence."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The headline and the findings under it."""

    headline: str
    findings: list[Finding]


def judge_run(
    view: RunView, steps: tuple[Round, ...], watches: tuple[Diagnosed, ...], control: RunView | None
) -> Verdict:
    """What the run shows so far about its last policy."""
    evaluated = [step for step in steps if step.evaluation is not None]
    if not evaluated:
        return Verdict("Nothing has been evaluated yet.", [])
    last = evaluated[-1]
    if last.t == 0:
        return Verdict("Only the start model has been evaluated, so there is nothing to compare yet.", [])
    distance, nll = _open_changes(view, steps, last.t)
    findings = [*_closed_findings(steps, last), *_open_findings(steps, last.t, distance, nll)]
    if told := [*standing(watches), *_narrower_when_closed(view, steps, last.t)]:
        findings.append(Finding("The monitor", " ".join(told)))
    if missed := blind_spots(watches):
        findings.append(Finding("Its blind spots", missed))
    if control is not None:
        findings.append(Finding("Against the control", _against(view, control)))
    findings.append(_how_sure(last, distance))
    return Verdict(f"{_quality(last)}; {_openness(distance, nll)}. {headline(watches)}".strip(), findings)


def clear(found: Interval | None) -> TypeGuard[Interval]:
    """Whether an interval leaves 0 out, over enough prompts to mean it."""
    return found is not None and found.n >= _TOO_FEW and (found.low > 0 or found.high < 0)


def sharpening(evaluation: Evaluation) -> str:
    """How the change in pass@1 stands to the start model at matched diversity, in a few words."""
    since, matched = evaluation.since_pass_1, evaluation.matched
    if since is None or matched is None or matched.gain.pass_at_1 is None:
        return "matched diversity is not known"
    if matched.off_ladder:
        return "its diversity is beyond what M0 was sampled at, so sharpening cannot be told apart"
    gain = matched.gain.pass_at_1
    if clear(gain):
        if gain.value < 0:
            return "at the same diversity M0 does better"
        return "at the same diversity it does better than M0"
    if not clear(since) or since.value < 0:
        return "at the same diversity no clear difference from M0 is left"
    # An interval that holds 0 may also hold the whole change: then there is nothing to say about "most".
    if gain.high < since.value / 2:
        return "most of this is sharpening"
    return "sharpening may be all of it"


def _quality(last: Round) -> str:
    assert last.evaluation is not None
    since = last.evaluation.since_pass_1
    if since is None:
        return f"M{last.t} was asked no closed question with a known answer"
    if clear(since):
        told = f"is right {'more' if since.value > 0 else 'less'} often than M0 when sampled"
    else:
        told = "is neither clearly better nor clearly worse than M0 when sampled"
    return f"M{last.t} {told} ({sharpening(last.evaluation)}), {_greedily(last.evaluation.since_greedy)}"


def _greedily(since: Interval | None) -> str:
    """The greedy answer does not depend on the temperature, so a change in it is never sharpening alone."""
    if clear(since):
        return f"and right {'more' if since.value > 0 else 'less'} often when greedy"
    return "with no clear change when greedy"


def _openness(distance: Interval | None, nll: Interval | None) -> str:
    if distance is None and nll is None:
        return "nothing is known about its open answers"
    if clear(distance):
        told = [f"its open answers grew {'more varied' if distance.value > 0 else 'more alike'}"]
    else:
        told = ["its open answers are not clearly more or less varied"]
    if clear(nll):
        told.append(f"it finds human answers {'less' if nll.value > 0 else 'more'} likely")
    return " and ".join(told)


def _closed_findings(steps: tuple[Round, ...], last: Round) -> list[Finding]:
    first, own = steps[0].evaluation, last.evaluation
    assert own is not None
    if own.pass_1 is None or own.since_pass_1 is None:
        return []
    greedy = _moved("Greedy accuracy", first.greedy if first else None, own.greedy, own.since_greedy)
    pass_1 = _moved("pass@1", first.pass_1 if first else None, own.pass_1, own.since_pass_1)
    found = [Finding("Closed questions", f"{greedy}; {pass_1}. {plural(own.pass_1.n, 'held-out question')}.")]
    if own.matched is not None and own.matched.gain.pass_at_1 is not None:
        found.append(Finding("At matched diversity", _beside_matched(last.t, own, own.matched, own.since_pass_1)))
    return found


def _beside_matched(t: int, own: Evaluation, matched: MatchedStart, since: Interval) -> str:
    distinct = None if own.closed is None else own.closed.distinct_share
    if matched.off_ladder:
        place = (
            f"No temperature that M0 was sampled at gives the distinct share of M{t}, {share(distinct)}. "
            f"The nearest, {matched.temperature:.2f}, gives {share(matched.distinct_share)}"
        )
    else:
        place = (
            f"M0 sampled at temperature {matched.temperature:.2f} gives the distinct share of M{t}, {share(distinct)}"
        )
    return (
        f"{place}, and a pass@1 of {share(matched.pass_at_1)}. Against that, "
        f"{change_with_limits(matched.gain.pass_at_1)} of the "
        f"{change(since.value)} remains: {sharpening(own)}."
    )


def _open_findings(
    steps: tuple[Round, ...], until: int, distance: Interval | None, nll: Interval | None
) -> list[Finding]:
    then, now = steps[0].measurement, steps[until].measurement
    if then is None or now is None:
        return []
    told = []
    if distance is not None:
        told.append(
            f"Pairwise distance {_clearly(distance)}: {share(then.open_distance)} → {share(now.open_distance)}, "
            f"{change_with_limits(distance)} over {plural(distance.n, 'probe prompt')}."
        )
    if nll is not None and now.human_nll is not None:
        lowest, at = min((value, t) for t, value in running_minimum(steps) if t <= until)
        above = f"{change(now.human_nll - lowest)} above its lowest, at M{at}"
        place = "its lowest so far" if lowest == now.human_nll else above
        told.append(
            f"Human answers {_clearly(nll)} in NLL: {share(then.human_nll)} → {share(now.human_nll)} nats/token, "
            f"{change_with_limits(nll)}; that is {place}."
        )
    return [Finding("Open prompts", " ".join(told))] if told else []


def _open_changes(view: RunView, steps: tuple[Round, ...], until: int) -> tuple[Interval | None, Interval | None]:
    if steps[0].measurement is None or steps[until].measurement is None:
        return None, None
    distance, nll = (probe_change(view, "open", name, until) for name in ("pairwise_distance", "human_nll"))
    return distance, nll


def _narrower_when_closed(view: RunView, steps: tuple[Round, ...], until: int) -> list[str]:
    """Fewer different answers to questions with one right answer are no contraction."""
    then, now = steps[0].measurement, steps[until].measurement
    if then is None or now is None:
        return []
    moved = probe_change(view, "closed", "distinct_share", until)
    if clear(moved) and moved.value < 0:
        return [
            f"Closed probe prompts: distinct share {share(then.closed_distinct_share)} → "
            f"{share(now.closed_distinct_share)}; with one right answer each that is sharpening, and raises no alarm."
        ]
    return []


def _against(view: RunView, control: RunView) -> str:
    found = control_gap(view, control)
    if found is None:
        return f"{control.name} has no policy evaluated yet that this run has too."
    t, gap = found
    if clear(gap):
        told = f"choosing by the judge did {'better' if gap.value > 0 else 'worse'} than choosing at random"
    else:
        told = "no clear difference: what the judge prefers did not show in accuracy"
    return f"At M{t}, pass@1 differs by {change_with_limits(gap)} from {control.name}, which picks at random: {told}."


def _how_sure(last: Round, distance: Interval | None) -> Finding:
    assert last.evaluation is not None
    told = ["This is one run with one seed: intervals say how another draw of prompts would differ, not another run."]
    checked = (
        (last.evaluation.since_pass_1, "held-out question", "pass@1"),
        (distance, "open probe prompt", "pairwise distance"),
    )
    for found, noun, quantity in checked:
        if found is not None and found.n < _TOO_FEW:
            told.append(f"{plural(found.n, noun)}: far too few for any claim.")
        elif found is not None and found.n < _FEW:
            half = share((found.high - found.low) / 2)
            told.append(f"{plural(found.n, noun)} are few: a change in {quantity} below about {half} would not show.")
    return Finding("How sure", " ".join(told))


def _moved(name: str, then: Interval | None, now: Interval | None, since: Interval | None) -> str:
    if now is None:
        return f"{name} is not known"
    start = "" if then is None else f"{share(then.value)} {limits(then)} → "
    return f"{name} {start}{share(now.value)} {limits(now)}, {_clearly(since)}: {change_with_limits(since)}"


def _clearly(found: Interval | None) -> str:
    if clear(found):
        return "rose" if found.value > 0 else "fell"
    return "did not clearly change"
