"""The page of a comparison: quality against diversity, what the swept settings do, what it cost."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from markupsafe import Markup

from selfreward.report.charts import Bar, Figure, Series, bar_chart, line_figure
from selfreward.report.comparison_cells import (
    Axis,
    Cell,
    Comparison,
    mean_metric,
    replicates,
    setting,
    untold_differences,
)
from selfreward.report.comparison_charts import Mark, Square, Start, heat_map, scatter
from selfreward.report.comparison_table import (
    DISTINCT,
    GAIN,
    GREEDY,
    NLL,
    OPEN,
    PASS_1,
    RISE,
    SEM_DROP,
    Measure,
    cost_notes,
    failures,
    page_table,
    shared_seconds,
    short_name,
)
from selfreward.report.drawing import LETTER, WIDTH, Point
from selfreward.report.figures import DASH, clipped, plural, seconds
from selfreward.report.pages import page

_QUALITY = (PASS_1, GAIN, DISTINCT, OPEN)
_HEALTH = (SEM_DROP, NLL, RISE)
_MOST_MAPPED = 4  # settings; of more, six pairs would be too many to read
_MOST_VALUES = 12  # along one side of a map, so that its numbers can be read


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML text."""
    fitting = [axis for axis in comparison.axes if len(axis.values) <= _MOST_VALUES][:_MOST_MAPPED]
    return page(
        "comparison.html",
        comparison=comparison,
        progress=_progress(comparison),
        facts=_facts(comparison),
        table=page_table(comparison),
        failures=failures(comparison),
        distinct=_scatter(comparison, DISTINCT),
        open=_scatter(comparison, OPEN),
        lines=[_lines(comparison, measures) for measures in (_QUALITY, _HEALTH)],
        maps=[_maps(comparison, fitting, measures) for measures in (_QUALITY, _HEALTH)],
        unmapped=[axis.name for axis in comparison.axes if axis not in fitting],
        costs=_costs(comparison),
    )


def _progress(comparison: Comparison) -> str:
    states = {state: sum(cell.state == state for cell in comparison.cells) for state in _STATES}
    told = [f"{number} {state}" for state, number in states.items() if number or state == "done"]
    return f"{plural(len(comparison.cells), 'run')}, {', '.join(told)}."


_STATES = ("done", "failed", "unfinished", "not started")


def _facts(comparison: Comparison) -> list[tuple[str, str]]:
    swept = "; ".join(f"{axis.name}: {', '.join(axis.values)}" for axis in comparison.columns)
    facts = [("Swept", swept or "nothing differs")]
    if differing := untold_differences(comparison):
        told = "; ".join(f"{name} ({clipped(', '.join(values), 60)})" for name, values in differing.items())
        facts.append(("Also differ in", told))
    return [*facts, *zip(("Cost", "Shared"), cost_notes(comparison), strict=False)]


def _scatter(comparison: Comparison, diversity: Measure) -> Figure:
    first = comparison.axes[0] if comparison.axes else None
    marks = []
    for number, cell in enumerate(comparison.cells, start=1):
        x, y = cell.metric(diversity.metric), _point(cell, PASS_1)
        if x is not None and y is not None:
            kind = 0 if first is None else first.values.index(setting(cell, first.name))
            marks.append(Mark(number, short_name(comparison, cell), kind, Point(x, y.value, y.low, y.high)))
    title = f"pass@1 over {diversity.name}"
    if not marks:
        return Figure(title, None, missing="No finished run has both.")
    legend = [] if first is None else [f"{first.name}={value}" for value in first.values]
    starts = _starts(comparison, diversity)
    return Figure(title, scatter(marks, starts, legend, x_name=diversity.name, y_name=PASS_1.name))


def _starts(comparison: Comparison, diversity: Measure) -> list[Start]:
    """The start models of the finished runs: one for each model, seed and set of questions.

    Over the distinct share, with what they are at the temperatures that policies are matched with.
    """
    found: dict[tuple[float, float], set[tuple[float, float]]] = {}
    for cell in comparison.done:
        x, y = cell.rows[0].get(diversity.metric), cell.rows[0].get(PASS_1.metric)
        if not isinstance(x, float) or not isinstance(y, float):
            continue
        line = found.setdefault((x, y), set())
        cooled = (cell.metric("matched/distinct_share"), cell.metric("matched/pass_at_1"))
        if diversity is DISTINCT and cooled[0] is not None and cooled[1] is not None:
            line.add((cooled[0], cooled[1]))
    return [Start(place, tuple(sorted(line))) for place, line in sorted(found.items())]


def _maps(comparison: Comparison, axes: Sequence[Axis], measures: Sequence[Measure]) -> list[tuple[str, list[Figure]]]:
    """Every pair of settings, with a map of each measure."""
    return [
        (f"{across.name} and {down.name}", [_map(comparison, across, down, measure) for measure in measures])
        for across, down in combinations(axes, 2)
    ]


def _map(comparison: Comparison, across: Axis, down: Axis, measure: Measure) -> Figure:
    squares = {}
    for x in across.values:
        for y in down.values:
            runs = replicates(comparison, {across.name: x, down.name: y})
            value, n = mean_metric(runs, measure.metric)
            why = ", ".join(sorted({cell.state for cell in runs if cell.state != "done"})) or DASH
            squares[x, y] = Square(value, n, len(runs), why)
    title = f"{measure.name} by settings"
    drawn = heat_map(across.values, down.values, squares, x_name=across.name, y_name=down.name, title=title)
    return Figure(measure.name, drawn)


def _lines(comparison: Comparison, measures: Sequence[Measure]) -> list[Figure]:
    """Each measure along the one setting that is swept; pass@1 with the start model at equal diversity below it."""
    if len(comparison.axes) != 1:
        return []
    (axis,) = comparison.axes
    matched = Measure("", "M0 matched", "matched/pass_at_1")
    charts = [("Quality", "share right", [GREEDY, PASS_1, matched])] if PASS_1 in measures else []
    charts += [(one.name[0].upper() + one.name[1:], one.name, [one]) for one in measures if one is not PASS_1]
    names = [clipped(value, 12) for value in axis.values]
    figures = []
    for title, unit, drawn in charts:
        series = [
            Series(one.short or one.name, kind, _along(comparison, axis, one), dashed=one is matched)
            for kind, one in enumerate(drawn)
        ]
        figures.append(line_figure(title, unit, series, names, axis=axis.name))
    return figures


def _along(comparison: Comparison, axis: Axis, measure: Measure) -> list[Point]:
    """A point for each value of the setting: of several runs the mean, with their range for limits."""
    points = []
    for x, value in enumerate(axis.values):
        found = [point for cell in replicates(comparison, {axis.name: value}) if (point := _point(cell, measure))]
        if len(found) == 1:
            points.append(Point(x, found[0].value, found[0].low, found[0].high))
        elif found:
            values = [point.value for point in found]
            points.append(Point(x, fmean(values), min(values), max(values)))
    return points


def _point(cell: Cell, measure: Measure) -> Point | None:
    """A measure of a finished run with its interval."""
    value = cell.metric(measure.metric)
    if cell.state != "done" or value is None:
        return None
    return Point(0, value, cell.metric(f"{measure.metric}_low"), cell.metric(f"{measure.metric}_high"))


def _costs(comparison: Comparison) -> Markup:
    """A bar for each run: what it shares, then what is its own, in seconds of work."""
    bars = []
    for number, cell in enumerate(comparison.cells, start=1):
        name, common = clipped(f"{number} {short_name(comparison, cell)}", 36), shared_seconds(comparison, cell)
        bars.append(Bar(name, ((common, 7), (cell.cost.seconds - common, 0)), seconds(cell.cost.seconds)))
    left = max(len(one.name) for one in bars) * LETTER + 10
    dearest = max(cell.cost.seconds for cell in comparison.cells)
    return bar_chart(bars, full=dearest, title="Seconds of work of each run", left=left, width=WIDTH - left - 64)
