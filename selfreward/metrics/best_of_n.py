"""Best of n of one policy, for every n up to k, from k candidates of each prompt that are already drawn and scored.

The candidate with the best proxy score out of n is the policy that 2210.10760 (Gao, Schulman and Hilton) optimises a
proxy with where nothing is trained. The value of all n-subsets of the k candidates is averaged exactly, by how many of
them a candidate is the best of. That is unbiased in n: its expectation is that of n fresh candidates, whatever k is. It
needs candidates that are independent draws of one policy, so none of a mixture.

Shape suffixes: K candidates, R distinct proxy scores.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.intervals import Interval, bootstrap_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCandidates:
    """The candidates of one prompt that have both scores, in any order."""

    proxy: Sequence[float]
    gold: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN:
    """Best of `n` by the proxy: `kl` to the policy that drew, in nats per answer, and the expected scores.

    The intervals are those of `bootstrap_mean`, over prompts.
    """

    n: int
    kl: float
    proxy: Interval
    gold: Interval


def best_of_n_kl(n: int) -> float:
    """The KL of best of n to the policy that drew, log n - (n - 1) / n nats.

    Exact where no two answers have the same score. Language models repeat answers and scores have ties; then it is an
    upper bound (Beirami et al. 2401.01879), which is loose where n comes near the number of likely answers.
    """
    return math.log(n) - (n - 1) / n


def best_of_n(candidates: ScoredCandidates, n: int) -> tuple[float, float]:
    """The mean proxy score, and the mean gold score, of the proxy-best of all n-subsets of the candidates.

    Candidates with equal proxy scores share the subsets that they are best of. Raises ValueError unless 1 <= n <= K and
    every candidate has two finite scores.
    """
    proxy_K, gold_K = (np.asarray(one, dtype=np.float64) for one in (candidates.proxy, candidates.gold))
    if proxy_K.shape != gold_K.shape or not (np.isfinite(proxy_K).all() and np.isfinite(gold_K).all()):
        raise ValueError(
            f"{proxy_K.size} proxy and {gold_K.size} gold scores: each candidate needs a finite one of each"
        )
    if not 1 <= n <= len(proxy_K):
        raise ValueError(f"best of {n} out of {len(proxy_K)} candidates does not exist")
    weights_K = _shares_best(proxy_K, n)
    return float((weights_K * proxy_K).sum()), float((weights_K * gold_K).sum())


def best_of_n_curve(prompts: Sequence[ScoredCandidates], sizes: Sequence[int], seed: int) -> list[BestOfN]:
    """Best of each n of `sizes`, over the same prompts throughout; empty without prompts.

    Raises ValueError where a prompt has fewer candidates than the largest n: to leave it out would change what is
    measured.
    """
    if not prompts:
        return []
    curve = []
    for n in sizes:
        means_P = np.array([best_of_n(one, n) for one in prompts])
        proxy, gold = _mean(means_P[:, 0], seed), _mean(means_P[:, 1], seed)
        curve.append(BestOfN(n=n, kl=best_of_n_kl(n), proxy=proxy, gold=gold))
    return curve


def _shares_best(proxy_K: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """In which share of the n-subsets each candidate is the best, ties shared; the shares add up to 1."""
    _, rank_K, size_R = np.unique(proxy_K, return_inverse=True, return_counts=True)
    whole, reached, below = math.comb(len(proxy_K), n), 0, 0
    share_R = []
    for size in size_R.tolist():
        reached += size
        # The subsets within the candidates up to this score, without those within the lower ones. As whole numbers:
        # floats of this size would lose the difference.
        among = math.comb(reached, n)
        share_R.append((among - below) / whole / size)
        below = among
    return np.array(share_R)[rank_K]


def _mean(values_P: NDArray[np.float64], seed: int) -> Interval:
    found = bootstrap_mean(values_P, seed)
    assert found is not None, "there are prompts"
    return found
