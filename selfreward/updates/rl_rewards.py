"""Where the rewards of reinforcement learning come from, and how several become one number for each completion.

A completion that lacks what one of its sources should have said has no reward: it is never given 0.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from selfreward.artifacts import derive_seed
from selfreward.backends.device import Device
from selfreward.errors import ConfigError, StageError
from selfreward.judges.base import Judge, Means
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.policies import RewardModels
from selfreward.records import Candidate, Prompt
from selfreward.spec import Spec

Score = Callable[[Sequence[Prompt], Sequence[Candidate]], list[float | None]]
"""Of each completion and the prompt before it a score, in order; None where there is none."""


class _Weighted(Spec):
    """`weight` is what a score is multiplied by before the sources of a completion are added up."""

    weight: float = Field(1.0, gt=0)


class VerifierReward(_Weighted):
    """1 for a right answer, 0 for a wrong one; it applies to prompts that say how an answer is compared."""

    kind: Literal["verifier"] = "verifier"


class ModelReward(_Weighted):
    """What a reward model gives, or an ensemble: their mean, the least, or the mean less `deviations` deviations.

    It applies to every prompt; the models are those that the update is given.
    """

    kind: Literal["reward_model"] = "reward_model"
    aggregate: Literal["mean", "min", "lower"] = "mean"
    deviations: float = Field(1.0, gt=0)


class LengthReward(_Weighted):
    """0 for up to `above` tokens, falling evenly to -1 at `max_new_tokens`; it applies to every prompt.

    Source: the soft overlong punishment of DAPO (2503.14476, equation 13).
    """

    kind: Literal["length"] = "length"
    above: NonNegativeInt


Reward = Annotated[VerifierReward | ModelReward | LengthReward, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSource:
    """A source of rewards: what it `applies` to and how it scores that; scores count by `weight`."""

    name: str
    weight: float
    applies: Callable[[Prompt], bool]
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScores:
    """What a source said of the completions that it applies to, by their places; None where it said nothing."""

    name: str
    scores: Mapping[int, float | None]

    @property
    def missing(self) -> int:
        """How many it said nothing of."""
        return sum(score is None for score in self.scores.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """One reward for each completion, group by group; None where it is missing."""

    total: tuple[float | None, ...]
    sources: tuple[SourceScores, ...]
    group_size: int

    @property
    def kept(self) -> list[bool]:
        """Whether each completion has a reward."""
        return [one is not None for one in self.total]

    def figures(self) -> dict[str, float]:
        """What there is to log of them, by name, without what there is too little for."""
        groups = [self.total[at : at + self.group_size] for at in range(0, len(self.total), self.group_size)]
        spread = [len({one for one in group if one is not None}) > 1 for group in groups if any(_there(group))]
        found = {"rl/completions": float(len(self.total)), "rl/missing": float(self.kept.count(False))}
        if spread:
            found["rl/flat_groups"] = spread.count(False) / len(spread)
        found |= _moments("rl/reward", "rl/reward_deviation", self.total)
        for one in self.sources:
            name = f"source/{one.name}"
            found |= {f"{name}/applied": float(len(one.scores)), f"{name}/missing": float(one.missing)}
            found |= _moments(f"{name}/mean", f"{name}/deviation", list(one.scores.values()))
        return found


def judged(name: str, weight: float, judge: Judge, applies: Callable[[Prompt], bool], seed: int = 0) -> RewardSource:
    """A judge of single answers as a source: the mean of what it says of one, missing where it says nothing.

    What it draws hangs on `seed` and on the completions.
    """

    def score(prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> list[float | None]:
        items = list(zip(prompts, completions, strict=True))
        said = judge.ask(items, derive_seed(seed, name, *(one.id for one in completions)), lambda _: None)
        if judge.conclude is not None:
            said = judge.conclude(items, said)
        found: dict[str, list[float]] = {}
        for one in said:
            if one.score is not None:
                found.setdefault(one.candidate_ids[0], []).append(one.score)
        return [fmean(found[one.id]) if one.id in found else None for one in completions]

    return RewardSource(name=name, weight=weight, applies=applies, score=score)


def verifier(name: str, weight: float) -> RewardSource:
    """Right or wrong, of the prompts that say how an answer is compared."""
    judge = VerifierSpec().build(Means())
    return judged(name, weight, judge, lambda prompt: prompt.match is not None and bool(prompt.references))


def reward_model(name: str, spec: ModelReward, models: RewardModels, device: Device) -> RewardSource:
    """What reward models give; one that cannot read a completion says nothing of it."""
    folders = tuple(one.path for one in models.members)
    if spec.aggregate == "lower" and len(folders) < 2:
        raise ConfigError(
            f"update.rewards.{name}.aggregate=lower of one reward model, which has no standard deviation: set "
            f"update.rewards.{name}.aggregate=mean"
        )
    judge = RewardModelSpec(
        models=folders, standardise=False, aggregate=spec.aggregate, deviations=spec.deviations, device=device
    )
    return judged(name, spec.weight, judge.build(Means(policy=models)), lambda _: True)


def length(name: str, spec: LengthReward, max_new_tokens: int) -> RewardSource:
    """Minus the share of the tokens between `spec.above` and the longest completion that one takes up."""

    def score(prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> list[float | None]:
        room = max_new_tokens - spec.above
        return [min(0.0, (spec.above - one.tokens) / room) for one in completions]

    return RewardSource(name=name, weight=spec.weight, applies=lambda _: True, score=score)


def build_sources(
    rewards: Mapping[str, Reward], models: RewardModels | None, max_new_tokens: int, device: Device
) -> list[RewardSource]:
    """The sources that settings name. Raises ConfigError for a reward model where the update is given none."""
    sources = []
    for name, spec in rewards.items():
        if isinstance(spec, VerifierReward):
            sources.append(verifier(name, spec.weight))
        elif isinstance(spec, LengthReward):
            sources.append(length(name, spec, max_new_tokens))
        elif models is None:
            raise ConfigError(
                f"update.rewards.{name}.kind=reward_model, and the update is given no reward model: train one, or take "
                f"the source out with ~update.rewards.{name}"
            )
        else:
            sources.append(reward_model(name, spec, models, device))
    return sources


def rewarded(sources: Sequence[RewardSource], prompts: Sequence[Prompt]) -> list[Prompt]:
    """The prompts to which a source applies. Raises ConfigError for a source that applies to none of them."""
    for one in sources:
        if not any(one.applies(prompt) for prompt in prompts):
            raise ConfigError(
                f"update.rewards.{one.name} applies to 0 of {len(prompts)} prompts: a verifier needs prompts with "
                f"references to compare with, so give closed ones, or take it out with ~update.rewards.{one.name}"
            )
    return [prompt for prompt in prompts if any(one.applies(prompt) for one in sources)]


def reward(
    sources: Sequence[RewardSource], prompts: Sequence[Prompt], completions: Sequence[Candidate], group_size: int
) -> Rewards:
    """The rewards of completions, which stand group by group behind the prompt of each.

    A reward is the weighted sum of all sources that apply to its prompt. It is missing where one of them said nothing,
    and in a group with fewer than two, which compares nothing. Raises StageError for what is no score.
    """
    found = [_asked(one, prompts, completions) for one in sources]
    total: list[float | None] = []
    for place in range(len(completions)):
        said = [(one.weight, by.scores[place]) for one, by in zip(sources, found, strict=True) if place in by.scores]
        parts = [weight * score for weight, score in said if score is not None]
        total.append(sum(parts) if parts and len(parts) == len(said) else None)
    for start in range(0, len(total), group_size):
        group = total[start : start + group_size]
        if sum(_there(group)) < 2:
            total[start : start + group_size] = [None] * len(group)
    return Rewards(total=tuple(total), sources=tuple(found), group_size=group_size)


def _asked(source: RewardSource, prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> SourceScores:
    places = [place for place, prompt in enumerate(prompts) if source.applies(prompt)]
    said = source.score([prompts[place] for place in places], [completions[place] for place in places])
    if len(said) != len(places):
        raise StageError(f"update.rewards.{source.name} gave {len(said)} scores for {len(places)} completions")
    scores = [None if one is None or math.isnan(one) else float(one) for one in said]
    if (endless := next((one for one in scores if one is not None and math.isinf(one)), None)) is not None:
        raise StageError(f"update.rewards.{source.name} gave the score {endless}, which cannot be compared with others")
    return SourceScores(name=source.name, scores=dict(zip(places, scores, strict=True)))


def _there(group: Sequence[float | None]) -> list[bool]:
    return [one is not None for one in group]


def _moments(mean: str, deviation: str, values: Sequence[float | None]) -> dict[str, float]:
    there = [value for value in values if value is not None]
    found = {mean: fmean(there)} if there else {}
    return found | ({deviation: stdev(there)} if len(there) > 1 else {})
