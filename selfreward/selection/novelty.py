"""What the controller may order of a selection: fewer candidates to choose from, novelty first, no crowd of one answer.

Novelty is the mean cosine distance of an answer to the others of its prompt, under `embed_hashing`: it sees spelling
alone and needs no model. Source: DivPO, Lanchantin et al. 2025 (2501.18101), with a quantile for its threshold.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import TypeVar

import numpy as np

from selfreward.artifacts import Part
from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.semantic import cluster_labels
from selfreward.monitor.controller import Orders
from selfreward.records import Prompt
from selfreward.selection.pool import Rated, SelectBase, best_first

NEAR = 0.1
"""The cosine distance up to which two answers are near-equal. One word of twenty makes .03; answers to different
prompts lie .2 apart or more."""

NO_ORDERS = Orders()

Pick = tuple[Prompt, tuple[Rated, ...]]
"""A prompt with its chosen answer and, of a pair, the rejected one."""

Ordered = TypeVar("Ordered", bound=SelectBase)


def orders_of(decision: Part | None) -> Orders:
    """What a decision, its part `orders`, wants of the next selection; nothing where there is no decision yet."""
    return NO_ORDERS if decision is None else Orders(**decision.json("orders")["orders"])


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


def within_cap(picks: Sequence[Pick], cap: int) -> tuple[list[Pick], list[Pick]]:
    """`picks` with at most `cap` chosen answers of each cluster of near-equal ones, the best-scored; and the others.

    Clusters are made over all open prompts together. Picks of closed prompts all stay: a right answer may repeat.
    """
    places = [place for place, (prompt, _) in enumerate(picks) if prompt.stratum == "open"]
    labels = cluster_labels(embed_hashing([picks[place][1][0].candidate.text for place in places]), NEAR)

    def rank(of: tuple[int, int]) -> tuple[float, str]:
        chosen = picks[of[0]][1][0]
        return -chosen.worth, chosen.candidate.id

    taken: Counter[int] = Counter()
    over: set[int] = set()
    for place, label in sorted(zip(places, labels.tolist(), strict=True), key=rank):
        taken[label] += 1
        if taken[label] > cap:
            over.add(place)
    kept = [pick for place, pick in enumerate(picks) if place not in over]
    return kept, [picks[place] for place in sorted(over)]


def take_back(kept: Sequence[Pick], over: Sequence[Pick], first: Container[Rated], counts: Counter[str]) -> set[str]:
    """The ids of the candidates that only stand in picks over the cap; `counts`, which has all picks, is set right.

    Answers of iteration 0 (`first`) are no candidates of the round.
    """
    lost = _ids(over, first) - _ids(kept, first)
    counts.update(
        over_cluster_cap=len(lost),
        selected=-len(lost),
        prompts_without_selection=len({prompt.id for prompt, _ in over} - {prompt.id for prompt, _ in kept}),
    )
    if "pairs" in counts:
        counts["pairs"] -= len(over)
    if "anchored" in counts:
        counts["anchored"] -= sum(one in first for _, chosen in over for one in chosen)
    return lost


def _ids(picks: Sequence[Pick], first: Container[Rated]) -> set[str]:
    return {one.candidate.id for _, chosen in picks for one in chosen if one not in first}


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
