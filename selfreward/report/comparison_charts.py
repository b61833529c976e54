"""Charts of a comparison as inline SVG: a scatter of runs, a heat map of two settings, bars of cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.report.charts import (
    Point,
    grid,
    interval_bar,
    label,
    label_with_limits,
    marker,
    nice_ticks,
    path_through,
    svg,
    tick_labels,
)
from selfreward.report.figures import seconds, share
from selfreward.report.markup import Child, Markup, element

_WIDTH = 460
_TOP, _BOTTOM, _LEFT, _RIGHT = 34.0, 250.0, 50.0, 444.0
_INSET = 18.0
_LETTER = 7.2  # about the width of a letter at the size of notes
_LINE = 18.0
_SQUARE = 38.0
_KINDS = 7  # colours told apart; more values than that start over
_M0 = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """One run in a scatter: its number in the table, what is told of it, the place of its kind in the legend."""

    number: int
    told: str
    kind: int
    x: float
    y: Point


@dataclass(frozen=True, slots=True)
class Start:
    """A start model, and where it would be if it were only sampled at other temperatures."""

    at: tuple[float, float]
    cooled: tuple[tuple[float, float], ...] = ()

    @property
    def places(self) -> list[tuple[float, float]]:
        """All of it, the start model first."""
        return [self.at, *self.cooled]


@dataclass(frozen=True, slots=True)
class Square:
    """One place of a heat map: a mean over `n` of `runs` finished runs, or in `missing` why there is none."""

    value: float | None
    n: int
    runs: int
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one run uses, in seconds: its own artifacts, and those that other runs use too."""

    name: str
    own: float
    shared: float


def scatter(
    marks: Sequence[Mark],
    starts: Sequence[Start],
    legend: Sequence[str],
    *,
    x_name: str,
    y_name: str,
    title: str,
    joined: bool = False,
) -> Markup:
    """Quality over diversity, a numbered marker for each run; `joined` by a line in their order, as one path."""
    known = [place for start in starts for place in start.places]
    heights = [one for mark in marks for one in (mark.y.value, mark.y.low, mark.y.high) if one is not None]
    xs = [*(mark.x for mark in marks), *(x for x, _ in known)]
    ys = [*heights, *(y for _, y in known)]
    x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), nice_ticks(min(ys), max(ys))

    def across(value: float) -> float:
        low, high = x_ticks[0], x_ticks[-1]
        return _LEFT + _INSET + (_RIGHT - _LEFT - 2 * _INSET) * (value - low) / (high - low)

    def up(value: float) -> float:
        low, high = y_ticks[0], y_ticks[-1]
        return _BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low)

    parts: list[Child] = [label(y_name, _LEFT - 40, 14, "unit"), label(x_name, _RIGHT, _BOTTOM + 38, "unit end")]
    parts += grid(y_ticks, up, _LEFT, _RIGHT)
    for tick, written in zip(x_ticks, tick_labels(x_ticks), strict=True):
        parts.append(label(written, across(tick), _BOTTOM + 18, "tick middle"))
    parts += [_start([(across(x), up(y)) for x, y in start.places], start) for start in starts]
    if starts:
        x, y = starts[-1].at
        parts.append(label("M0", across(x) + 7, up(y) - 6, f"label k{_M0}"))
    numbered = [(across(mark.x), up(mark.y.value)) for mark in marks]
    if joined:
        parts.append(element("path", d=path_through(numbered), class_=f"line k{_kind(marks[0].kind)}"))
    for mark, (x, y), (at_x, at_y) in zip(marks, numbered, _free_places(numbered), strict=True):
        parts.append(_mark(mark, x, y, [up(limit) for limit in (mark.y.low, mark.y.high) if limit is not None]))
        parts.append(label(str(mark.number), at_x, at_y, "note"))
    keys, height = _legend(legend, _BOTTOM + 58)
    return svg(_WIDTH, height, title, [*parts, *keys])


def heat_map(
    columns: Sequence[str],
    rows: Sequence[str],
    squares: Mapping[tuple[str, str], Square],
    *,
    x_name: str,
    y_name: str,
    title: str,
) -> Markup:
    """A square for each (column, row): the darker, the higher; empty ones say why."""
    values = [one.value for one in squares.values() if one.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    left = max(len(clipped(one)) for one in [*rows, y_name]) * _LETTER + 12
    width = (_WIDTH - left) / len(columns)
    parts: list[Child] = [label(clipped(y_name), left - 10, 34, "unit end"), label(x_name, left, 14, "unit")]
    parts += [label(clipped(one), left + width * (i + 0.5), 34, "tick middle") for i, one in enumerate(columns)]
    for j, row in enumerate(rows):
        y = 42 + _SQUARE * j
        parts.append(label(clipped(row), left - 10, y + _SQUARE / 2 + 4, "tick end"))
        for i, column in enumerate(columns):
            square = squares[column, row]
            told = f"{x_name}={column}, {y_name}={row}: {_label(square)}"
            depth = None if square.value is None else 0.08 + 0.5 * _place(square.value, low, high)
            parts.append(_square(square, told, depth, left + width * i, y, width))
    return svg(_WIDTH, 44 + _SQUARE * len(rows), title, parts)


def cost_bars(spent: Sequence[Spending], *, title: str) -> Markup:
    """A bar for each run: what it shares, then what is its own, in seconds of work."""
    left = max(len(clipped(one.name, 36)) for one in spent) * _LETTER + 10
    room = _WIDTH - left - 64
    dearest = max(one.own + one.shared for one in spent) or 1.0
    parts: list[Child] = []
    for number, one in enumerate(spent):
        y, x = 4.0 + 22 * number, left
        parts.append(label(clipped(one.name, 36), left - 8, y + 11, "tick end"))
        for amount, kind in ((one.shared, 7), (one.own, 0)):
            width = room * amount / dearest
            parts.append(element("rect", x=x, y=y, width=width, height=13, class_=f"fill k{kind}"))
            x += width
        parts.append(label(seconds(one.own + one.shared), x + 6, y + 11, "value"))
    return svg(_WIDTH, 8 + 22 * len(spent), title, parts)


def clipped(text: str, longest: int = 20) -> str:
    """`text`, or its beginning where there is no room for all of it."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _start(places: Sequence[tuple[float, float]], start: Start) -> Markup:
    (x, y), *_ = places
    told = element("title", f"M0, the start model: {share(start.at[1])} at {share(start.at[0])}")
    parts: list[Child] = []
    if start.cooled:
        parts.append(element("path", d=path_through(sorted(places)), class_="line dashed"))
    parts.append(element("path", told, d=marker(_M0, x, y), class_="marker"))
    return element("g", *parts, class_=f"series k{_M0}")


def _mark(mark: Mark, x: float, y: float, limits: Sequence[float]) -> Markup:
    parts: list[Child] = []
    if len(limits) == 2:
        parts.append(interval_bar(x, *limits))
    told = element("title", f"{mark.number}: {mark.told}: {label_with_limits(mark.y)} at {share(mark.x)}")
    parts.append(element("path", told, d=marker(_kind(mark.kind), x, y), class_="marker"))
    return element("g", *parts, class_=f"series k{_kind(mark.kind)}")


def _free_places(marked: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where the number of each marker goes: the nearest of some places around it that no other number has."""
    taken: list[tuple[float, float]] = []
    for x, y in marked:
        around = [(x + dx, y + 4 + dy) for dy in (-9, 9, -21, 21, -33, 33, -45, 45) for dx in (7, -20)]
        free = (place for place in around if all(abs(place[0] - a) > 15 or abs(place[1] - b) > 10 for a, b in taken))
        taken.append(next(free, around[0]))
    return taken


def _legend(names: Sequence[str], top: float) -> tuple[list[Markup], float]:
    """Markers and names, as many lines as it takes, and where they end."""
    parts: list[Markup] = []
    x, y = _LEFT, top
    for kind, name in enumerate(names):
        width = len(clipped(name, 40)) * _LETTER + 26
        if x > _LEFT and x + width > _WIDTH:
            x, y = _LEFT, y + _LINE
        drawn = element("path", d=marker(_kind(kind), x + 5, y - 4), class_="marker")
        parts.append(element("g", drawn, class_=f"series k{_kind(kind)}"))
        parts.append(label(clipped(name, 40), x + 14, y, "note"))
        x += width
    return parts, y + 6 if names else top - 12


def _kind(place: int) -> int:
    """Grey is for the start model; the other colours go round."""
    kinds = [kind for kind in range(_KINDS) if kind != _M0]
    return kinds[place % len(kinds)]


def _square(square: Square, told: str, depth: float | None, x: float, y: float, width: float) -> Markup:
    parts: list[Child] = [element("title", told)]
    place = {"x": x + 1, "y": y + 1, "width": width - 2, "height": _SQUARE - 2}
    middle = x + width / 2
    if depth is None:
        parts.append(element("rect", **place, class_="hollow"))
        parts.append(label(square.missing, middle, y + _SQUARE / 2 + 4, "note middle"))
        return element("g", *parts)
    parts.append(element("rect", **place, fill_opacity=depth, class_="fill k0"))
    several = square.runs > 1
    parts.append(label(share(square.value), middle, y + _SQUARE / 2 + (0 if several else 4), "middle"))
    if several:
        parts.append(label(_count(square), middle, y + _SQUARE / 2 + 13, "note middle"))
    return element("g", *parts)


def _label(square: Square) -> str:
    return square.missing if square.value is None else f"{share(square.value)}, {_count(square)}"


def _count(square: Square) -> str:
    return f"n={square.n}" if square.n == square.runs else f"n={square.n} of {square.runs}"


def _place(value: float, low: float, high: float) -> float:
    return 0.5 if high - low < 1e-12 else (value - low) / (high - low)
