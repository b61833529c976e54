"""What all charts are drawn with: a scale, and marks as inline SVG. Colours and fonts come from style.css.

Series are told apart by marker and by the name at their end, never by colour alone.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.metrics.intervals import Interval
from selfreward.report.figures import MINUS, amount, limits

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 460.0, 50.0, 444.0, 34.0, 240.0  # of a drawing, and of the plot in it
INSET = 16.0  # of the outermost values, from the sides of the plot
LETTER = 7.2  # about the width of a letter at the size of notes


@dataclass(frozen=True, slots=True)
class Axis:
    """Values to places: the ticks, and where the first and the last of them are drawn."""

    ticks: Sequence[float]
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    @property
    def labelled(self) -> list[tuple[str, float]]:
        """Each tick as it is written, with as many decimals as their step needs, and its place."""
        decimals = len(f"{self.ticks[1] - self.ticks[0]:.10f}".rstrip("0").partition(".")[2])
        return [(f"{tick:.{decimals}f}".replace("-", MINUS), self(tick)) for tick in self.ticks]


def scale(values: Iterable[float], start: float, end: float) -> Axis:
    """A scale with four to seven round ticks, evenly spaced, that enclose `values`."""
    known = list(values)
    low, high = min(known), max(known)
    if high - low < 1e-9:
        pad = abs(high) * 0.1 or 0.5
        low, high = low - pad, high + pad
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * (1 - 1e-9))
    first, final = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis([number * step for number in range(first, final + 1)], start, end)


def steps(count: int, start: float, end: float) -> Axis:
    """A scale for `count` places, 0, 1 and so on; a single one is drawn in the middle."""
    return Axis((0, count - 1) if count > 1 else (-1, 1), start, end)


@dataclass(frozen=True, slots=True)
class Point:
    """What was found at place `x`: a number, or an interval."""

    x: float
    found: Interval | float

    @property
    def extent(self) -> tuple[float, ...]:
        """The value, and its limits where it has any."""
        one = self.found
        return (one.value, one.low, one.high) if isinstance(one, Interval) else (one,)

    @property
    def value(self) -> float:
        """The value alone."""
        return self.extent[0]

    @property
    def tooltip(self) -> str:
        """The value and its limits, for those who point at it."""
        return amount(self.value) + (f" {limits(self.found)}" if isinstance(self.found, Interval) else "")


def mark(tag: str, *inside: str, **attributes: str | float) -> Markup:
    """An SVG element, all text in it escaped. `class_` is written class, `fill_opacity` fill-opacity."""
    given = Markup("").join(
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"), value if isinstance(value, str) else f"{value:.6g}"
        )
        for name, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(tag, given, Markup("").join(inside))


def svg(height: float, title: str, parts: Iterable[str]) -> Markup:
    """A drawing that fills its column, with its title for those who do not see it."""
    box = f"0 0 {WIDTH:.0f} {height:.0f}"
    return mark("svg", mark("title", title), *parts, viewBox=box, role="img", aria_label=title)


def label(text: str, x: float, y: float, class_: str) -> Markup:
    """Text at a place; the class says how it is aligned."""
    return mark("text", text, x=x, y=y, class_=class_)


def bar(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """A filled rectangle."""
    return mark("rect", x=x, y=y, width=width, height=height, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return mark("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=class_)


def frame(unit: str, up: Axis, right: float = RIGHT) -> list[Markup]:
    """The y axis: its unit, a line across and a label for each tick."""
    parts = [label(unit, LEFT - 40, 14, "unit")]
    for written, y in up.labelled:
        parts += [line(LEFT, y, right, y, "grid"), label(written, LEFT - 8, y + 4, "tick end")]
    return parts


def path(places: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through places, in their order."""
    through = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(places))
    return mark("path", d=through, class_=class_)


def dot(kind: int, x: float, y: float, tooltip: str, ends: Sequence[float] = ()) -> list[Markup]:
    """The marker of a kind with what is told to those who point at it, over an upright line between `ends`."""
    outline = (
        f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
        f"M{x - 3.6:.1f} {y - 3.6:.1f}h7.2v7.2h-7.2Z",
        f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z",
        f"M{x:.1f} {y - 4.8:.1f}l4.8 8.4h-9.6Z",
    )[kind % 4]
    parts = []
    if ends:
        caps = "".join(f"M{x - 3:.1f} {end:.1f}h6" for end in ends)
        parts.append(mark("path", d=f"M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}{caps}", class_=f"limits k{kind}"))
    title = [mark("title", tooltip)] if tooltip else []
    return [*parts, mark("path", *title, d=outline, class_=f"marker k{kind}")]


def legend(names: Iterable[tuple[str, int]], top: float) -> tuple[list[Markup], float]:
    """Names with the marker of their kind, as many lines as it takes, and where they end."""
    parts: list[Markup] = []
    x, y = LEFT, top
    for name, kind in names:
        width = len(name) * LETTER + 26
        if x > LEFT and x + width > WIDTH:
            x, y = LEFT, y + 18
        parts += [*dot(kind, x + 5, y - 4, ""), label(name, x + 14, y, "note")]
        x += width
    return parts, y + 6 if parts else top - 12


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near `wanted`, in the same order, at least `gap` apart, within `low` and `high` if there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [max(wanted[i], low) for i in order]
    for rank in range(1, len(placed)):
        placed[rank] = max(placed[rank], placed[rank - 1] + gap)
    ceiling = high
    for rank in reversed(range(len(placed))):
        placed[rank] = max(min(placed[rank], ceiling), low + rank * gap)
        ceiling = placed[rank] - gap
    return [place for _, place in sorted(zip(order, placed, strict=True))]
