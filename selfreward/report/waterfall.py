"""Where diversity goes in each round: what selection takes, and what is left to the update and the mixing."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.reading.rounds import Round, decisions_of, verdicts_of
from selfreward.report import drawing
from selfreward.report.charts import ChartFigure
from selfreward.report.drawing import BOTTOM, LEFT, RIGHT, TOP
from selfreward.report.figures import arrow, change, share

_POLICY, _SELECTION, _REST = 7, 0, 1


@dataclass(frozen=True, slots=True)
class Fall:
    """One round: diversity before it and after, relative to M0, and what selection and all the rest add to it.

    Where the part of selection is not known, `by_the_rest` is that of the whole round.
    """

    t: int
    before: float
    by_selection: float | None
    by_the_rest: float
    after: float
    real_share: float


def waterfall(rounds: Sequence[Round]) -> ChartFigure:
    """The falls of all rounds, end to end."""
    title, falls = "Who narrows", falls_of(rounds)
    if not falls:
        return ChartFigure(title, None, missing="No round is complete yet.")
    rows = []
    for one in falls:
        changes = (share(one.before), change(one.by_selection), change(one.by_the_rest), share(one.after))
        rows.append((arrow(one.t), *changes, f"{one.real_share:.0%}"))
    head = ("round", "before", "selection", "update and mixing", "after", "real share")
    return ChartFigure(title, _drawing(falls, title), head, rows)


def falls_of(rounds: Sequence[Round]) -> list[Fall]:
    """The rounds between policies whose diversity is known on both sides."""
    ratios = {t: verdict.sem_ratio for t, verdict in verdicts_of(rounds)}
    found = []
    for t, decision in decisions_of(rounds):
        before, after = ratios.get(t), ratios.get(t + 1)
        if before is not None and after is not None:
            ratio = decision.selection.selection_ratio
            taken = None if ratio is None else before * ratio - before
            rest = after - before - (taken or 0.0)
            found.append(Fall(t, before, taken, rest, after, decision.course.real_share))
    return found


def _drawing(falls: Sequence[Fall], title: str) -> Markup:
    values = [value for one in falls for value in (one.before, one.before + (one.by_selection or 0.0), one.after)]
    up = drawing.scale([0.0, *values], BOTTOM, TOP)
    slot = (RIGHT - LEFT) / (3 * len(falls) + 1)

    def step(place: int, start: float, end: float, kind: int, told: str) -> Markup:
        top, height = min(up(start), up(end)), max(abs(up(start) - up(end)), 1.5)
        bar = drawing.bar(LEFT + slot * (place + 0.1), top, slot * 0.8, height, f"fill k{kind}")
        return drawing.mark("g", drawing.mark("title", told), bar)

    def below(place: float, text: str, class_: str) -> Markup:
        return drawing.label(text, LEFT + slot * place, BOTTOM + 16, class_)

    parts = drawing.frame("relative to M0", up)
    for number, one in enumerate(falls):
        place, middle = 3 * number, one.before + (one.by_selection or 0.0)
        parts.append(step(place, 0.0, one.before, _POLICY, f"M{one.t}: {share(one.before)}"))
        if one.by_selection is not None:
            parts.append(step(place + 1, one.before, middle, _SELECTION, f"selection: {change(one.by_selection)}"))
        parts.append(step(place + 2, middle, one.after, _REST, f"update and mixing: {change(one.by_the_rest)}"))
        parts.append(below(place + 0.5, f"M{one.t}", "tick middle"))
        parts.append(below(place + 2, f"{one.real_share:.0%}", "note middle"))
    last, place = falls[-1], 3 * len(falls)
    parts.append(step(place, 0.0, last.after, _POLICY, f"M{last.t + 1}: {share(last.after)}"))
    parts.append(below(place + 0.5, f"M{last.t + 1}", "tick middle"))
    keys, height = drawing.legend([("selection", _SELECTION), ("update and mixing", _REST)], BOTTOM + 40)
    return drawing.svg(height, title, [*parts, *keys])
