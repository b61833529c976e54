"""Reward over the square root of KL within the updates: what optimising it gives for the distance that it takes.

As Gao, Schulman and Hilton draw the proxy (2210.10760), but on the completions that are trained on, in their own unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.report import drawing
from selfreward.report.charts import ChartFigure
from selfreward.report.drawing import BOTTOM, INSET, LEFT, RIGHT, TOP, Point
from selfreward.report.figures import arrow, decimals, share

_KINDS = 7  # colours
_DOTTED = 60  # places


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The mean reward of the completions of some steps of round `t`, and the KL there, in nats a completion."""

    t: int
    name: str
    kl: float
    reward: float

    @property
    def at(self) -> Point:
        """Its place; an estimate of KL may lie below 0."""
        return Point(max(0.0, self.kl) ** 0.5, self.reward)


def update_curve(found: Sequence[Reached], reference: str) -> ChartFigure:
    """A line a round over the square root of KL to `reference`, in the order of the steps."""
    title = "Reward over KL, within the updates"
    if not found:
        return ChartFigure(title, None, missing="No step measured KL: with update.beta=0 nothing does.")
    across = drawing.scale([0.0, *(one.at.x for one in found)], LEFT + INSET, RIGHT - INSET)
    up = drawing.scale([one.reward for one in found], BOTTOM, TOP)
    parts = drawing.frame("mean reward of training completions", up)
    parts += [drawing.label(written, x, BOTTOM + 18, "tick middle") for written, x in across.labelled]
    rounds = list(dict.fromkeys(one.t for one in found))
    for t in rounds:
        of_round = [(one, across(one.at.x), up(one.reward)) for one in found if one.t == t]
        parts.append(drawing.path([(x, y) for _, x, y in of_round], f"line k{t % _KINDS}"))
        marked = of_round if len(found) <= _DOTTED else [of_round[0], of_round[-1]]
        for one, x, y in marked:
            tooltip = f"{one.name}: {share(one.reward)} at KL {decimals(one.kl, 3)}"
            parts += drawing.dot(t % _KINDS, x, y, tooltip)
        parts.append(drawing.label("end", of_round[-1][1] + 7, of_round[-1][2] - 6, f"label k{t % _KINDS}"))
    x_name = f"square root of KL to {reference}, in nats a completion"
    parts.append(drawing.label(x_name, RIGHT, BOTTOM + 36, "unit end"))
    keys, height = drawing.legend([(arrow(t), t % _KINDS) for t in rounds], BOTTOM + 56)
    return ChartFigure(title, drawing.svg(height, f"mean reward over {x_name}", [*parts, *keys]))
