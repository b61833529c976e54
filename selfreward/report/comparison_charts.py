"""Charts with two axes: a scatter of runs or policies, a heat map of two settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.report.drawing import (
    BOTTOM,
    INSET,
    LEFT,
    LETTER,
    RIGHT,
    TOP,
    WIDTH,
    Point,
    frame,
    label,
    legend,
    limits,
    mark,
    marker,
    path,
    scale,
    svg,
)
from selfreward.report.figures import clipped, share

_SQUARE = 38.0
_M0 = 2
_KINDS = (0, 1, 3, 4, 5, 6)  # grey is for the start model; more values than these start over


@dataclass(frozen=True, slots=True)
class Mark:
    """One run in a scatter: its number in the table, what is told of it, the place of its kind in the legend.

    `at.x` is its diversity and `at.value` its quality.
    """

    number: int
    told: str
    kind: int
    at: Point


@dataclass(frozen=True, slots=True)
class Start:
    """A start model, and where it would be if it were only sampled at other temperatures."""

    at: tuple[float, float]
    cooled: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Square:
    """One place of a heat map: a mean over `n` of `runs` finished runs, or in `missing` why there is none."""

    value: float | None
    n: int
    runs: int
    missing: str = ""

    @property
    def counted(self) -> str:
        """Over how many runs it is a mean."""
        return f"n={self.n}" if self.n == self.runs else f"n={self.n} of {self.runs}"


def scatter(
    marks: Sequence[Mark],
    starts: Sequence[Start] = (),
    kinds: Sequence[str] = (),
    *,
    x_name: str,
    y_name: str,
    joined: bool = False,
) -> Markup:
    """Quality over diversity, a numbered marker for each run; `joined` by a line in their order, as one path."""
    known = [place for start in starts for place in (start.at, *start.cooled)]
    across = scale([*(one.at.x for one in marks), *(x for x, _ in known)], LEFT + INSET, RIGHT - INSET)
    up = scale([*(value for one in marks for value in one.at.extent), *(y for _, y in known)], BOTTOM, TOP)
    unit, *grid = frame(y_name, up)
    parts = [unit, label(x_name, RIGHT, BOTTOM + 38, "unit end"), *grid]
    parts += [label(written, x, BOTTOM + 18, "tick middle") for written, x in across.labelled]
    for start in starts:
        if start.cooled:
            line = sorted((across(x), up(y)) for x, y in (start.at, *start.cooled))
            parts.append(path(line, f"line dashed k{_M0}"))
        x, y = start.at
        parts.append(marker(_M0, across(x), up(y), f"M0, the start model: {share(y)} at {share(x)}"))
    if starts:
        parts.append(label("M0", across(x) + 7, up(y) - 6, f"label k{_M0}"))
    places = [(across(one.at.x), up(one.at.value)) for one in marks]
    if joined:
        parts.append(path(places, f"line k{_kind(marks[0].kind)}"))
    for one, (x, y), (at_x, at_y) in zip(marks, places, _free_places(places), strict=True):
        if one.at.low is not None and one.at.high is not None:
            parts.append(limits(_kind(one.kind), x, up(one.at.low), up(one.at.high)))
        parts.append(marker(_kind(one.kind), x, y, f"{one.number}: {one.told}: {one.at.told} at {share(one.at.x)}"))
        parts.append(label(str(one.number), at_x, at_y, "note"))
    keys, height = legend([(clipped(name, 40), _kind(place)) for place, name in enumerate(kinds)], BOTTOM + 58)
    return svg(height, f"{y_name} over {x_name}", [*parts, *keys])


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
    left = max(len(clipped(one)) for one in [*rows, y_name]) * LETTER + 12
    width = (WIDTH - left) / len(columns)
    parts = [label(clipped(y_name), left - 10, 34, "unit end"), label(x_name, left, 14, "unit")]
    parts += [label(clipped(one), left + width * (i + 0.5), 34, "tick middle") for i, one in enumerate(columns)]
    for j, row in enumerate(rows):
        y = 42 + _SQUARE * j
        parts.append(label(clipped(row), left - 10, y + _SQUARE / 2 + 4, "tick end"))
        for i, column in enumerate(columns):
            inside = _square(squares[column, row], values, left + width * i, y, width)
            one = squares[column, row]
            told = one.missing if one.value is None else f"{share(one.value)}, {one.counted}"
            parts.append(mark("g", mark("title", f"{x_name}={column}, {y_name}={row}: {told}"), *inside))
    return svg(44 + _SQUARE * len(rows), title, parts)


def _square(square: Square, values: Sequence[float], x: float, y: float, width: float) -> list[Markup]:
    place = {"x": x + 1, "y": y + 1, "width": width - 2, "height": _SQUARE - 2}
    middle, centre = x + width / 2, y + _SQUARE / 2
    if square.value is None:
        return [mark("rect", **place, class_="hollow"), label(square.missing, middle, centre + 4, "note middle")]
    low, high = min(values), max(values)
    depth = 0.08 + 0.5 * (0.5 if high - low < 1e-12 else (square.value - low) / (high - low))
    parts = [mark("rect", **place, fill_opacity=depth, class_="fill k0")]
    if square.runs == 1:
        return [*parts, label(share(square.value), middle, centre + 4, "middle")]
    counted = label(square.counted, middle, centre + 13, "note middle")
    return [*parts, label(share(square.value), middle, centre, "middle"), counted]


def _free_places(marked: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where the number of each marker goes: the nearest of some places around it that no other number has."""
    taken: list[tuple[float, float]] = []
    for x, y in marked:
        around = [(x + dx, y + 4 + dy) for dy in (-9, 9, -21, 21, -33, 33, -45, 45) for dx in (7, -20)]
        free = (place for place in around if all(abs(place[0] - a) > 15 or abs(place[1] - b) > 10 for a, b in taken))
        taken.append(next(free, around[0]))
    return taken


def _kind(place: int) -> int:
    return _KINDS[place % len(_KINDS)]
