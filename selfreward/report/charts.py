"""Charts as inline SVG: numbers in, markup out. Colours and fonts come from style.css.

Series are told apart by marker and by the name at their end, never by colour alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfreward.report.figures import MINUS, amount, share
from selfreward.report.markup import Child, Markup, element

_WIDTH = 460
_HEIGHT = 270
_TOP, _BOTTOM, _LEFT, _INSET = 34, 30, 50, 16
_LETTER = 8.4  # about the width of a letter at the size of labels
_LINE = 17.0  # the least distance of two labels
_DODGE = 5.0  # sideways distance of interval bars of the same policy
_BAR_LEFT, _BAR_WIDTH, _BAR_HEIGHT = 88, 300, 13


@dataclass(frozen=True, slots=True)
class Point:
    """A value at policy number `x`, with its limits where it has any."""

    x: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named line. `kind` chooses colour and marker, so that a quantity looks the same in every chart."""

    name: str
    kind: int
    points: tuple[Point, ...]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that happened at `x`: a few letters above the plot, and what they stand for."""

    x: int
    letters: str
    told: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: parts of (count, kind), drawn end to end, and a note below it."""

    name: str
    parts: tuple[tuple[int, int], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values land: the plot's right edge, the names along x, the ticks of the y axis."""

    right: float
    names: Sequence[str]
    ticks: list[float]

    @property
    def last(self) -> int:
        return len(self.names) - 1

    def x(self, t: float) -> float:
        left, right = _LEFT + _INSET, self.right - _INSET
        return (left + right) / 2 if self.last == 0 else left + (right - left) * t / self.last

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (value - low) / (high - low)


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
    values = [value for one in series for point in one.points for value in _extent(point)]
    values += band or ()
    longest = max(len(one.name) for one in series)
    frame = _Frame(_WIDTH - longest * _LETTER - 14, names, nice_ticks(min(values), max(values)))
    has_limits = any(point.low is not None for one in series for point in one.points)
    parts: list[Child] = [*_band(frame, band), *_axes(frame, unit), *(_flag(frame, one) for one in flags)]
    for number, one in enumerate(series):
        offset = (number - (len(series) - 1) / 2) * _DODGE if has_limits else 0.0
        parts.append(_line(frame, one, offset))
    parts += _labels(frame, series)
    return svg(_WIDTH, _HEIGHT, title, parts)


def bar_chart(bars: Sequence[Bar], *, scale: int, title: str) -> Markup:
    """Horizontal bars, the counts beside them; a count of `scale` fills the width."""
    parts: list[Child] = []
    y = 4.0
    for bar in bars:
        parts.append(label(bar.name, _BAR_LEFT - 8, y + 11, "name end"))
        x = float(_BAR_LEFT)
        for count, kind in bar.parts:
            width = _BAR_WIDTH * count / max(scale, 1)
            parts.append(element("rect", x=x, y=y, width=width, height=_BAR_HEIGHT, class_=f"fill k{kind}"))
            x += width
        parts.append(label(f"{sum(count for count, _ in bar.parts):,}", x + 6, y + 11, "value"))
        if bar.note:
            parts.append(label(bar.note, _BAR_LEFT, y + 28, "note"))
        y += 40 if bar.note else 24
    return svg(_WIDTH, y, title, parts)


def nice_ticks(low: float, high: float) -> list[float]:
    """Four to seven round numbers, evenly spaced, that enclose `low` and `high`."""
    if high - low < 1e-9:
        pad = abs(high) * 0.1 or 0.5
        low, high = low - pad, high + pad
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * (1 - 1e-9))
    first, final = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, final + 1)]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Evenly spaced ticks with as many decimals as their step needs."""
    step = ticks[1] - ticks[0]
    power = math.floor(math.log10(step) + 1e-9)
    has_half = round(step / 10.0**power, 6) == 2.5  # which needs one decimal more
    decimals = max(0, has_half - power)
    return [f"{tick:.{decimals}f}".replace("-", MINUS) for tick in ticks]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near `wanted`, in the same order, at least `gap` apart, within `low` and `high` if there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed: list[float] = []
    for i in order:
        placed.append(max(wanted[i], low if not placed else placed[-1] + gap))
    ceiling = high
    for rank in reversed(range(len(placed))):
        placed[rank] = max(min(placed[rank], ceiling), low + rank * gap)
        ceiling = placed[rank] - gap
    result = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        result[i] = placed[rank]
    return result


def _axes(frame: _Frame, unit: str) -> list[Markup]:
    parts = [label(unit, _LEFT - 40, 14, "unit"), *grid(frame.ticks, frame.y, _LEFT, frame.right)]
    every = math.ceil((frame.last + 1) / 10)
    for t in range(0, frame.last + 1, every):
        parts.append(label(frame.names[t], frame.x(t), _HEIGHT - 8, "tick middle"))
    return parts


def _band(frame: _Frame, band: tuple[float, float] | None) -> list[Markup]:
    if band is None:
        return []
    low, high = sorted(frame.y(value) for value in band)
    return [element("rect", x=_LEFT, y=low, width=frame.right - _LEFT, height=high - low, class_="band")]


def _flag(frame: _Frame, flag: Flag) -> Markup:
    x = frame.x(flag.x)
    told = element("title", f"{frame.names[flag.x]}: {flag.told}")
    line = element("line", x1=x, x2=x, y1=_TOP - 4, y2=_HEIGHT - _BOTTOM, class_="flagged")
    return element("g", told, line, label(flag.letters, x, _TOP - 7, "flag middle"))


def _line(frame: _Frame, series: Series, offset: float) -> Markup:
    places = [(frame.x(point.x) + offset, frame.y(point.value)) for point in series.points]
    parts = [element("path", d=path_through(places), class_="line dashed" if series.dashed else "line")]
    for point, (x, y) in zip(series.points, places, strict=True):
        if point.low is not None and point.high is not None:
            parts.append(interval_bar(x, frame.y(point.low), frame.y(point.high)))
        told = element("title", f"{series.name}, {frame.names[point.x]}: {label_with_limits(point)}")
        parts.append(element("path", told, d=marker(series.kind, x, y), class_="marker"))
    return element("g", *parts, class_=f"series k{series.kind}")


def _labels(frame: _Frame, drawn: Sequence[Series]) -> list[Markup]:
    ends = [frame.y(one.points[-1].value) for one in drawn]
    heights = spread(ends, _LINE, _TOP, _HEIGHT - _BOTTOM)
    parts = []
    for one, end, y in zip(drawn, ends, heights, strict=True):
        start = frame.x(one.points[-1].x) + 8
        # A label that had to move away from its line, or whose line ends early, is tied to it.
        if abs(end - y) > 3 or one.points[-1].x < frame.last:
            tie = f"M{start:.1f} {end:.1f}L{frame.right + 3:.1f} {y:.1f}"
            parts.append(element("path", d=tie, class_=f"tie k{one.kind}"))
        parts.append(label(one.name, frame.right + 6, y + 4, f"label k{one.kind}"))
    return parts


def grid(ticks: Sequence[float], y: Callable[[float], float], left: float, right: float) -> list[Markup]:
    """A line across and a label for each tick of the y axis."""
    parts = []
    for tick, written in zip(ticks, tick_labels(ticks), strict=True):
        parts.append(element("line", x1=left, x2=right, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(label(written, left - 8, y(tick) + 4, "tick end"))
    return parts


def path_through(places: Sequence[tuple[float, float]]) -> str:
    """The outline of a line through places, in their order."""
    return " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(places))


def interval_bar(x: float, low: float, high: float) -> Markup:
    """An upright bar from `low` to `high` with a cap at both ends."""
    bar = f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"
    return element("path", d=bar, class_="limits")


def marker(kind: int, x: float, y: float) -> str:
    """The outline of the marker of a kind, centred on a place."""
    match kind % 4:
        case 0:
            return f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"
        case 1:
            return f"M{x - 3.6:.1f} {y - 3.6:.1f}h7.2v7.2h-7.2Z"
        case 2:
            return f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z"
        case _:
            return f"M{x:.1f} {y - 4.8:.1f}l4.8 8.4h-9.6Z"


def _extent(point: Point) -> list[float]:
    return [value for value in (point.value, point.low, point.high) if value is not None]


def label_with_limits(point: Point) -> str:
    """A value and its limits, for those who point at it."""
    limits = "" if point.low is None or point.high is None else f" [{share(point.low)}, {share(point.high)}]"
    return f"{amount(point.value)}{limits}"


def label(text: str, x: float, y: float, class_: str) -> Markup:
    """Text at a place; the class says how it is aligned."""
    return element("text", text, x=x, y=y, class_=class_)


def svg(width: float, height: float, title: str, parts: Sequence[Child]) -> Markup:
    """A drawing that fills its column, with its title for those who do not see it."""
    named = element("title", title)
    return element("svg", named, *parts, viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=title)
