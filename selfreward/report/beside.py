"""Another arm on the page of a run: what it gained and lost, and which of the two learned more."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.artifacts.identity import flat_settings
from selfreward.artifacts.runs import RunView
from selfreward.metrics.intervals import Interval
from selfreward.reading.changes import matched_gap
from selfreward.reading.compared_runs import own_settings
from selfreward.reading.rounds import Round, rounds_of
from selfreward.reading.settings import read_config
from selfreward.report.charts import ChartFigure, Series, line_figure, points, policies
from selfreward.report.figures import change_with_limits, clipped, plural
from selfreward.report.outcome import Outcome, clear, outcome_of, sentence

_NAME = 16  # letters of a run's name at the end of its line


@dataclass(frozen=True, slots=True)
class Arm:
    """A run beside another: what it shows and how that stands to the other, and both gains at matched diversity.

    `settings` are what it was made with otherwise, as `name=value`; empty where one of the two kept none.
    """

    name: str
    rounds: Sequence[Round]
    told: str
    settings: Sequence[str]
    gains: ChartFigure


def arm_of(view: RunView, rounds: Sequence[Round], other: RunView) -> Arm:
    """What `other` shows beside the run `view`; both have the same evaluation of the start model."""
    theirs = rounds_of(other)
    own, found = outcome_of(view, rounds), outcome_of(other, theirs)
    told = f"No policy of {other.name} but the start model has been evaluated yet."
    if found is not None:
        told = sentence(found, f"M{found.t} of {other.name}")
        told += "" if own is None else _contrast(view, own, other, found)
    ours, kept = (flat_settings(read_config(run.folder) or {}) for run in (view, other))
    gains = [
        Series(clipped(name, _NAME), kind, points((one.t, _gain(one)) for one in run))
        for kind, (name, run) in enumerate(((view.name, rounds), (other.name, theirs)))
    ]
    names = policies(max(len(rounds), len(theirs)))
    figure = line_figure("Gain at matched diversity", "pass@1 over M0", gains, names)
    return Arm(other.name, theirs, told, own_settings(kept, ours) if ours else [], figure)


def _contrast(view: RunView, own: Outcome, other: RunView, found: Outcome) -> str:
    """Whose last policy gained more at matched diversity; nothing where one has no such gain."""
    named = ((f"M{found.t} of {other.name}", found), (f"M{own.t} of {view.name}", own))
    gained = []
    for name, one in named:
        matched = one.evaluation.matched
        if matched is None or matched.gain.pass_at_1 is None:
            return ""
        if matched.off_ladder:
            return f" No temperature of M0 is as varied as {name}: the two are not compared at matched diversity."
        gained.append(f"{name} gained {change_with_limits(matched.gain.pass_at_1)}")
    if (gap := matched_gap(view, own.t, other, found.t)) is None:
        return ""
    told = "which of the two learned more could not be told"
    if clear(gap):
        told = f"{other.name if gap.low > 0 else view.name} learned more"
    return (
        f" In pass@1 at matched diversity {' and '.join(gained)}; the difference is {change_with_limits(gap)} over the "
        f"same {plural(gap.n, 'question')}, so {told}."
    )


def _gain(one: Round) -> Interval | float | None:
    """The gain over M0 at matched diversity, which is 0 for M0; None where M0 was not sampled as varied."""
    if one.t == 0:
        return None if one.evaluation is None else 0.0
    matched = None if one.evaluation is None else one.evaluation.matched
    return None if matched is None or matched.off_ladder else matched.gain.pass_at_1
