"""The verdict in plain words, computed from committed numbers; it claims no more than the intervals allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.intervals import Interval
from selfreward.reading.changes import control_gap, probe_change, running_minimum
from selfreward.reading.monitor_standing import blind_spots, headline, standing
from selfreward.reading.rounds import Round, verdicts_of
from selfreward.report.figures import change, change_with_limits, limits, plural, share
from selfreward.report.outcome import TOO_FEW, clear, outcome_of, sentence

_FEW = 100  # prompts; below, only large differences show


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The headline, and under it sentences by what they are about."""

    headline: str
    findings: dict[str, str]


def judge_run(view: RunView, rounds: Sequence[Round], control: RunView | None) -> RunVerdict:
    """What the run shows so far about its last policy."""
    verdicts, found = verdicts_of(rounds), outcome_of(view, rounds)
    if found is None:
        return RunVerdict(_unjudged(rounds), {})
    t, last, distance = found.t, found.evaluation, found.distance
    findings = {
        "Closed questions": _closed(rounds[0].evaluation, last),
        "At matched diversity": _beside_matched(t, last),
        "Set by set": _by_set(rounds[t].evaluation_by_set or {}),
        "Open prompts": _open(rounds, t, distance, found.nll),
        "The monitor": " ".join([*standing(verdicts), *_narrower_when_closed(view, rounds, t)]),
        "Its blind spots": blind_spots(verdicts),
        "Against the control": "" if control is None else _against(view, control),
        "How sure": _how_sure(last, distance),
    }
    told = f"{sentence(found, f'M{t}')} {headline(verdicts)}".strip()
    return RunVerdict(told, {about: text for about, text in findings.items() if text})


def sharpening(found: Evaluation) -> str:
    """How the change in pass@1 stands to the start model at matched diversity, in a few words."""
    since, matched = found.since_pass_1, found.matched
    gain = None if matched is None else matched.gain.pass_at_1
    if since is None or matched is None or gain is None:
        return "matched diversity is not known"
    if matched.off_ladder:
        return "its diversity is beyond what M0 was sampled at, so sharpening cannot be told apart"
    if clear(gain):
        return f"at the same diversity {'M0 does better' if gain.value < 0 else 'it does better than M0'}"
    if not clear(since) or since.value < 0:
        return "at the same diversity no clear difference from M0 is left"
    # An interval that holds 0 may also hold the whole change: then there is nothing to say about "most".
    return "most of this is sharpening" if gain.high < since.value / 2 else "sharpening may be all of it"


def _unjudged(rounds: Sequence[Round]) -> str:
    if any(one.evaluation is not None for one in rounds):
        return "Only the start model has been evaluated, so there is nothing to compare yet."
    return "Nothing has been evaluated yet."


def _closed(start: Evaluation | None, last: Evaluation) -> str:
    if last.pass_1 is None or last.since_pass_1 is None:
        return ""
    greedy = _moved("Greedy accuracy", None if start is None else start.greedy, last.greedy, last.since_greedy)
    pass_1 = _moved("pass@1", None if start is None else start.pass_1, last.pass_1, last.since_pass_1)
    return f"{greedy}; {pass_1}. {plural(last.pass_1.n, 'held-out question')}."


def _beside_matched(t: int, last: Evaluation) -> str:
    matched, since, closed = last.matched, last.since_pass_1, last.closed
    if matched is None or matched.gain.pass_at_1 is None or since is None or closed is None:
        return ""
    place = f"M0 sampled at temperature {matched.temperature:.2f} gives the distinct share of M{t}, "
    place += share(closed.distinct_share)
    if matched.off_ladder:
        place = (
            f"No temperature that M0 was sampled at gives the distinct share of M{t}, {share(closed.distinct_share)}. "
            f"The nearest, {matched.temperature:.2f}, gives {share(matched.distinct_share)}"
        )
    return (
        f"{place}, and a pass@1 of {share(matched.pass_at_1)}. Against that, "
        f"{change_with_limits(matched.gain.pass_at_1)} of the {change(since.value)} remains: {sharpening(last)}."
    )


def _by_set(sets: Mapping[str, Evaluation]) -> str:
    told = []
    for name, found in sets.items():
        if found.since_greedy is not None and found.since_pass_1 is not None:
            moved = (("greedy accuracy", found.since_greedy), ("pass@1", found.since_pass_1))
            changes = [f"{what} {_clearly(since)}, {change_with_limits(since)}" for what, since in moved]
            told.append(f"{name}: {'; '.join(changes)}; {plural(found.since_pass_1.n, 'question')}.")
    return " ".join(told)


def _open(rounds: Sequence[Round], t: int, distance: Interval | None, nll: Interval | None) -> str:
    then, now = rounds[0].measurement, rounds[t].measurement
    if then is None or now is None:
        return ""
    told = []
    if distance is not None:
        told.append(
            f"Pairwise distance {_clearly(distance)}: {share(then.open_distance)} → {share(now.open_distance)}, "
            f"{change_with_limits(distance)} over {plural(distance.n, 'probe prompt')}."
        )
    if nll is not None and now.human_nll is not None:
        lowest, at = min((value, when) for when, value in running_minimum(rounds) if when <= t)
        above = f"{change(now.human_nll - lowest)} above its lowest, at M{at}"
        place = "its lowest so far" if lowest == now.human_nll else above
        told.append(
            f"Human answers {_clearly(nll)} in NLL: {share(then.human_nll)} → {share(now.human_nll)} nats/token, "
            f"{change_with_limits(nll)}; that is {place}."
        )
    return " ".join(told)


def _narrower_when_closed(view: RunView, rounds: Sequence[Round], t: int) -> list[str]:
    """Fewer different answers to questions with one right answer are no contraction."""
    then, now = rounds[0].measurement, rounds[t].measurement
    moved = probe_change(view, "closed", "distinct_share", t)
    if then is None or now is None or not clear(moved) or moved.value >= 0:
        return []
    return [
        f"Closed probe prompts: distinct share {share(then.closed_distinct_share)} → "
        f"{share(now.closed_distinct_share)}; with one right answer each that is sharpening, and raises no alarm."
    ]


def _against(view: RunView, control: RunView) -> str:
    found = control_gap(view, control)
    if found is None:
        return f"{control.name} has no policy evaluated yet that this run has too."
    t, gap = found
    told = "no clear difference: what the judge prefers did not show in accuracy"
    if clear(gap):
        told = f"choosing by the judge did {'better' if gap.value > 0 else 'worse'} than choosing at random"
    return f"At M{t}, pass@1 differs by {change_with_limits(gap)} from {control.name}, which picks at random: {told}."


def _how_sure(last: Evaluation, distance: Interval | None) -> str:
    told = ["This is one run with one seed: intervals say how another draw of prompts would differ, not another run."]
    checked = ((last.since_pass_1, "held-out question", "pass@1"), (distance, "open probe prompt", "pairwise distance"))
    for found, noun, quantity in checked:
        if found is not None and found.n < TOO_FEW:
            told.append(f"{plural(found.n, noun)}: far too few for any claim.")
        elif found is not None and found.n < _FEW:
            half = share((found.high - found.low) / 2)
            told.append(f"{plural(found.n, noun)} are few: a change in {quantity} below about {half} would not show.")
    return " ".join(told)


def _moved(name: str, then: Interval | None, now: Interval | None, since: Interval | None) -> str:
    if now is None:
        return f"{name} is not known"
    start = "" if then is None else f"{share(then.value)} {limits(then)} → "
    return f"{name} {start}{share(now.value)} {limits(now)}, {_clearly(since)}: {change_with_limits(since)}"


def _clearly(found: Interval | None) -> str:
    if clear(found):
        return "rose" if found.value > 0 else "fell"
    return "did not clearly change"
