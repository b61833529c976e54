"""What the controller may order of a selection: fewer candidates to choose from, novelty first, no crowd of one answer.

Novelty is the mean cosine distance of an answer to the others of its prompt, under `embed_hashing`: it sees spelling
alone and needs no model. Source: DivPO, Lanchantin et al. 2025 (2501.18101), with a quantile for its threshold.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import TypeVar

import numpy as np

from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.semantic import cluster_labels
from selfreward.monitor.controller import Orders
from selfreward.selection.choice import Choice, Picked
from selfreward.selection.pool import Rated, SelectBase, best_first

NEAR = 0.1
"""The cosine distance up to which two answers are near-equal. One word of twenty makes .03; answers to different
prompts lie .2 apart or more."""

NO_ORDERS = Orders()

Ordered = TypeVar("Ordered", bound=SelectBase)


def lowered(spec: Ordered, orders: Orders) -> Ordered:
    """`spec` with the `k` that is ordered, never more than its own."""
    return spec if orders.select_k is None else spec.model_copy(update={"k": min(spec.k, orders.select_k)})


def most_novel(able: Sequence[Rated], orders: Orders) -> list[Rated]:
    """Those of the candidates at or above the ordered quantile of their scores, the most novel first.

    Equal novelty is ranked by score, then by index.
    """
    return _preferable(able, orders, _novelty(able))


def parted(able: Sequence[Rated], orders: Orders) -> tuple[list[Rated], list[Rated]]:
    """The candidates that may be preferred, the most novel first, and the others, the least novel first.

    The lowest score is never preferred, even where so many share it that it is the quantile; so the first part is
    empty where all scores are equal, and nowhere else.
    """
    novelty = _novelty(able)
    lowest = min((one.worth for one in able), default=0.0)
    good = [one for one in _preferable(able, orders, novelty) if one.worth > lowest]
    bad = [one for one in able if one not in good]
    return good, sorted(bad, key=lambda one: (novelty[one.candidate.id], one.worth, one.candidate.index))


def within_cap(choices: Sequence[Choice], cap: int) -> list[Choice]:
    """`choices` with at most `cap` chosen answers of each cluster of near-equal ones, the best-scored.

    Clusters are made over all open prompts together. Picks of closed prompts all stay: a right answer may repeat.
    """
    open_ = [(place, pick) for place, one in enumerate(choices) if one.prompt.stratum == "open" for pick in one.picks]
    labels = cluster_labels(embed_hashing([pick[0].candidate.text for _, pick in open_]), NEAR).tolist()
    taken: Counter[int] = Counter()
    over: dict[int, list[Picked]] = {}
    for (place, pick), label in sorted(zip(open_, labels, strict=True), key=lambda one: _best_chosen(one[0][1])):
        taken[label] += 1
        if taken[label] > cap:
            over.setdefault(place, []).append(pick)
    return [one.without(over[place]) if place in over else one for place, one in enumerate(choices)]


def _best_chosen(pick: Picked) -> tuple[float, str]:
    worth = pick[0].known_worth
    return inf if worth is None else -worth, pick[0].candidate.id


def _preferable(able: Sequence[Rated], orders: Orders, novelty: Mapping[str, float]) -> list[Rated]:
    assert orders.novelty_quantile is not None, "an order of novelty comes with its quantile"
    if not able:
        return []
    floor = float(np.quantile([one.worth for one in able], orders.novelty_quantile))
    good = [one for one in able if one.worth >= floor]
    return sorted(good, key=lambda one: (-novelty[one.candidate.id], *best_first(one)))


def _novelty(able: Sequence[Rated]) -> dict[str, float]:
    """The mean cosine distance of each candidate to the others, in [0, 1], by id; 0 for one alone.

    Texts without words are alike, as in `mean_pairwise_distance`. Rounded, so that equal distances are equal.
    """
    vectors_KD = embed_hashing([one.candidate.text for one in able])
    empty_K = ~vectors_KD.any(axis=1)
    distances_KK = 1 - vectors_KD @ vectors_KD.T - np.outer(empty_K, empty_K)
    np.fill_diagonal(distances_KK, 0)
    means_K = np.round(distances_KK.sum(axis=1) / max(len(able) - 1, 1), 9)
    return {one.candidate.id: mean for one, mean in zip(able, means_K.tolist(), strict=True)}
