"""The page of a comparison: quality against diversity, what the swept settings do, what it cost."""

from collections.abc import Sequence
from itertools import combinations, product
from statistics import fmean

from markupsafe import Markup

from selfreward.metrics.intervals import Interval
from selfreward.reading.compared_runs import Comparison, replicates, setting, shared_seconds, unswept, values_of
from selfreward.report import comparison_table as table
from selfreward.report.charts import Bar, ChartFigure, Series, bar_chart, line_figure, points
from selfreward.report.comparison_charts import PlacedMark, Square, heat_map, scatter
from selfreward.report.comparison_table import DISTINCT, GAIN, GREEDY, NLL, OPEN, PASS_1, RISE, SEM_DROP, ComparedMetric
from selfreward.report.drawing import LETTER, WIDTH, Point
from selfreward.report.figures import DASH, clipped, plural, seconds
from selfreward.report.pages import page

_SECTIONS = ((PASS_1, GAIN, DISTINCT, OPEN), (SEM_DROP, NLL, RISE))
_MATCHED = ComparedMetric("", "M0 matched", "matched/pass_at_1")
_MOST_MAPPED = 4  # settings; of more, six pairs would be too many to read
_MOST_VALUES = 12  # along one side of a map, so that its numbers can be read


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML text."""
    axes = comparison.axes
    fitting = [name for name, values in axes.items() if len(values) <= _MOST_VALUES][:_MOST_MAPPED]
    return page(
        "comparison.html",
        comparison=comparison,
        progress=_progress(comparison),
        facts=_facts(comparison),
        table=table.page_table(comparison),
        failures=table.failures(comparison),
        distinct=_scatter(comparison, DISTINCT),
        open=_scatter(comparison, OPEN),
        lines=[_lines(comparison, measures) for measures in _SECTIONS if len(axes) == 1],
        maps=[_maps(comparison, fitting, measures) for measures in _SECTIONS],
        unmapped=[name for name in axes if name not in fitting],
        costs=_costs(comparison),
    )


def _progress(comparison: Comparison) -> str:
    states = [cell.state for cell in comparison.cells]
    told = [f"{n} {one}" for one in ("failed", "unfinished", "not started") if (n := states.count(one))]
    return ", ".join([plural(len(states), "run"), f"{states.count('done')} done", *told]) + "."


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    swept = "; ".join(f"{name}: {', '.join(values)}" for name, values in comparison.columns.items())
    facts = [("Swept", swept or "nothing differs")]
    if differing := unswept(comparison):
        told = "; ".join(f"{name} ({clipped(', '.join(values), 60)})" for name, values in differing.items())
        facts.append(("Also differ in", told))
    return [*facts, *zip(("Cost", "Shared"), table.cost_notes(comparison), strict=False)]


def _scatter(comparison: Comparison, diversity: ComparedMetric) -> ChartFigure:
    kinds = [(name, value) for name, values in [*comparison.axes.items()][:1] for value in values]
    marks = []
    for number, cell in enumerate(comparison.cells, start=1):
        x, y = cell.metric(diversity.metric), PASS_1.of(cell)
        if cell.state == "done" and x is not None and y is not None:
            kind = next((place for place, (name, value) in enumerate(kinds) if setting(cell, name) == value), 0)
            marks.append(PlacedMark(number, table.short_name(comparison, cell), kind, Point(x, y)))
    title = f"pass@1 over {diversity.name}"
    if not marks:
        return ChartFigure(title, None, missing="No finished run has both.")
    names = [f"{name}={value}" for name, value in kinds]
    return ChartFigure(title, scatter(diversity.name, PASS_1.name, marks, _starts(comparison, diversity), names))


def _starts(comparison: Comparison, diversity: ComparedMetric) -> dict[tuple[float, float], set[tuple[float, float]]]:
    """The start models of the finished runs: one for each model, seed and set of questions.

    Over the distinct share, with what they are at the temperatures that policies are matched with.
    """
    found: dict[tuple[float, float], set[tuple[float, float]]] = {}
    for cell in [one for one in comparison.cells if one.state == "done"]:
        x, y = cell.rows[0].get(diversity.metric), cell.rows[0].get(PASS_1.metric)
        cooled = (cell.metric("matched/distinct_share"), cell.metric(_MATCHED.metric))
        if isinstance(x, float) and isinstance(y, float):
            line = found.setdefault((x, y), set())
            if diversity is DISTINCT and cooled[0] is not None and cooled[1] is not None:
                line.add((cooled[0], cooled[1]))
    return dict(sorted(found.items()))


def _maps(
    comparison: Comparison, axes: Sequence[str], measures: Sequence[ComparedMetric]
) -> list[tuple[str, list[ChartFigure]]]:
    """Every pair of settings, with a map of each measure."""
    return [
        (f"{across} and {down}", [_map(comparison, across, down, measure) for measure in measures])
        for across, down in combinations(axes, 2)
    ]


def _map(comparison: Comparison, across: str, down: str, measure: ComparedMetric) -> ChartFigure:
    squares = {}
    columns, rows = comparison.axes[across], comparison.axes[down]
    for x, y in product(columns, rows):
        runs = replicates(comparison, {across: x, down: y})
        found = values_of(runs, measure.metric)
        why = ", ".join(sorted({cell.state for cell in runs if cell.state != "done"})) or DASH
        squares[x, y] = Square(fmean(found) if found else None, len(found), len(runs), why)
    title = f"{measure.name} by settings"
    return ChartFigure(measure.name, heat_map(title, across, down, columns, rows, squares))


def _lines(comparison: Comparison, measures: Sequence[ComparedMetric]) -> list[ChartFigure]:
    """Each measure along the one setting that is swept; pass@1 with the start model at equal diversity below it."""
    ((axis, values),) = comparison.axes.items()
    charts = [("Quality", "share right", [GREEDY, PASS_1, _MATCHED])] if PASS_1 in measures else []
    charts += [(one.name[0].upper() + one.name[1:], one.name, [one]) for one in measures if one is not PASS_1]
    names = [clipped(value, 12) for value in values]
    figures = []
    for title, unit, drawn in charts:
        series = []
        for kind, one in enumerate(drawn):
            places = points((x, _along(comparison, axis, value, one)) for x, value in enumerate(values))
            series.append(Series(one.short or one.name, kind, places, dashed=one is _MATCHED))
        figures.append(line_figure(title, unit, series, names, axis=axis))
    return figures


def _along(comparison: Comparison, axis: str, value: str, measure: ComparedMetric) -> Interval | float | None:
    """A measure where the setting has a value: of several runs the mean, with their range for limits."""
    runs = replicates(comparison, {axis: value})
    found = values_of(runs, measure.metric)
    if len(found) > 1:
        return Interval(fmean(found), min(found), max(found), len(found))
    return next((one for cell in runs if cell.state == "done" and (one := measure.of(cell)) is not None), None)


def _costs(comparison: Comparison) -> Markup:
    """A bar for each run: what it shares, then what is its own, in seconds of work."""
    bars = []
    for number, cell in enumerate(comparison.cells, start=1):
        name = clipped(f"{number} {table.short_name(comparison, cell)}", 36)
        common = shared_seconds(comparison, cell)
        bars.append(Bar(name, ((common, 7), (cell.cost.seconds - common, 0)), seconds(cell.cost.seconds)))
    left = max(len(one.name) for one in bars) * LETTER + 10
    dearest = max(cell.cost.seconds for cell in comparison.cells)
    return bar_chart("Seconds of work of each run", bars, full=dearest, left=left, width=WIDTH - left - 64)
