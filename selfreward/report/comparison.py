"""The page of a comparison: quality against diversity, what the swept settings do, what it cost."""

from itertools import combinations
from statistics import fmean

from selfreward.report.charts import Point, Series
from selfreward.report.comparison_cells import (
    Axis,
    Cell,
    Comparison,
    mean_metric,
    replicates,
    setting,
    untold_differences,
)
from selfreward.report.comparison_charts import Mark, Spending, Square, Start, clipped, cost_bars, heat_map, scatter
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
    html_table,
    shared_seconds,
    short_name,
)
from selfreward.report.document import document
from selfreward.report.figures import DASH, plural
from selfreward.report.markup import Child, Markup, element
from selfreward.report.plots import figure, line_figure
from selfreward.report.tables import definitions, section

_QUALITY = (PASS_1, GAIN, DISTINCT, OPEN)
_HEALTH = (SEM_DROP, NLL, RISE)
_HEALTH_INTRO = (
    "Drop of sem: how much closer the open answers of the last policy lie than those of M0, at equal length. Human "
    "NLL, and its rise over its lowest earlier value: how unlikely human answers became. A setting that raises both "
    "costs human mass; one that raises the drop alone may only have learned to answer as people do. Darker is higher."
)
_CAPTIONS = {
    DISTINCT: "Closed questions. The dashed line joins the start model to what it is when sampled colder: runs on it "
    "were merely sharpened; only bars clear of it tell of more.",
    OPEN: "pass@1 on closed questions over the distance of answers to open ones.",
}
_MOST_MAPPED = 4  # settings; of more, six pairs would be too many to read
_MOST_VALUES = 12  # along one side of a map, so that its numbers can be read


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML text."""
    body = element(
        "main",
        _header(comparison),
        section(
            "Runs",
            "The last policy of each run that was evaluated. In brackets: 95% intervals over prompts. Human NLL is in "
            "nats per token.",
            html_table(comparison),
            *(element("p", line, class_="hint") for line in failures(comparison)),
        ),
        section(
            "Quality against diversity",
            "One marker for each finished run, by its number above; bars are 95% intervals over prompts. Up and to the "
            "right is better: right more often, without giving variety away.",
            element("div", _scatter(comparison, DISTINCT), _scatter(comparison, OPEN), class_="grid"),
        ),
        section("What the settings do", _settings_intro(comparison), *_settings(comparison, _QUALITY)),
        section("Health of the distribution", _HEALTH_INTRO, *_settings(comparison, _HEALTH)),
        section(
            "What it cost",
            "Wall time of every stage that a run uses, whichever run made it. Grey: artifacts that other runs here use "
            "too, made once.",
            _costs(comparison),
        ),
        element(
            "footer",
            element("h2", "Where this comes from"),
            element("p", "Every number is read from what these runs committed: "),
            element("p", *(part for cell in comparison.cells for part in (element("code", cell.name), " "))),
            element("p", "Each has a page of its own: ", element("code", "selfreward report RUN"), "."),
        ),
    )
    return document(f"{comparison.name} {DASH} selfreward comparison", body)


def _header(comparison: Comparison) -> Markup:
    swept = "; ".join(f"{axis.name}: {', '.join(axis.values)}" for axis in comparison.columns)
    facts = [("Swept", swept or "nothing differs")]
    if differing := untold_differences(comparison):
        told = "; ".join(f"{name} ({clipped(', '.join(values), 60)})" for name, values in differing.items())
        facts.append(("Also differ in", told))
    facts += zip(("Cost", "Shared"), cost_notes(comparison), strict=False)
    states = [f"{n} {state}" for state in ("failed", "unfinished", "not started") if (n := _in(comparison, state))]
    ended = f"{plural(len(comparison.cells), 'run')}, {_in(comparison, 'done')} done"
    return element(
        "header",
        element("p", "selfreward comparison", class_="eyebrow"),
        element("h1", comparison.name),
        element("p", ", ".join([ended, *states]) + ".", class_="progress"),
        definitions(facts),
    )


def _scatter(comparison: Comparison, diversity: Measure) -> Markup:
    first = comparison.axes[0] if comparison.axes else None
    marks = []
    for number, cell in enumerate(comparison.cells, start=1):
        x, y = cell.metric(diversity.metric), _point(cell, PASS_1)
        if cell.state == "done" and x is not None and y is not None:
            kind = 0 if first is None else first.values.index(setting(cell, first.name))
            marks.append(Mark(number, short_name(comparison, cell), kind, x, y))
    chart: Child = element("p", "No finished run has both.", class_="empty")
    if marks:
        legend = [] if first is None else [f"{first.name}={value}" for value in first.values]
        chart = scatter(
            marks,
            _starts(comparison, diversity),
            legend,
            x_name=diversity.name,
            y_name=PASS_1.name,
            title=f"{PASS_1.name} over {diversity.name}",
        )
    return figure(f"pass@1 over {diversity.name}", chart, _CAPTIONS[diversity])


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
        place = (cell.metric("matched/distinct_share"), cell.metric("matched/pass_at_1"))
        if diversity is DISTINCT and place[0] is not None and place[1] is not None:
            line.add((place[0], place[1]))
    return [Start(place, tuple(sorted(line))) for place, line in sorted(found.items())]


def _settings_intro(comparison: Comparison) -> str:
    told = "Finished runs only. "
    if comparison.seeds is not None:
        told += f"Means over {plural(len(comparison.seeds.values), 'seed')}. "
    if len(comparison.axes) == 1:
        return told + "Bars are 95% intervals over prompts, or the range where several runs share a place."
    if len(comparison.axes) > 2:
        told += "Each map also averages over the settings it does not show. "
    return told + "n counts runs. The darker a square, the higher the number."


def _settings(comparison: Comparison, measures: tuple[Measure, ...]) -> list[Markup]:
    match comparison.axes:
        case ():
            return [element("p", "Nothing that was swept differs.", class_="empty")]
        case (axis,):
            return [element("div", *_lines(comparison, axis, measures), class_="grid")]
        case axes:
            fitting = [axis for axis in axes if len(axis.values) <= _MOST_VALUES][:_MOST_MAPPED]
            parts: list[Markup] = []
            for across, down in combinations(fitting, 2):
                maps = [_map(comparison, across, down, measure) for measure in measures]
                parts += [element("h3", f"{across.name} and {down.name}"), element("div", *maps, class_="grid")]
            if left := [axis.name for axis in axes if axis not in fitting]:
                parts.append(element("p", f"Too many to map: {', '.join(left)}.", class_="hint"))
            return parts


def _map(comparison: Comparison, across: Axis, down: Axis, measure: Measure) -> Markup:
    squares = {
        (x, y): _mean_square(replicates(comparison, {across.name: x, down.name: y}), measure)
        for x in across.values
        for y in down.values
    }
    drawn = heat_map(
        across.values, down.values, squares, x_name=across.name, y_name=down.name, title=f"{measure.name} by settings"
    )
    return element("figure", element("h4", measure.name), drawn)


def _mean_square(runs: list[Cell], measure: Measure) -> Square:
    value, n = mean_metric(runs, measure.metric)
    states = sorted({cell.state for cell in runs if cell.state != "done"})
    return Square(value, n, len(runs), "" if value is not None else ", ".join(states) or DASH)


def _lines(comparison: Comparison, axis: Axis, measures: tuple[Measure, ...]) -> list[Markup]:
    """Each measure along the one setting that is swept; pass@1 with the start model at equal diversity below it."""
    matched = Measure("", "M0 matched", "matched/pass_at_1")
    charts = [("Quality", "share right", [GREEDY, PASS_1, matched])] if PASS_1 in measures else []
    charts += [(one.name[0].upper() + one.name[1:], one.name, [one]) for one in measures if one is not PASS_1]
    names = [clipped(value, 12) for value in axis.values]
    parts = []
    for title, unit, drawn in charts:
        series = [
            Series(one.short or one.name, kind, _along(comparison, axis, one), dashed=one is matched)
            for kind, one in enumerate(drawn)
        ]
        parts.append(line_figure(title, unit, f"Along x: {axis.name}.", series, names=names, axis=axis.name))
    return parts


def _along(comparison: Comparison, axis: Axis, measure: Measure) -> tuple[Point, ...]:
    points = []
    for x, value in enumerate(axis.values):
        found = [point for cell in replicates(comparison, {axis.name: value}) if (point := _point(cell, measure))]
        if len(found) == 1:
            points.append(Point(x, found[0].value, found[0].low, found[0].high))
        elif found:
            values = [point.value for point in found]
            points.append(Point(x, fmean(values), min(values), max(values)))
    return tuple(points)


def _point(cell: Cell, measure: Measure) -> Point | None:
    """A measure of a finished run with its interval."""
    value = cell.metric(measure.metric)
    if cell.state != "done" or value is None:
        return None
    return Point(0, value, cell.metric(f"{measure.metric}_low"), cell.metric(f"{measure.metric}_high"))


def _costs(comparison: Comparison) -> Markup:
    spent = []
    for number, cell in enumerate(comparison.cells, start=1):
        common = shared_seconds(comparison, cell)
        spent.append(Spending(f"{number} {short_name(comparison, cell)}", cell.cost.seconds - common, common))
    return element("figure", cost_bars(spent, title="Seconds of work of each run"), class_="narrow")


def _in(comparison: Comparison, state: str) -> int:
    return sum(cell.state == state for cell in comparison.cells)
