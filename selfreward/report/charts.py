"""Charts with one axis of values, and the figures of a page: lines over policies or settings, bars, intervals."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.metrics.intervals import Interval
from selfreward.report import drawing
from selfreward.report.drawing import BOTTOM, INSET, LEFT, RIGHT, TOP, WIDTH, Axis, Point
from selfreward.report.figures import limited, limits, share

_LETTER = 8.4  # about the width of a letter at the size of labels
_LINE = 17.0  # the least distance of two labels
_DODGE = 5.0  # sideways distance of interval bars of the same policy
_ROW = 27.0  # height of a row of intervals


@dataclass(frozen=True, slots=True)
class Series:
    """A named line. `kind` chooses colour and marker, so that a quantity looks the same in every chart."""

    name: str
    kind: int
    points: Sequence[Point]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that happened at `x`: a few letters above the plot, and what they stand for."""

    x: int
    letters: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: parts of (amount, kind), drawn end to end, the sum as it is written beside them, a note below."""

    name: str
    parts: Sequence[tuple[float, int]]
    total: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChartFigure:
    """A drawing under its title, or why there is none in `missing`, and its numbers as a table to be unfolded."""

    title: str
    drawing: Markup | None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    missing: str = "Nothing measured yet."


def points(found: Iterable[tuple[int, Interval | float | None]]) -> list[Point]:
    """The places where something was found."""
    return [Point(x, one) for x, one in found if one is not None]


def policies(count: int) -> list[str]:
    """The names of the first `count` policies: M0, M1 and so on."""
    return [f"M{t}" for t in range(count)]


def line_figure(
    title: str,
    unit: str,
    series: Iterable[Series],
    names: Sequence[str],
    *,
    axis: str = "policy",
    band: tuple[float, float] | None = None,
    flags: Sequence[Flag] = (),
) -> ChartFigure:
    """Lines over `names`, which are places on `axis`, and the table of all points."""
    drawn = [one for one in series if one.points]
    if not drawn:
        return ChartFigure(title, None)
    columns = [{point.x: point.found for point in one.points} for one in drawn]
    rows = [(name, *(limited(column.get(x)) for column in columns)) for x, name in enumerate(names)]
    chart = line_chart(f"{title} ({unit})", unit, drawn, names, band=band, flags=flags)
    return ChartFigure(title, chart, (axis, *(one.name for one in drawn)), rows)


def line_chart(
    title: str,
    unit: str,
    series: Sequence[Series],
    names: Sequence[str],
    *,
    band: tuple[float, float] | None = None,
    flags: Sequence[Flag] = (),
) -> Markup:
    """Lines over x = 0, 1 and so on, which have `names`, with interval bars and each line's name at its end.

    Each of `series` has a point. What lies between the two values of `band` is shaded; `flags` stand above the plot.
    """
    extents = [point.extent for one in series for point in one.points]
    right = WIDTH - max(len(one.name) for one in series) * _LETTER - 14
    up = drawing.scale([*(value for extent in extents for value in extent), *(band or ())], BOTTOM, TOP)
    across = drawing.steps(len(names), LEFT + INSET, right - INSET)
    parts = []
    if band is not None:
        low, high = sorted(map(up, band))
        parts.append(drawing.bar(LEFT, low, right - LEFT, high - low, "band"))
    parts += drawing.frame(unit, up, right)
    every = math.ceil(len(names) / 10)
    parts += [drawing.label(names[x], across(x), BOTTOM + 22, "tick middle") for x in range(0, len(names), every)]
    for flag in flags:
        x, tooltip = across(flag.x), drawing.mark("title", f"{names[flag.x]}: {flag.tooltip}")
        inside = drawing.line(x, TOP - 4, x, BOTTOM, "flagged"), drawing.label(flag.letters, x, TOP - 7, "flag middle")
        parts.append(drawing.mark("g", tooltip, *inside))
    dodge = _DODGE if any(len(extent) > 1 for extent in extents) else 0.0
    for number, one in enumerate(series):
        parts += _line(one, names, across, up, dodge * (number - (len(series) - 1) / 2))
    ends = [up(one.points[-1].value) for one in series]
    for one, end, y in zip(series, ends, drawing.spread(ends, _LINE, TOP, BOTTOM), strict=True):
        # A label that had to move away from its line, or whose line ends early, is tied to it.
        if abs(end - y) > 3 or one.points[-1].x < len(names) - 1:
            tie = [(across(one.points[-1].x) + 8, end), (right + 3, y)]
            parts.append(drawing.path(tie, f"tie k{one.kind}"))
        parts.append(drawing.label(one.name, right + 6, y + 4, f"label k{one.kind}"))
    return drawing.svg(BOTTOM + 30, title, parts)


def bar_chart(title: str, bars: Sequence[Bar], *, full: float, left: float = 88.0, width: float = 300.0) -> Markup:
    """Horizontal bars from `left`, the sums beside them; `full` fills the `width`."""
    parts: list[Markup] = []
    y = 4.0
    for one in bars:
        parts.append(drawing.label(one.name, left - 8, y + 11, "name end"))
        x = left
        for part, kind in one.parts:
            parts.append(drawing.bar(x, y, width * part / (full or 1), 13, f"fill k{kind}"))
            x += width * part / (full or 1)
        parts.append(drawing.label(one.total, x + 6, y + 11, "value"))
        if one.note:
            parts.append(drawing.label(one.note, left, y + 28, "note"))
        y += 40 if one.note else 24
    return drawing.svg(y, title, parts)


def interval_chart(title: str, rows: Sequence[tuple[str, Interval, float | None]]) -> Markup:
    """A row for each name: its interval and, dashed, where it rests; all on one axis that has 0 and 1."""
    left, top = 150.0, 10.0
    bottom = top + _ROW * len(rows)
    across = drawing.scale([0.0, 1.0, *(limit for _, one, _ in rows for limit in (one.low, one.high))], left, RIGHT)
    parts = []
    for written, x in across.labelled:
        parts += [drawing.line(x, top, x, bottom, "grid"), drawing.label(written, x, bottom + 16, "tick middle")]
    for place, (name, found, rest) in enumerate(rows):
        y = top + _ROW * (place + 0.5)
        parts.append(drawing.label(name.replace("_", " "), left - 10, y + 4, "name end"))
        if rest is not None:
            parts.append(drawing.line(across(rest), y - 9, across(rest), y + 9, "flagged"))
        low, high = across(found.low), across(found.high)
        outline = f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"
        parts.append(drawing.mark("path", d=outline, class_="limits k0"))
        parts += drawing.dot(0, across(found.value), y, f"{name}: {share(found.value)} {limits(found)}")
    return drawing.svg(bottom + 24, title, parts)


def _line(series: Series, names: Sequence[str], across: Axis, up: Axis, aside: float) -> list[Markup]:
    places = [(across(point.x) + aside, up(point.value)) for point in series.points]
    parts = [drawing.path(places, f"line{' dashed' if series.dashed else ''} k{series.kind}")]
    for point, (x, y) in zip(series.points, places, strict=True):
        tooltip = f"{series.name}, {names[int(point.x)]}: {point.tooltip}"
        parts += drawing.dot(series.kind, x, y, tooltip, [up(end) for end in point.extent[1:]])
    return parts
