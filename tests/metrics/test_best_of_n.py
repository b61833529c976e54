"""Best of n from candidates already drawn: every subset counted, and the same as fresh draws."""

import math
from itertools import combinations, product
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.metrics.best_of_n import ScoredCandidates, best_of_n, best_of_n_curve, best_of_n_kl

SCORES = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5)), min_size=1, max_size=7)


def of(*pairs: tuple[float, float]) -> ScoredCandidates:
    return ScoredCandidates(proxy=[proxy for proxy, _ in pairs], gold=[gold for _, gold in pairs])


def by_hand(pairs: list[tuple[float, float]], n: int) -> tuple[float, float]:
    """Over all subsets, a tie decided by an equal chance of each."""
    proxies, golds = [], []
    for subset in combinations(pairs, n):
        best = max(proxy for proxy, _ in subset)
        proxies.append(best)
        golds.append(fmean(gold for proxy, gold in subset if proxy == best))
    return fmean(proxies), fmean(golds)


@given(SCORES)
def test_it_is_the_mean_over_all_subsets(pairs: list[tuple[int, int]]) -> None:
    for n in range(1, len(pairs) + 1):
        assert best_of_n(of(*pairs), n) == pytest.approx(by_hand(pairs, n))


def test_it_is_the_mean_over_all_subsets_of_a_dozen() -> None:
    rng = np.random.default_rng(0)
    pairs = [(round(float(one), 1), float(rng.standard_normal())) for one in rng.standard_normal(12)]
    for n in range(1, 13):
        assert best_of_n(of(*pairs), n) == pytest.approx(by_hand(pairs, n))


def test_its_expectation_is_that_of_n_fresh_candidates_however_many_were_drawn() -> None:
    """Exact: a policy with three answers, over all that it may draw, two of them alike to the proxy."""
    answers, chances = [(0.0, 1.0), (1.0, 3.0), (1.0, -2.0)], (0.5, 0.3, 0.2)

    def expected(k: int, n: int) -> float:
        drawn = product(range(3), repeat=k)
        return sum(
            math.prod(chances[i] for i in row) * best_of_n(of(*(answers[i] for i in row)), n)[1] for row in drawn
        )

    for n in (1, 2, 3):
        assert [expected(k, n) for k in range(n, 6)] == pytest.approx([expected(n, n)] * (6 - n))


def test_many_candidates_are_counted_without_rounding_away_the_best() -> None:
    k = 2000
    pairs = [(float(one), float(one)) for one in range(k)]
    assert best_of_n(of(*pairs), 1)[1] == pytest.approx((k - 1) / 2)
    assert best_of_n(of(*pairs), 1000)[1] == pytest.approx(1000 * (k + 1) / 1001 - 1)
    assert best_of_n(of(*pairs), k) == (k - 1, k - 1)


def test_gold_turns_where_the_proxy_likes_the_worst_candidate_best() -> None:
    prompt = of(*[(score, score if score < 8 else -20) for score in range(9)])
    curve = best_of_n_curve([prompt, prompt], [1, 2, 3, 8], seed=0)
    proxies, golds = [one.proxy.value for one in curve], [one.gold.value for one in curve]
    assert proxies == sorted(proxies)
    assert golds == sorted(golds, reverse=True)


def test_kl_of_best_of_n() -> None:
    assert best_of_n_kl(1) == 0
    assert best_of_n_kl(4) == pytest.approx(math.log(4) - 0.75)
    point = best_of_n_curve([of((0, 0), (1, 1)), of((0, 1), (1, 0))], [2], seed=0)[0]
    assert (point.n, point.kl, point.gold.value, point.gold.n) == (2, best_of_n_kl(2), 0.5, 2)


@pytest.mark.parametrize("n", [0, 3])
def test_more_than_was_drawn_does_not_exist(n: int) -> None:
    with pytest.raises(ValueError, match=f"best of {n} out of 2 candidates"):
        best_of_n(of((0, 0), (1, 1)), n)


def test_a_candidate_without_a_score_is_refused() -> None:
    with pytest.raises(ValueError, match="2 proxy and 1 gold scores"):
        best_of_n(ScoredCandidates(proxy=[1, 2], gold=[1]), 1)
    with pytest.raises(ValueError, match="a finite one of each"):
        best_of_n(of((0, float("nan"))), 1)
    assert best_of_n_curve([], [1, 2], seed=0) == []
