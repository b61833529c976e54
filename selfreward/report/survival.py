"""Which of the start model's meanings a policy still gives: rare ones go first, long before the mean moves."""

from collections.abc import Callable, Iterable
from statistics import fmean

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.matched_probe import Mode
from selfreward.report.charts import Point, Series
from selfreward.report.figures import count, share
from selfreward.report.markup import Markup, element
from selfreward.report.plots import figure, line_figure
from selfreward.report.tables import table
from selfreward.stages.measure import probe_of

_LOWEST = (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.0)  # of each group, exclusive; a share of the baseline's answers
_NAMES = ("over 50%", "25-50%", "12-25%", "6-12%", "3-6%", "under 3%")
_FEWEST = 8  # meanings in a group; below, their share says nothing
_FEWEST_ANSWERS = (
    16  # that M0's own line stands on; of fewer, shares are too rough to be set beside those of later rounds
)
_FIRST, _LAST, _EXPECTED = 6, 4, 2


def survival(view: RunView) -> Markup:
    """The share of the start model's meanings that the last policy still gives, the common ones on the left."""
    title = "Which meanings survive"
    caption = (
        "M0's answers to a prompt, gathered by meaning, from common to rare: the further a line falls below what the "
        "shares alone predict (dashed, a little high for rare ones), the more meanings are going missing."
    )
    measured = [(t, stages["measure"]) for t, stages in enumerate(view.iterations) if "measure" in stages]
    if not measured:
        return figure(title, element("p", "Nothing measured yet.", class_="empty"), caption)
    (_, start), (last, artifact) = measured[0], measured[-1]
    groups = _groups(artifact)
    if not any(groups):
        return figure(title, element("p", "No open prompt was measured.", class_="empty"), caption)
    places = [place for place, modes in enumerate(groups) if len(modes) >= _FEWEST]
    rows = [
        (name, count(len(modes)), share(expected(modes)), share(still_given(modes)))
        for name, modes in zip(_NAMES, groups, strict=True)
        if modes
    ]
    numbers = table(("share of M0's answers", "meanings", "expected", f"given by M{last}"), rows)
    if not places:
        few = element("p", f"No group has the {_FEWEST} meanings that a share needs.", class_="empty")
        return figure(title, few, caption, numbers)
    series = [Series("expected", _EXPECTED, _points(groups, places, expected), dashed=True)]
    probe = probe_of(start)
    if last > 0 and probe.baseline_k - probe.k >= _FEWEST_ANSWERS:
        caption += " M0's own line is what an unchanged policy gives."
        series.append(Series("M0", _FIRST, _points(_groups(start), places, still_given)))
    series.append(Series(f"M{last}", _LAST, _points(groups, places, still_given)))
    names = [_NAMES[place] for place in places]
    return line_figure(title, "share still given", caption, series, names=names, numbers=numbers)


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


def _points(groups: list[list[Mode]], places: list[int], of: Callable[[list[Mode]], float]) -> tuple[Point, ...]:
    return tuple(Point(x, of(groups[place])) for x, place in enumerate(places) if len(groups[place]) >= _FEWEST)
