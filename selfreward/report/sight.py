"""What the monitor could have seen: the smallest effect each family shows, beside what it tolerates."""

import math
from collections.abc import Mapping

from selfreward.metrics.paired_values import Family
from selfreward.monitor.findings import PARTS, Finding
from selfreward.reading.rounds import Diagnosed
from selfreward.report.charts import Flag, Point, Series
from selfreward.report.figures import DASH, count
from selfreward.report.markup import Markup, element
from selfreward.report.plots import figure, line_figure
from selfreward.report.tables import table

_MARGIN = 2
_SIZES = (0.5, 1, 2, 4, 8, 16)  # of the probe as it was
_KINDS: Mapping[Family, int] = dict(zip(PARTS, (0, 1, 3, 4, 5, 6), strict=True))


def sight(watches: tuple[Diagnosed, ...]) -> Markup:
    """The effect that each family shows four times in five, over the number of probe prompts."""
    title = "What could have been seen"
    caption = (
        "The excess over its margin that each family shows four times in five, in margins, taken from M0 beside "
        "itself: under the dashed line an excess of one margin is seen, and more prompts lower a line by 1/√P."
    )
    found = _earliest(watches)
    if not found:
        return figure(title, element("p", "No family was measured.", class_="empty"), caption)
    prompts = max(one.prompts for one in found.values())
    names = [f"{round(prompts * size):,}" for size in _SIZES]
    series = [
        Series(
            family, _KINDS[family], tuple(Point(x, in_margins(one, prompts * size)) for x, size in enumerate(_SIZES))
        )
        for family, one in found.items()
    ]
    series.append(Series("1 margin", _MARGIN, (Point(0, 1.0), Point(len(_SIZES) - 1, 1.0)), dashed=True))
    here = [Flag(_SIZES.index(1), "now", f"{prompts} open probe prompts")]
    return line_figure(title, "margins", caption, series, names=names, flags=here, numbers=_table(found, watches[-1]))


def in_margins(found: Finding, prompts: float) -> float:
    """What a probe of `prompts` would show of the family, in margins: noise falls as 1 / sqrt(prompts)."""
    return found.detectable / found.margin * math.sqrt(found.prompts / prompts)


def _earliest(watches: tuple[Diagnosed, ...]) -> dict[Family, Finding]:
    """Each family as it was first measured: M0 beside itself, or for human NLL the first round beside M0."""
    return {
        family: next(one.verdict.findings[family] for one in watches if family in one.verdict.findings)
        for family in PARTS
        if any(family in one.verdict.findings for one in watches)
    }


def _table(found: Mapping[Family, Finding], last: Diagnosed) -> Markup:
    rows = []
    for family, first in found.items():
        now = last.verdict.findings.get(family)
        rows.append(
            (
                family,
                count(first.prompts),
                _amount(family, first.margin),
                _amount(family, first.margin + first.detectable),
                DASH if now is None else _amount(family, now.margin + now.detectable),
                f"{round(first.prompts * in_margins(first, first.prompts) ** 2):,}",
            )
        )
    head = ("family", "prompts", "margin", "smallest drop seen, at first", f"at M{last.t}", "prompts for one margin")
    return table(head, rows)


def _amount(family: Family, value: float) -> str:
    return f"{value:.3f} nats" if family == "nll" else f"{value:.1%}"
