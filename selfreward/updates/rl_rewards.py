"""What sources of rewards say in reinforcement learning, and how that becomes one number for each completion.

A completion that lacks what one of its sources should have said has no reward: it is never given 0.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean, stdev

from selfreward.errors import ConfigError, StageError
from selfreward.records import Candidate, Outcome, Prompt

Said = float | Outcome | None
"""What a source says of a completion: a score, or why there is none, in a word where it knows one."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a source said of completions, in order, and the `tokens` that judges read and wrote for that."""

    said: Sequence[Said]
    tokens: int = 0


Score = Callable[[Sequence[Prompt], Sequence[Candidate]], Scores]
"""Scores completions, each behind its prompt; every group has a prompt of its own."""


HERE = ""
"""What asks no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSource:
    """A source of rewards: what it `applies` to and how it scores that; scores count by `weight`.

    `asks` names what works for it: models at addresses, and HERE, this process. Sources that have nothing of that in
    common are asked at the same time.
    """

    name: str
    weight: float
    applies: Callable[[Prompt], bool]
    score: Score
    asks: frozenset[str] = frozenset({HERE})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScores:
    """What a source said of the completions that it applies to, by their places; None where it said nothing.

    `why` counts what came instead, where the source says; `tokens` are those that judges read and wrote.
    """

    name: str
    scores: Mapping[int, float | None]
    why: Mapping[str, int]
    tokens: int

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
            found[f"{name}/tokens"] = float(one.tokens)
            found |= _moments(f"{name}/mean", f"{name}/deviation", list(one.scores.values()))
        return found


def rewarded(sources: Sequence[RewardSource], prompts: Sequence[Prompt]) -> list[Prompt]:
    """The prompts to which a source applies. Raises ConfigError for a source that applies to none of them."""
    for one in sources:
        if not any(one.applies(prompt) for prompt in prompts):
            raise ConfigError(
                f"update.rewards.{one.name} applies to 0 of {len(prompts)} prompts: it compares with references, so "
                f"give prompts that have some, a verifier closed ones, or take it out with ~update.rewards.{one.name}"
            )
    return [prompt for prompt in prompts if any(one.applies(prompt) for one in sources)]


def reward(
    sources: Sequence[RewardSource], prompts: Sequence[Prompt], completions: Sequence[Candidate], group_size: int
) -> Rewards:
    """The rewards of completions, which stand group by group behind the prompt of each.

    A reward is the weighted sum of all sources that apply to its prompt. It is missing where one of them said nothing,
    and in a group with fewer than two, which compares nothing. Sources that ask at different addresses are asked at the
    same time, and meanwhile those of this process, one after the other. Raises StageError for what is no score.
    """
    found = _all_asked(sources, prompts, completions, group_size)
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


def _all_asked(
    sources: Sequence[RewardSource], prompts: Sequence[Prompt], completions: Sequence[Candidate], group_size: int
) -> list[SourceScores]:
    """What each source said, in order; of several errors, that of a source of this process, else the first."""

    def ask(line: Sequence[RewardSource]) -> dict[str, SourceScores]:
        return {one.name: _asked(one, prompts, completions, group_size) for one in line}

    lines = _lines(sources)
    here = next((line for line in lines if any(HERE in one.asks for one in line)), [])
    with ThreadPoolExecutor(len(lines), thread_name_prefix="rewards") as threads:
        waiting = [threads.submit(ask, line) for line in lines if line is not here]
        found = ask(here)
        for one in waiting:
            found |= one.result()
    return [found[one.name] for one in sources]


def _lines(sources: Sequence[RewardSource]) -> list[list[RewardSource]]:
    """The sources in lines that have nothing in common: the requests to a model are counted and limited together."""
    lines: list[list[RewardSource]] = []
    for source in sources:
        joined = [line for line in lines if any(one.asks & source.asks for one in line)]
        lines = [line for line in lines if line not in joined] + [[*chain.from_iterable(joined), source]]
    return lines


def _asked(
    source: RewardSource, prompts: Sequence[Prompt], completions: Sequence[Candidate], group_size: int
) -> SourceScores:
    places = [place for place, prompt in enumerate(prompts) if source.applies(prompt)]
    # A prompt may be drawn for twice in a step: what is compared is compared within a group.
    asked = [replace(prompts[place], id=f"{place // group_size}-{prompts[place].id}") for place in places]
    found = source.score(asked, [completions[place] for place in places])
    said = found.said
    if len(said) != len(places):
        raise StageError(f"update.rewards.{source.name} gave {len(said)} scores for {len(places)} completions")
    scores = [None if one is None or isinstance(one, str) or math.isnan(one) else float(one) for one in said]
    if (endless := next((one for one in scores if one is not None and math.isinf(one)), None)) is not None:
        raise StageError(f"update.rewards.{source.name} gave the score {endless}, which cannot be compared with others")
    why = Counter(str(one) for one in said if isinstance(one, str))
    kept = dict(zip(places, scores, strict=True))
    return SourceScores(name=source.name, scores=kept, why=why, tokens=found.tokens)


def _there(group: Sequence[float | None]) -> list[bool]:
    return [one is not None for one in group]


def _moments(mean: str, deviation: str, values: Sequence[float | None]) -> dict[str, float]:
    there = [value for value in values if value is not None]
    found = {mean: fmean(there)} if there else {}
    return found | ({deviation: stdev(there)} if len(there) > 1 else {})
