"""What is told of a stratum's answers beside the families that decide: within prompts, across prompts, beside people.

Nothing here raises an alarm. Whole texts are compared, so length moves these numbers; `probe` matches the lengths.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.coverage import precision_and_coverage
from selfreward.metrics.embed import Texts, Vectors, stacked
from selfreward.metrics.estimators import rarefied_distinct
from selfreward.metrics.human_recall import FEWEST_HUMAN_ANSWERS, recall_of
from selfreward.metrics.lexical import compression_ratio, self_bleu, self_repetition, simpson
from selfreward.metrics.matched_probe import SAME_MEANING
from selfreward.metrics.semantic import distinct_clusters, vendi2

HUMAN_NEIGHBOURS = 5
_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinPrompts:
    """Means over prompts: distinct meanings, order-2 Vendi score, self-BLEU; None of too few answers."""

    distinct_clusters: float | None
    vendi: float | None
    self_bleu: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossPrompts:
    """One answer a prompt for the Vendi score, all answers for the rest; None of too few."""

    vendi: float | None
    distinct1: float | None
    distinct2: float | None
    distinct3: float | None
    simpson: float | None
    self_repetition: float | None
    compression: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BesidePeople:
    """Recall of the human answers; precision and coverage of `texts` answers and as many human ones.

    Precision and coverage go by balls around human answers. With fewer of them to a prompt than neighbours these reach
    from prompt to prompt: they tell whether prompts are answered as people answer them, not how variedly.
    """

    texts: int
    recall: float | None
    precision: float | None
    coverage: float | None


def within_prompts(texts: Texts, vectors: Vectors, seed: int) -> WithinPrompts:
    """How varied the answers to one prompt are."""
    groups = [group for group in texts.values() if group]
    return WithinPrompts(
        distinct_clusters=mean([distinct_clusters(stacked(group, vectors), SAME_MEANING) for group in groups]),
        vendi=_mean_vendi([stacked(group, vectors) for group in groups if len(group) > 1]),
        self_bleu=mean([self_bleu(group, seed=seed) for group in groups]),
    )


def across_prompts(texts: Texts, vectors: Vectors, size: int, seed: int) -> AcrossPrompts:
    """How varied the answers to all prompts are; `size` n-grams are drawn for distinct-n."""
    every = [text for group in texts.values() for text in group]
    firsts = [group[0] for group in texts.values() if group]
    return AcrossPrompts(
        vendi=vendi2(stacked(firsts, vectors)),
        **{f"distinct{n}": rarefied_distinct(every, n=n, size=size) for n in (1, 2, 3)},
        simpson=simpson(every),
        self_repetition=self_repetition(every),
        compression=compression_ratio(every, size=_BYTES, seed=seed),
    )


def beside_people(texts: Texts, human: Texts, vectors: Vectors, seed: int) -> BesidePeople | None:
    """How the answers lie to those of people; None where there are too few of either."""
    luck = random.Random(seed)
    drawn = [text for group in texts.values() for text in group]
    people = [text for group in human.values() for text in group]
    count = min(len(drawn), len(people))
    if count < FEWEST_HUMAN_ANSWERS:
        return None
    ours = stacked(luck.sample(drawn, count), vectors)
    theirs = stacked(luck.sample(people, count), vectors)
    precision, coverage = precision_and_coverage(theirs, ours, HUMAN_NEIGHBOURS) or (None, None)
    return BesidePeople(texts=count, recall=recall_of(texts, human, vectors), precision=precision, coverage=coverage)


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that exist; None where none does."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _mean_vendi(groups: Sequence[NDArray[np.float64]]) -> float | None:
    """The inverse of the mean inverse: of a few vectors the inverse alone is unbiased, and no likeness makes it 0."""
    scores = [vendi2(group) for group in groups]
    inverse = mean([0.0 if score is None else 1 / score for score in scores])
    return 1 / inverse if inverse else None
