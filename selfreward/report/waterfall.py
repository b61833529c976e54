"""Where diversity goes in each round: what selection takes, and what is left to the update and the mixing."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.reading.rounds import Diagnosed
from selfreward.report.charts import grid, label, nice_ticks, svg
from selfreward.report.figures import DASH, change, share
from selfreward.report.markup import Child, Markup, element
from selfreward.report.plots import figure
from selfreward.report.tables import table

_WIDTH, _TOP, _BOTTOM, _LEFT, _RIGHT = 460, 34.0, 234.0, 50.0, 444.0
_POLICY, _SELECTION, _REST = 7, 0, 1


@dataclass(frozen=True, slots=True)
class Fall:
    """One round: diversity before it and after, relative to M0, and where selection alone would leave it."""

    t: int
    before: float
    selected: float | None
    after: float
    real_share: float

    @property
    def by_selection(self) -> float | None:
        """What selection adds to diversity; below 0 it narrows."""
        return None if self.selected is None else self.selected - self.before

    @property
    def by_the_rest(self) -> float:
        """What the update and the mixing add, or the whole round where the part of selection is not known."""
        return self.after - (self.before if self.selected is None else self.selected)


def waterfall(watches: tuple[Diagnosed, ...]) -> Markup:
    """The falls of all rounds, end to end."""
    title = "Who narrows"
    caption = (
        "Grey: open diversity of each policy, relative to M0. Between two policies, first what selection does to the "
        "variety of the accepted answers (another measure, so an indication), then what is left to the update and "
        "the human rows mixed in, whose share stands below."
    )
    falls = falls_of(watches)
    if not falls:
        return figure(title, element("p", "No round is complete yet.", class_="empty"), caption)
    rows = [
        (
            f"M{one.t} → M{one.t + 1}",
            share(one.before),
            DASH if one.by_selection is None else change(one.by_selection),
            change(one.by_the_rest),
            share(one.after),
            f"{one.real_share:.0%}",
        )
        for one in falls
    ]
    head = ("round", "before", "selection", "update and mixing", "after", "real share")
    return figure(title, _drawing(falls, title), caption, table(head, rows))


def falls_of(watches: Sequence[Diagnosed]) -> list[Fall]:
    """The rounds between policies whose diversity is known on both sides."""
    by_t = {one.t: one for one in watches}
    found = []
    for one in watches:
        then = by_t.get(one.t + 1)
        if then is None or one.decision is None:
            continue
        before, after = one.verdict.sem_ratio, then.verdict.sem_ratio
        if before is None or after is None:
            continue
        ratio = one.decision.selection.selection_ratio
        selected = None if ratio is None else before * ratio
        found.append(Fall(one.t, before, selected, after, one.decision.course.real_share))
    return found


def _drawing(falls: Sequence[Fall], title: str) -> Markup:
    values = [value for one in falls for value in (one.before, one.selected, one.after) if value is not None]
    ticks = nice_ticks(0.0, max(values))
    slot = (_RIGHT - _LEFT) / (3 * len(falls) + 1)

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * value / ticks[-1]

    def bar(place: int, start: float, end: float, kind: int, told: str) -> Markup:
        top = min(up(start), up(end))
        height = max(abs(up(start) - up(end)), 1.5)
        x = _LEFT + slot * (place + 0.1)
        rect = element("rect", x=x, y=top, width=slot * 0.8, height=height, class_=f"fill k{kind}")
        return element("g", element("title", told), rect)

    parts: list[Child] = [label("relative to M0", _LEFT - 40, 14, "unit"), *grid(ticks, up, _LEFT, _RIGHT)]
    for number, one in enumerate(falls):
        place = 3 * number
        middle = one.before if one.selected is None else one.selected
        parts.append(bar(place, 0.0, one.before, _POLICY, f"M{one.t}: {share(one.before)}"))
        if one.by_selection is not None:
            parts.append(bar(place + 1, one.before, middle, _SELECTION, f"selection: {change(one.by_selection)}"))
        parts.append(bar(place + 2, middle, one.after, _REST, f"update and mixing: {change(one.by_the_rest)}"))
        parts.append(label(f"M{one.t}", _LEFT + slot * (place + 0.5), _BOTTOM + 16, "tick middle"))
        parts.append(label(f"{one.real_share:.0%}", _LEFT + slot * (place + 2), _BOTTOM + 16, "note middle"))
    last = falls[-1]
    parts.append(bar(3 * len(falls), 0.0, last.after, _POLICY, f"M{last.t + 1}: {share(last.after)}"))
    parts.append(label(f"M{last.t + 1}", _LEFT + slot * (3 * len(falls) + 0.5), _BOTTOM + 16, "tick middle"))
    return svg(_WIDTH, _BOTTOM + 48, title, [*parts, *_legend()])


def _legend() -> list[Markup]:
    parts = []
    for x, kind, told in ((_LEFT, _SELECTION, "selection"), (_LEFT + 100, _REST, "update and mixing")):
        parts.append(element("rect", x=x, y=_BOTTOM + 30, width=11, height=11, class_=f"fill k{kind}"))
        parts.append(label(told, x + 17, _BOTTOM + 40, "note"))
    return parts
