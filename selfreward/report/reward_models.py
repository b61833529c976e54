"""The reward models that a run trained, on its page: what they learned from, and how good they are on other pairs.

A coin stands in every figure: an accuracy whose interval has it says nothing for the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.judge_quality.estimate import Measure
from selfreward.metrics.intervals import Interval
from selfreward.reading.rounds import Round
from selfreward.report.charts import ChartFigure, Series, interval_chart, line_figure, points, policies
from selfreward.report.drawing import Point
from selfreward.report.figures import clipped, limited
from selfreward.stages.reward import COIN, HeldTo, Rewarding, like_a_coin, rewarding_of

AGAINST: Mapping[str, str] = {"held_out": "held-out pairs", "gold": "gold of the gate", "final": "final gold"}
_SIDES = {"accuracy_where_longer": "better is longer", "accuracy_where_shorter": "better is shorter"}
_KINDS = {"held_out": 0, "gold": 3, "final": 4}
_CHANCE = 2


@dataclass(frozen=True, slots=True)
class SeenReward:
    """The reward models of the start of a run, or of a round: what they are called, and their report."""

    name: str
    report: Rewarding

    @property
    def verdicts(self) -> list[str]:
        """What each accuracy is worth, in one sentence each."""
        return [_verdict(AGAINST[name], held) for name, held in self.report.held_to.items()]

    @property
    def rows(self) -> list[tuple[str, HeldTo]]:
        """All that they were held against, by name."""
        return [(AGAINST[name], held) for name, held in self.report.held_to.items()]


def seen_rewards(sources: Mapping[str, Artifact], rounds: Sequence[Round]) -> list[SeenReward]:
    """The reward models that a run has trained, in order; none where it was not asked for any."""
    start = [SeenReward("start", rewarding_of(sources["reward"]))] if "reward" in sources else []
    return start + [SeenReward(f"round {one.t}", one.reward) for one in rounds if one.reward is not None]


def reward_figures(found: Sequence[SeenReward], rounds: Sequence[Round]) -> list[tuple[ChartFigure, str]]:
    """Accuracies with their captions: of the last reward models by what they were held against, and over the rounds."""
    if not found:
        return []
    figures = [(_accuracies(found[-1]), "A model that goes by length alone has 1 where the better answer is longer.")]
    trained = [one for one in rounds if one.reward is not None]
    if len(trained) > 1:
        figures.append((_over_rounds(trained), "Each on pairs of its own round, so these are not all the same pairs."))
    return figures


def _accuracies(seen: SeenReward) -> ChartFigure:
    """Every accuracy of reward models with where a coin rests."""
    measures: dict[str, Measure] = {}
    for name, held in seen.report.held_to.items():
        called = name.replace("_", " ")
        measures[called] = held.measures["accuracy"]
        measures |= {f"{called}, {told}": held.measures[side] for side, told in _SIDES.items()}
        measures |= {clipped(f"{called}, {part}", 30): one for part, one in held.sets.items()}
    there = [(name, found) for name, one in measures.items() if (found := one.interval) is not None]
    title = f"Accuracy, {seen.name}"
    if not there:
        return ChartFigure(title, None)
    rows = [(name, one.n, limited(one)) for name, one in there]
    chart = interval_chart(title, [(name, one, COIN) for name, one in there])
    return ChartFigure(title, chart, ("on", "pairs", "accuracy"), [(name, f"{n:,}", told) for name, n, told in rows])


def _over_rounds(rounds: Sequence[Round]) -> ChartFigure:
    last = rounds[-1].t
    reports = [(one.t, one.reward) for one in rounds if one.reward is not None]
    series = [
        Series(name.replace("_", " "), kind, points((t, _accuracy(one, name)) for t, one in reports))
        for name, kind in _KINDS.items()
    ]
    series.append(Series("coin", _CHANCE, [Point(t, COIN) for t in (rounds[0].t, last)], dashed=True))
    return line_figure("Accuracy over the rounds", "share of pairs", series, policies(last + 1), axis="round")


def _accuracy(report: Rewarding, name: str) -> Interval | None:
    held = report.held_to.get(name)
    return None if held is None else held.measures["accuracy"].interval


def _verdict(called: str, held: HeldTo) -> str:
    found = held.measures["accuracy"].interval
    if found is None:
        return f"On {called}: {held.measures['accuracy'].why_missing}."
    of = f"On {called} ({found.n:,} of {held.pairs:,} pairs scored)"
    if found.high < COIN:
        return f"{of}: worse than a coin. It has learned the reverse of what is asked here."
    if like_a_coin(held):
        return f"{of}: no better than a coin, as far as these pairs tell; the interval has .5."
    return f"{of}: better than a coin."
