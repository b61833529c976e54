"""Charts over the steps of reinforcement learning, round after round: a line breaks where a round ends."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.report import drawing
from selfreward.report.charts import ChartFigure
from selfreward.report.drawing import BOTTOM, LEFT, TOP, WIDTH, Axis
from selfreward.report.figures import arrow, share

_LETTER = 8.4  # about the width of a letter at the size of labels
_LINE = 17.0  # the least distance of two labels
_DOTTED = 40  # places; with more, markers hide the line
_NAMED = 5  # rounds that have room for their names


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was found at the steps around `x`, counted over all rounds; `name` says of which round and which they are.

    What `value` is the mean of lies about `spread`, one standard deviation, from it; None where that is not known.
    """

    round: int
    x: float
    name: str
    value: float
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class StepSeries:
    """A named line; `kind` chooses colour and marker."""

    name: str
    kind: int
    places: Sequence[Place]

    @property
    def parts(self) -> Iterator[Sequence[Place]]:
        """The places of each round."""
        for number in dict.fromkeys(one.round for one in self.places):
            yield [one for one in self.places if one.round == number]


@dataclass(frozen=True, slots=True)
class Steps:
    """How many steps there are in all, and each round with the steps before it."""

    total: int
    starts: Sequence[tuple[int, int]]


def step_figure(
    title: str, unit: str, series: Sequence[StepSeries], steps: Steps, within: tuple[float, float] | None = None
) -> ChartFigure:
    """Lines over the steps of all rounds, bands of one standard deviation around them where there are any.

    The scale encloses the two values of `within` too.
    """
    drawn = [one for one in series if one.places]
    if not drawn:
        return ChartFigure(title, None, missing="No step has it.")
    places = [place for one in drawn for place in one.places]
    ends = [place.value + sign * (place.spread or 0.0) for place in places for sign in (-1, 1)]
    up = drawing.scale([*ends, *(within or ())], BOTTOM, TOP)
    right = WIDTH - max(len(one.name) for one in drawn) * _LETTER - 14
    across = Axis((0.5, steps.total + 0.5), LEFT, right)
    parts = [*drawing.frame(unit, up, right), *_ticks(steps, across), *_rounds(steps, across)]
    for one in drawn:
        parts += _line(one, across, up)
    last = [up(one.places[-1].value) for one in drawn]
    for one, y in zip(drawn, drawing.spread(last, _LINE, TOP, BOTTOM), strict=True):
        parts.append(drawing.label(one.name, right + 6, y + 4, f"label k{one.kind}"))
    return ChartFigure(title, drawing.svg(BOTTOM + 30, f"{title} ({unit})", parts))


def _ticks(steps: Steps, across: Axis) -> Iterator[Markup]:
    """Round numbers of steps, six at most."""
    power = 10 ** math.floor(math.log10(max(1, steps.total / 6)))
    every = next(size * power for size in (1, 2, 5, 10) if size * power * 6 >= steps.total)
    for number in range(every, steps.total + 1, every):
        yield drawing.label(f"{number:,}", across(number), BOTTOM + 20, "tick middle")


def _rounds(steps: Steps, across: Axis) -> Iterator[Markup]:
    """Where each round begins; the names of as many as there is room for."""
    every = math.ceil(len(steps.starts) / _NAMED)
    for place, (t, before) in enumerate(steps.starts):
        x = across(before + 0.5)
        if place:
            yield drawing.line(x, TOP, x, BOTTOM, "grid")
        if place % every == 0:
            yield drawing.label(arrow(t), x, TOP - 6, "note")


def _line(series: StepSeries, across: Axis, up: Axis) -> Iterator[Markup]:
    for part in series.parts:
        at = [(across(one.x), up(one.value)) for one in part]
        wide = [one for one in part if one.spread is not None]
        if len(wide) > 1:
            above = [(across(one.x), up(one.value + (one.spread or 0.0))) for one in wide]
            below = [(across(one.x), up(one.value - (one.spread or 0.0))) for one in reversed(wide)]
            outline = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*above, *below])
            yield drawing.mark("path", d=f"M{outline}Z", class_=f"fill k{series.kind}", fill_opacity=0.13)
        yield drawing.path(at, f"line k{series.kind}")
        # One place makes no line.
        if len(series.places) <= _DOTTED or len(part) == 1:
            for one, (x, y) in zip(part, at, strict=True):
                yield from drawing.dot(series.kind, x, y, f"{series.name}, {one.name}: {share(one.value)}")
