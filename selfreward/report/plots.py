"""A chart with its heading, one sentence on how to read it, and its numbers as a table."""

from collections.abc import Sequence

from selfreward.metrics.intervals import Interval
from selfreward.report.charts import Flag, Point, Series, line_chart
from selfreward.report.figures import DASH, amount
from selfreward.report.markup import Child, Markup, element
from selfreward.report.tables import table, with_limits


def line_figure(
    title: str,
    unit: str,
    caption: str,
    series: Sequence[Series],
    *,
    names: Sequence[str],
    axis: str = "policy",
    band: tuple[float, float] | None = None,
    flags: Sequence[Flag] = (),
    numbers: Markup | None = None,
) -> Markup:
    """Lines over `names`, which are places on `axis`; `numbers` stands in for the table of all points."""
    drawn = [one for one in series if one.points]
    if not drawn:
        return figure(title, element("p", "Nothing measured yet.", class_="empty"), caption)
    chart = line_chart(drawn, unit=unit, title=f"{title} ({unit})", names=names, band=band, flags=flags)
    if numbers is not None:
        return figure(title, chart, caption, numbers)
    columns = [{point.x: point for point in one.points} for one in drawn]
    rows = [(name, *(_cell(column.get(x)) for column in columns)) for x, name in enumerate(names)]
    return figure(title, chart, caption, table((axis, *(one.name for one in drawn)), rows))


def figure(title: str, chart: Child, caption: str, numbers: Child | None = None) -> Markup:
    """Any drawing as a figure; `numbers` can be unfolded below it."""
    parts = [element("h3", title), chart, element("figcaption", caption)]
    if numbers is not None:
        parts.append(element("details", element("summary", "Numbers"), numbers))
    return element("figure", *parts)


def policies(count: int) -> list[str]:
    """The names of the first `count` policies: M0, M1 and so on."""
    return [f"M{t}" for t in range(count)]


def _cell(point: Point | None) -> Child:
    if point is None:
        return DASH
    if point.low is None or point.high is None:
        return amount(point.value)
    return with_limits(Interval(point.value, point.low, point.high, 0))
