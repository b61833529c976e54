"""Charts with two axes: a scatter of runs or policies, a heat map of two settings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.report import drawing
from selfreward.report.drawing import BOTTOM, INSET, LEFT, LETTER, RIGHT, TOP, WIDTH, Point
from selfreward.report.figures import clipped, share

_SQUARE = 38.0
_M0 = 2
_KINDS = (0, 1, 3, 4, 5, 6)  # grey is for the start model; more values than these start over

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """One run in a scatter: its number in the table, what is told of it, the place of its kind in the legend.

    `at.x` is its diversity, and there its quality was found.
    """

    number: int
    tooltip: str
    kind: int
    at: Point


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
    x_name: str,
    y_name: str,
    marks: Sequence[PlacedMark],
    starts: Mapping[Place, Collection[Place]] | None = None,
    kinds: Sequence[str] = (),
    *,
    joined: bool = False,
) -> Markup:
    """Quality over diversity, a numbered marker for each run; `joined` by a line in their order, one for each kind.

    `starts` are the start models, each with where it would be if it were only sampled at other temperatures.
    """
    lines = [sorted((start, *cooled)) for start, cooled in (starts or {}).items()]
    known = [place for line in lines for place in line]
    across = drawing.scale([*(one.at.x for one in marks), *(x for x, _ in known)], LEFT + INSET, RIGHT - INSET)
    up = drawing.scale([*(y for one in marks for y in one.at.extent), *(y for _, y in known)], BOTTOM, TOP)
    unit, *grid = drawing.frame(y_name, up)
    parts = [unit, drawing.label(x_name, RIGHT, BOTTOM + 38, "unit end"), *grid]
    parts += [drawing.label(written, x, BOTTOM + 18, "tick middle") for written, x in across.labelled]
    for (x, y), line in zip(starts or (), lines, strict=True):
        if len(line) > 1:
            parts.append(drawing.path([(across(a), up(b)) for a, b in line], f"line dashed k{_M0}"))
        parts += drawing.dot(_M0, across(x), up(y), f"M0, the start model: {share(y)} at {share(x)}")
    if lines:
        parts.append(drawing.label("M0", across(x) + 7, up(y) - 6, f"label k{_M0}"))
    places = [(across(one.at.x), up(one.at.value)) for one in marks]
    for kind in sorted({one.kind for one in marks}) if joined else ():
        # All paths begin where the first does, at M0.
        line = [at for place, at in enumerate(places) if marks[place].kind == kind or place == 0]
        parts.append(drawing.path(line, f"line k{_kind(kind)}"))
    for one, (x, y), (at_x, at_y) in zip(marks, places, _free_places(places), strict=True):
        tooltip = f"{one.number}: {one.tooltip}: {one.at.tooltip} at {share(one.at.x)}"
        parts += drawing.dot(_kind(one.kind), x, y, tooltip, [up(end) for end in one.at.extent[1:]])
        parts.append(drawing.label(str(one.number), at_x, at_y, "note"))
    named = [(clipped(name, 40), _kind(place)) for place, name in enumerate(kinds)]
    keys, height = drawing.legend(named, BOTTOM + 58)
    return drawing.svg(height, f"{y_name} over {x_name}", [*parts, *keys])


def heat_map(
    title: str,
    x_name: str,
    y_name: str,
    columns: Sequence[str],
    rows: Sequence[str],
    squares: Mapping[tuple[str, str], Square],
) -> Markup:
    """A square for each (column, row): the darker, the higher; empty ones say why."""
    values = [one.value for one in squares.values() if one.value is not None]
    left = max(len(clipped(one)) for one in [*rows, y_name]) * LETTER + 12
    width = (WIDTH - left) / len(columns)
    parts = [drawing.label(clipped(y_name), left - 10, 34, "unit end"), drawing.label(x_name, left, 14, "unit")]
    for i, column in enumerate(columns):
        parts.append(drawing.label(clipped(column), left + width * (i + 0.5), 34, "tick middle"))
    for j, row in enumerate(rows):
        y = 42 + _SQUARE * j
        parts.append(drawing.label(clipped(row), left - 10, y + _SQUARE / 2 + 4, "tick end"))
        for i, column in enumerate(columns):
            one = squares[column, row]
            tooltip = one.missing if one.value is None else f"{share(one.value)}, {one.counted}"
            title_ = drawing.mark("title", f"{x_name}={column}, {y_name}={row}: {tooltip}")
            parts.append(drawing.mark("g", title_, *_square(one, values, left + width * i, y, width)))
    return drawing.svg(44 + _SQUARE * len(rows), title, parts)


def _square(square: Square, values: Sequence[float], x: float, y: float, width: float) -> list[Markup]:
    place = {"x": x + 1, "y": y + 1, "width": width - 2, "height": _SQUARE - 2}
    middle, centre = x + width / 2, y + _SQUARE / 2
    if square.value is None:
        why = drawing.label(square.missing, middle, centre + 4, "note middle")
        return [drawing.mark("rect", **place, class_="hollow"), why]
    low, high = min(values), max(values)
    depth = 0.08 + 0.5 * (0.5 if high - low < 1e-12 else (square.value - low) / (high - low))
    parts = [drawing.mark("rect", **place, fill_opacity=depth, class_="fill k0")]
    several = square.runs > 1
    parts.append(drawing.label(share(square.value), middle, centre + (0 if several else 4), "middle"))
    if several:
        parts.append(drawing.label(square.counted, middle, centre + 13, "note middle"))
    return parts


def _free_places(marked: Sequence[Place]) -> list[Place]:
    """Where the number of each marker goes: the nearest of some places around it that no other number has."""
    taken: list[Place] = []
    for x, y in marked:
        around = [(x + dx, y + 4 + dy) for dy in (-9, 9, -21, 21, -33, 33, -45, 45) for dx in (7, -20)]
        free = (place for place in around if all(abs(place[0] - a) > 15 or abs(place[1] - b) > 10 for a, b in taken))
        taken.append(next(free, around[0]))
    return taken


def _kind(place: int) -> int:
    return _KINDS[place % len(_KINDS)]
