"""What selection itself does to the variety of answers, before anything is trained on them."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from selfreward.artifacts import Artifact
from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.semantic import cluster_labels, vendi2
from selfreward.records import STRATA, Example, Stratum
from selfreward.row_kinds import margin_of, wanted_candidates
from selfreward.selection.novelty import NEAR
from selfreward.selection.pool import Rated, SelectBase, eligible, pools
from selfreward.selection.training_rows import row_kind

_DRAWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What tells which prompts to look at."""

    id: str
    stratum: Stratum


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """How a selection changes the variety of answers, on `prompts` prompts and `accepted` answers.

    selection_ratio: the effective number (`vendi2` of hashed vectors) of the accepted answers divided by that of a
        random sample of equal size from the same prompts' candidates, mean over 16 draws. Below 1 the judge narrows.
    accepted_entropy: that of the clusters of near-equal accepted answers, in nats.
    score_gap: of examples, the mean over prompts of the accepted scores' mean minus that of the other scores; of
        pairs, the mean margin. In the judge's unit; near 0 there is nothing left to learn.
    zero_gap_share: the share of prompts, of those with two scores or more, whose scores are all equal.
    """

    prompts: int
    accepted: int
    selection_ratio: float | None
    accepted_entropy: float | None
    score_gap: float | None
    zero_gap_share: float | None


def narrowing(
    selected: Artifact, candidates: Artifact, judgments: Artifact, prompts: Artifact, seed: int, sample: int = 256
) -> Narrowing:
    """How much a selection narrows, on at most `sample` random open prompts; on all prompts where none is open.

    The policy's own examples or pairs count, and of other candidates those that ended by themselves, say something and
    have a score.
    """
    asked = _sampled_prompts(prompts, seed, sample)
    chosen, margins = _taken(selected, asked)
    groups = [rated for _, rated in pools(prompts, candidates, judgments, only=asked)]
    able = [eligible(SelectBase(), rated) for rated in groups]
    vectors_ND = embed_hashing([one.candidate.text for group in able for one in group])
    places = _places(able, chosen)
    accepted = [place for mine, _ in places for place in mine]
    scores = [[one.score for one in rated if one.score is not None] for rated in groups]
    flat = [len(set(one)) == 1 for one in scores if len(one) > 1]
    gaps = margins or list(_gaps(groups, chosen))
    return Narrowing(
        prompts=len(groups),
        accepted=len(accepted),
        selection_ratio=_ratio(vectors_ND, places, seed),
        accepted_entropy=_entropy(vectors_ND[accepted]),
        score_gap=fmean(gaps) if gaps else None,
        zero_gap_share=fmean(flat) if flat else None,
    )


def _sampled_prompts(prompts: Artifact, seed: int, sample: int) -> set[str]:
    """The prompts to look at, at random; those sampled to pair a human answer are not selected from."""
    human = {example.prompt_id for example in prompts.records(Example, "human")}

    def ids(strata: Collection[Stratum]) -> list[str]:
        known = prompts.records(_Asked)
        return sorted(one.id for one in known if one.stratum in strata and one.id not in human)

    able = ids(["open"]) or ids(STRATA)
    return set(random.Random(seed).sample(able, min(sample, len(able))))


def _taken(selected: Artifact, asked: set[str]) -> tuple[set[str], list[float]]:
    """The ids of the accepted candidates, and the margins of pairs, of the prompts that are asked for."""
    kind = row_kind(selected)
    rows = list(selected.records(kind.record, kind.table, only=("prompt_id", asked)))
    margins = [margin for row in rows if (margin := margin_of(row)) is not None]
    return {one for row in rows for one in wanted_candidates(row)}, margins


def _places(able: Sequence[Sequence[Rated]], chosen: set[str]) -> list[tuple[list[int], list[int]]]:
    """For each prompt with an accepted answer: the rows of its accepted ones, and of all that a lot could take."""
    found, start = [], 0
    for group in able:
        every = list(range(start, start + len(group)))
        mine = [place for place, one in zip(every, group, strict=True) if one.candidate.id in chosen]
        start += len(group)
        if mine:
            found.append((mine, every))
    return found


def _ratio(vectors_ND: NDArray[np.float64], places: Sequence[tuple[list[int], list[int]]], seed: int) -> float | None:
    accepted = vendi2(vectors_ND[[place for mine, _ in places for place in mine]])
    luck = random.Random(seed)
    lots = ([place for mine, every in places for place in luck.sample(every, len(mine))] for _ in range(_DRAWS))
    by_lot = [found for lot in lots if (found := vendi2(vectors_ND[lot])) is not None]
    return accepted / fmean(by_lot) if accepted is not None and len(by_lot) == _DRAWS else None


def _entropy(vectors_ND: NDArray[np.float64]) -> float | None:
    """The entropy of the clusters of near-equal rows, in nats; None without rows."""
    if not len(vectors_ND):
        return None
    _, sizes = np.unique(cluster_labels(vectors_ND, NEAR), return_counts=True)
    shares = sizes / sizes.sum()
    return max(0.0, float(-(shares * np.log(shares)).sum()))


def _gaps(groups: Sequence[Sequence[Rated]], chosen: set[str]) -> Iterator[float]:
    """The mean accepted score minus the mean of the others, of each prompt that has both."""
    for rated in groups:
        mine = [one.score for one in rated if one.score is not None and one.candidate.id in chosen]
        others = [one.score for one in rated if one.score is not None and one.candidate.id not in chosen]
        if mine and others:
            yield fmean(mine) - fmean(others)
