"""The charts of reinforcement learning: what its steps did, one after another, and reward over KL."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selfreward.report.charts import ChartFigure
from selfreward.report.figures import arrow
from selfreward.report.step_charts import Place, Steps, StepSeries, step_figure
from selfreward.report.update_curve import Reached
from selfreward.updates.rl_steps import RlStep, mean_of

_PLACES = 240  # in a chart over steps; of more, each place is the mean of several
_OF_ROUND = 12  # places of a round over KL, where steps go back and forth
_REWARD, _KL, _ENTROPY, _TOKENS, _CUT, _FLAT, _MISSING, _CLIPPED = 0, 1, 3, 4, 5, 2, 6, 0

Drawn = Sequence[tuple[int, Sequence[RlStep]]]
"""The steps of each round that has some, by its number."""


@dataclass(frozen=True, slots=True)
class _Bin:
    """Steps of round `t` that are drawn as one place, at `x` among the steps of all rounds."""

    t: int
    x: float
    steps: Sequence[RlStep]

    @property
    def name(self) -> str:
        first, last = self.steps[0].step, self.steps[-1].step
        return f"{arrow(self.t)}, step {first}" + ("" if first == last else f" to {last}")


def step_figures(drawn: Drawn) -> list[tuple[ChartFigure, str]]:
    """Charts over the steps of all rounds, each with its caption; none where there is no step."""
    if not drawn:
        return []
    bins, steps = _bins(drawn, steps_a_place(drawn)), _axis(drawn)

    def line(name: str, kind: int, read: Callable[[RlStep], float | None], spread: str = "") -> StepSeries:
        return StepSeries(name, kind, list(_places(bins, read, lambda one: getattr(one, spread) if spread else None)))

    names = list(dict.fromkeys(source.name for _, some in drawn for one in some for source in one.sources))
    figures = []
    if len(names) != 1:
        total = line("sum", _REWARD, lambda one: one.reward, "reward_deviation")
        caption = "The weighted sum of all sources, and a deviation of the completions to either side."
        figures.append((step_figure("Reward", "reward", [total], steps), caption))
    for name in names:
        told = f"What {name} gave, before its weight, and a deviation of the completions to either side."
        said = StepSeries("mean", _REWARD, list(_places(bins, _mean(name), _deviation(name))))
        figures.append((step_figure(f"Reward of {name}", "reward", [said], steps), told))
    shares = [
        line("cut", _CUT, lambda one: one.cut),
        line("flat", _FLAT, lambda one: one.flat_groups),
        line("missing", _MISSING, lambda one: one.missing / one.completions),
    ]
    if any(one.clipped for _, some in drawn for one in some):
        shares.append(line("clipped", _CLIPPED, lambda one: one.clipped))
    kl, entropy = line("KL", _KL, lambda one: one.kl), line("entropy", _ENTROPY, lambda one: one.entropy)
    tokens = line("tokens", _TOKENS, lambda one: one.tokens)
    return [
        *figures,
        (step_figure("KL", "nats a token", [kl], steps, (0, 0)), "How far the policy is from what beta ties it to."),
        (step_figure("Entropy", "nats a token", [entropy], steps, (0, 0)), "At 0 it would say one thing alone."),
        (step_figure("Length", "tokens", [tokens], steps, (0, 0)), "Mean tokens of a completion."),
        (
            step_figure("Shares", "share", shares, steps, (0, 1)),
            "Completions that did not end by themselves; groups whose rewards are all equal; completions without a "
            "reward.",
        ),
    ]


def _mean(name: str) -> Callable[[RlStep], float | None]:
    return lambda step: next((one.mean for one in step.sources if one.name == name), None)


def _deviation(name: str) -> Callable[[RlStep], float | None]:
    return lambda step: next((one.deviation for one in step.sources if one.name == name), None)


def steps_a_place(drawn: Drawn) -> int:
    """How many steps are drawn as one place over steps."""
    return max(1, math.ceil(sum(len(steps) for _, steps in drawn) / _PLACES))


def steps_over_kl(drawn: Drawn) -> int:
    """How many steps are drawn as one place over KL."""
    return max(1, math.ceil(max((len(steps) for _, steps in drawn), default=0) / _OF_ROUND))


def _bins(drawn: Drawn, size: int) -> list[_Bin]:
    """The steps of all rounds, `size` of them at a time."""
    bins, before = [], 0
    for t, steps in drawn:
        for start in range(0, len(steps), size):
            some = steps[start : start + size]
            bins.append(_Bin(t, before + start + (len(some) + 1) / 2, some))
        before += len(steps)
    return bins


def _axis(drawn: Drawn) -> Steps:
    starts, before = [], 0
    for t, steps in drawn:
        starts.append((t, before))
        before += len(steps)
    return Steps(before, starts)


def _places(
    bins: Sequence[_Bin], value: Callable[[RlStep], float | None], spread: Callable[[RlStep], float | None]
) -> Iterator[Place]:
    for one in bins:
        if (found := mean_of(map(value, one.steps))) is not None:
            yield Place(round=one.t, x=one.x, name=one.name, value=found, spread=mean_of(map(spread, one.steps)))


def reached(drawn: Drawn) -> Iterator[Reached]:
    """Where each step stands; KL a token times the mean tokens of a completion is KL a completion."""
    for one in _bins(drawn, steps_over_kl(drawn)):
        reward = mean_of(step.reward for step in one.steps)
        kl = mean_of(None if step.kl is None else step.kl * step.tokens for step in one.steps)
        if reward is not None and kl is not None:
            yield Reached(t=one.t, name=one.name, kl=kl, reward=reward)
