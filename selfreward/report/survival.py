"""Which of the start model's meanings a policy still gives: rare ones go first, long before the mean moves."""

from collections.abc import Callable, Iterable
from statistics import fmean

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.matched_probe import Mode
from selfreward.report.charts import ChartFigure, Series, line_chart
from selfreward.report.drawing import Point
from selfreward.report.figures import count, share
from selfreward.stages.measure import probe_of

_LOWEST = (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.0)  # of each group, exclusive; a share of the baseline's answers
_NAMES = ("over 50%", "25-50%", "12-25%", "6-12%", "3-6%", "under 3%")
_FEWEST = 8  # meanings in a group; below, their share says nothing
_FEWEST_ANSWERS = 16  # that M0's own line stands on; shares of fewer are too rough to be set beside later ones
_FIRST, _LAST, _EXPECTED = 6, 4, 2


def survival(view: RunView) -> tuple[ChartFigure, bool]:
    """The share of M0's meanings that the last policy still gives, and whether M0's own line stands beside it."""
    title = "Which meanings survive"
    measured = [(t, stages["measure"]) for t, stages in enumerate(view.iterations) if "measure" in stages]
    if not measured:
        return ChartFigure(title, None), False
    (_, start), (last, artifact) = measured[0], measured[-1]
    groups = _groups(artifact)
    if not any(groups):
        return ChartFigure(title, None, missing="No open prompt was measured."), False
    rows = [
        (name, count(len(modes)), share(expected(modes)), share(still_given(modes)))
        for name, modes in zip(_NAMES, groups, strict=True)
        if modes
    ]
    head = ("share of M0's answers", "meanings", "expected", f"given by M{last}")
    places = [place for place, modes in enumerate(groups) if len(modes) >= _FEWEST]
    if not places:
        few = f"No group has the {_FEWEST} meanings that a share needs."
        return ChartFigure(title, None, head, rows, few), False
    series = [Series("expected", _EXPECTED, _points(groups, places, expected), dashed=True)]
    probe = probe_of(start)
    beside_start = last > 0 and probe.baseline_k - probe.k >= _FEWEST_ANSWERS
    if beside_start:
        series.append(Series("M0", _FIRST, _points(_groups(start), places, still_given)))
    series.append(Series(f"M{last}", _LAST, _points(groups, places, still_given)))
    unit, names = "share still given", [_NAMES[place] for place in places]
    return ChartFigure(title, line_chart(f"{title} ({unit})", unit, series, names), head, rows), beside_start


def expected(modes: Iterable[Mode]) -> float:
    """The share of `modes` that a policy of the same masses would give at least once: mean 1 - (1 - mass)^answers."""
    return fmean(1 - (1 - mode.mass) ** mode.answers for mode in modes)


def still_given(modes: Iterable[Mode]) -> float:
    """The share of `modes` that was given at least once."""
    return fmean(mode.hits > 0 for mode in modes)


def _groups(measured: Artifact) -> list[list[Mode]]:
    """The modes by their share of the baseline's answers, one list for each of the names."""
    groups: list[list[Mode]] = [[] for _ in _NAMES]
    for mode in measured.records(Mode, "modes"):
        groups[next(place for place, lowest in enumerate(_LOWEST) if mode.mass > lowest)].append(mode)
    return groups


def _points(groups: list[list[Mode]], places: list[int], of: Callable[[list[Mode]], float]) -> list[Point]:
    return [Point(x, of(groups[place])) for x, place in enumerate(places) if len(groups[place]) >= _FEWEST]
