"""Charts with one axis of values: lines over policies or settings, bars, intervals."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.metrics.intervals import Interval
from selfreward.report.drawing import (
    BAR,
    BOTTOM,
    INSET,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Point,
    Scale,
    bar,
    frame,
    label,
    limits,
    mark,
    marker,
    path,
    scale,
    spread,
    steps,
    svg,
)
from selfreward.report.figures import DASH, amount, limited, share
from selfreward.report.figures import limits as in_brackets

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
    told: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: parts of (amount, kind), drawn end to end, the sum as it is written beside them, a note below."""

    name: str
    parts: Sequence[tuple[float, int]]
    total: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing under its title, or why there is none in `missing`, and its numbers as a table to be unfolded."""

    title: str
    drawing: Markup | None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    missing: str = "Nothing measured yet."


def points(found: Iterable[tuple[int, Interval | float | None]]) -> list[Point]:
    """The places that have a value, with its limits if it is an interval."""
    return [
        Point(x, one.value, one.low, one.high) if isinstance(one, Interval) else Point(x, one)
        for x, one in found
        if one is not None
    ]


def policies(count: int) -> list[str]:
    """The names of the first `count` policies: M0, M1 and so on."""
    return [f"M{t}" for t in range(count)]


def line_figure(
    title: str,
    unit: str,
    series: Sequence[Series],
    names: Sequence[str],
    *,
    axis: str = "policy",
    band: tuple[float, float] | None = None,
    flags: Sequence[Flag] = (),
) -> Figure:
    """Lines over `names`, which are places on `axis`, and the table of all points."""
    drawn = [one for one in series if one.points]
    if not drawn:
        return Figure(title, None)
    columns = [{point.x: point for point in one.points} for one in drawn]
    rows = [(name, *(_cell(column.get(x)) for column in columns)) for x, name in enumerate(names)]
    chart = line_chart(drawn, unit=unit, title=f"{title} ({unit})", names=names, band=band, flags=flags)
    return Figure(title, chart, (axis, *(one.name for one in drawn)), rows)


def line_chart(
    series: Sequence[Series],
    *,
    unit: str,
    title: str,
    names: Sequence[str],
    band: tuple[float, float] | None = None,
    flags: Sequence[Flag] = (),
) -> Markup:
    """Lines over x = 0, 1 and so on, which have `names`, with interval bars and each line's name at its end.

    Each of `series` has a point. What lies between the two values of `band` is shaded; `flags` stand above the plot.
    """
    points = [point for one in series for point in one.points]
    right = WIDTH - max(len(one.name) for one in series) * _LETTER - 14
    up = scale([*(value for point in points for value in point.extent), *(band or ())], BOTTOM, TOP)
    across = steps(len(names), LEFT + INSET, right - INSET)
    parts = []
    if band is not None:
        low, high = sorted(map(up, band))
        parts.append(bar(LEFT, low, right - LEFT, high - low, "band"))
    parts += frame(unit, up, right)
    every = math.ceil(len(names) / 10)
    parts += [label(name, across(x), BOTTOM + 22, "tick middle") for x, name in enumerate(names) if x % every == 0]
    parts += [_flag(one, names[one.x], across(one.x)) for one in flags]
    dodge = _DODGE if any(point.low is not None for point in points) else 0.0
    for number, one in enumerate(series):
        parts += _line(one, names, across, up, dodge * (number - (len(series) - 1) / 2))
    ends = [up(one.points[-1].value) for one in series]
    for one, end, y in zip(series, ends, spread(ends, _LINE, TOP, BOTTOM), strict=True):
        # A label that had to move away from its line, or whose line ends early, is tied to it.
        if abs(end - y) > 3 or one.points[-1].x < len(names) - 1:
            parts.append(path([(across(one.points[-1].x) + 8, end), (right + 3, y)], f"tie k{one.kind}"))
        parts.append(label(one.name, right + 6, y + 4, f"label k{one.kind}"))
    return svg(BOTTOM + 30, title, parts)


def bar_chart(bars: Sequence[Bar], *, full: float, title: str, left: float = 88.0, width: float = 300.0) -> Markup:
    """Horizontal bars from `left`, the sums beside them; `full` fills the `width`."""
    parts: list[Markup] = []
    y = 4.0
    for one in bars:
        parts.append(label(one.name, left - 8, y + 11, "name end"))
        x = left
        for part, kind in one.parts:
            parts.append(bar(x, y, width * part / (full or 1), BAR, f"fill k{kind}"))
            x += width * part / (full or 1)
        parts.append(label(one.total, x + 6, y + 11, "value"))
        if one.note:
            parts.append(label(one.note, left, y + 28, "note"))
        y += 40 if one.note else 24
    return svg(y, title, parts)


def interval_chart(rows: Sequence[tuple[str, Interval, float | None]], title: str) -> Markup:
    """A row for each name: its interval and, dashed, where it rests; all on one axis that has 0 and 1."""
    left, top = 150.0, 10.0
    bottom = top + _ROW * len(rows)
    across = scale([0.0, 1.0, *(limit for _, one, _ in rows for limit in (one.low, one.high))], left, RIGHT)
    parts = []
    for written, x in across.labelled:
        parts.append(mark("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"))
        parts.append(label(written, x, bottom + 16, "tick middle"))
    for place, (name, found, rest) in enumerate(rows):
        y = top + _ROW * (place + 0.5)
        parts.append(label(name.replace("_", " "), left - 10, y + 4, "name end"))
        if rest is not None:
            parts.append(mark("line", x1=across(rest), x2=across(rest), y1=y - 9, y2=y + 9, class_="flagged"))
        low, high = across(found.low), across(found.high)
        outline = f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"
        parts.append(mark("path", d=outline, class_="limits k0"))
        parts.append(marker(0, across(found.value), y, f"{name}: {share(found.value)} {in_brackets(found)}"))
    return svg(bottom + 24, title, parts)


def _flag(flag: Flag, name: str, x: float) -> Markup:
    line = mark("line", x1=x, x2=x, y1=TOP - 4, y2=BOTTOM, class_="flagged")
    return mark("g", mark("title", f"{name}: {flag.told}"), line, label(flag.letters, x, TOP - 7, "flag middle"))


def _line(series: Series, names: Sequence[str], across: Scale, up: Scale, aside: float) -> list[Markup]:
    places = [(across(point.x) + aside, up(point.value)) for point in series.points]
    parts = [path(places, f"line{' dashed' if series.dashed else ''} k{series.kind}")]
    for point, (x, y) in zip(series.points, places, strict=True):
        if point.low is not None and point.high is not None:
            parts.append(limits(series.kind, x, up(point.low), up(point.high)))
        parts.append(marker(series.kind, x, y, f"{series.name}, {names[int(point.x)]}: {point.told}"))
    return parts


def _cell(point: Point | None) -> str:
    if point is None:
        return DASH
    if point.low is None or point.high is None:
        return amount(point.value)
    return limited(Interval(point.value, point.low, point.high, 0))
