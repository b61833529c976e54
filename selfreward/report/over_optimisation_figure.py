"""Gold and proxy over the square root of KL to the initial policy, of a run and of best of n.

As Gao, Schulman and Hilton draw them (2210.10760), but each in a panel of its own: the two have different units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfreward.metrics.best_of_n import BestOfN
from selfreward.metrics.intervals import Interval
from selfreward.report import drawing
from selfreward.report.charts import ChartFigure
from selfreward.report.drawing import BOTTOM, INSET, LEFT, RIGHT, TOP, Axis, Point
from selfreward.report.figures import decimals, limited

_RUN, _BEST_OF_N = 0, 1
_PANEL = BOTTOM + 40
_X_NAME = "square root of KL to the initial policy, in nats per answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimisedPolicy:
    """A policy of the run: its KL to the initial one in nats per answer, its mean proxy score and its gold.

    None is what was not measured.
    """

    name: str
    kl: float | None
    proxy: Interval | None
    gold: Interval | None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place of one panel, over the square root of `kl`."""

    name: str
    kind: int
    kl: float
    found: Interval

    @property
    def at(self) -> Point:
        # An estimate of KL may lie below 0.
        return Point(max(0.0, self.kl) ** 0.5, self.found)


def over_optimisation_figure(
    policies: Sequence[OptimisedPolicy],
    best_of: Sequence[BestOfN],
    *,
    proxy: str,
    gold: str,
    best: str | None = None,
) -> ChartFigure:
    """Gold above and the proxy below, both over the square root of KL; the table has KL itself.

    `proxy` and `gold` name what is drawn, with units; `best` is the name of the policy that is flagged. A policy
    without KL stands in the table alone. The KL of best of n is its upper bound.
    """
    title, head = "Over-optimisation", ("policy", "KL", proxy, gold)
    run = [(one.name, _RUN, one.kl, one.proxy, one.gold) for one in policies]
    known = [*run, *((f"best of {one.n}", _BEST_OF_N, one.kl, one.proxy, one.gold) for one in best_of)]
    rows = [(name, decimals(kl, 2), limited(score), limited(right)) for name, _, kl, score, right in known]
    placed = [(name, kind, kl, score, right) for name, kind, kl, score, right in known if kl is not None]
    golds = [_Mark(name, kind, kl, right) for name, kind, kl, _, right in placed if right is not None]
    proxies = [_Mark(name, kind, kl, score) for name, kind, kl, score, _ in placed if score is not None]
    if not golds or not proxies:
        return ChartFigure(title, None, head, rows, "No policy has KL to the initial policy, a proxy score and gold.")
    across = drawing.scale([0.0, *(one.at.x for one in [*golds, *proxies])], LEFT + INSET, RIGHT - INSET)
    panels = [_panel(gold, golds, across, best), _panel(proxy, proxies, across, best)]
    lowered = drawing.mark("g", *panels[1], transform=f"translate(0 {_PANEL:g})")
    names = {_RUN: "policies of the run", _BEST_OF_N: "best of n of the initial policy"}
    kinds = sorted({one.kind for one in [*golds, *proxies]})
    keys, height = drawing.legend([(names[kind], kind) for kind in kinds], _PANEL + BOTTOM + 56)
    axis = drawing.label(_X_NAME, RIGHT, _PANEL + BOTTOM + 36, "unit end")
    chart = drawing.svg(height, f"{gold} and {proxy} over {_X_NAME}", [*panels[0], lowered, axis, *keys])
    return ChartFigure(title, chart, head, rows)


def _panel(unit: str, marks: Sequence[_Mark], across: Axis, best: str | None) -> list[Markup]:
    """One quantity over the square root of KL, the places of each kind joined in their order."""
    up = drawing.scale([value for one in marks for value in one.at.extent], BOTTOM, TOP)
    parts = drawing.frame(unit, up)
    parts += [drawing.label(written, x, BOTTOM + 18, "tick middle") for written, x in across.labelled]
    for x in [across(one.at.x) for one in marks if one.kind == _RUN and one.name == best]:
        parts += [drawing.line(x, TOP - 4, x, BOTTOM, "flagged"), drawing.label("best", x, TOP - 7, "flag middle")]
    for kind, dashed in ((_RUN, ""), (_BEST_OF_N, " dashed")):
        line = [(across(one.at.x), up(one.at.value)) for one in marks if one.kind == kind]
        parts += [drawing.path(line, f"line{dashed} k{kind}")] if line else []
    for one in marks:
        tooltip = f"{one.name}: {one.at.tooltip} at KL {decimals(one.kl, 2)}"
        parts += drawing.dot(
            one.kind, across(one.at.x), up(one.at.value), tooltip, [up(end) for end in one.at.extent[1:]]
        )
    return parts
