"""Closed forms at figures worked out apart from them, and the verdict on a simulation that misses one."""

import math

import numpy as np
import pytest
from scipy import special

from selfreward.benchmarks.bench_table import failures
from selfreward.benchmarks.bigram_chain import chain_section, expected_survivors, human_bigrams
from selfreward.benchmarks.formulas import (
    best_of_k_later,
    compared,
    equal_at_rest,
    formula_section,
    largest_of,
    survivors,
    zipf,
)


def effective_modes(policy_K: np.ndarray) -> float:
    return math.exp(special.entr(policy_K).sum())


def test_a_simulation_that_misses_its_formula_is_named() -> None:
    values = np.random.default_rng(0).standard_normal(400)
    assert compared("right", 0.0, values).passed
    assert not compared("wrong", 0.3, values).passed


def test_every_formula_holds_at_a_small_size() -> None:
    assert failures([formula_section(np.random.SeedSequence(0), 0.1)]) == []


def test_every_formula_of_the_bigram_model_holds_at_a_small_size() -> None:
    assert failures([chain_section(np.random.SeedSequence(0), 30)]) == []


@pytest.mark.parametrize(("k", "mean", "variance"), [(2, 1 / math.sqrt(math.pi), 1 - 1 / math.pi), (8, 1.424, 0.3729)])
def test_the_largest_of_k_normals(k: int, mean: float, variance: float) -> None:
    assert largest_of(k) == pytest.approx((mean, variance), abs=5e-4)


def test_survivors_of_two_answers_by_hand() -> None:
    # Both are drawn with chance 1/2; once one is lost it stays lost.
    assert survivors(np.array([0.5, 0.5]), 2, 2) == pytest.approx([1.5, 1.25])


@pytest.mark.parametrize(("t", "left"), [(1, 632.1), (2, 468.5), (10, 158.2), (50, 37.6)])
def test_survivors_lie_within_one_above_their_poisson_limit(t: int, left: float) -> None:
    # The limit: sum_i 1 - exp(-n p_i s_{t-1}) with s_0 = 1, s_{j+1} = 1 - exp(-s_j).
    assert 0 < survivors(np.full(1000, 1e-3), 1000, t)[-1] - left < 1


@pytest.mark.parametrize(("real", "modes"), [(0.05, 13.0), (0.1, 18.4), (0.3, 25.8)])
def test_effective_modes_at_rest(real: float, modes: float) -> None:
    assert 1 / equal_at_rest(float((zipf(1000) ** 2).sum()), 200, real) == pytest.approx(modes, abs=0.05)


def test_rounds_of_best_of_k_are_one_round_of_a_larger_k() -> None:
    start_K = np.random.default_rng(0).permutation(zipf(100))
    assert best_of_k_later(start_K, 4, 3, 0.0) == pytest.approx(best_of_k_later(start_K, 64, 1, 0.0))


def test_a_real_share_keeps_that_much_of_every_answer() -> None:
    start_K = zipf(100)
    assert (best_of_k_later(start_K, 8, 40, 0.3) >= 0.3 * start_K - 1e-12).all()


def test_the_best_answer_takes_over_unless_the_real_share_is_1_less_1_over_k() -> None:
    # A rare best answer: without the threshold its mass would be the same on both sides.
    start_K = np.array([1 - 1e-6, 1e-6])
    assert best_of_k_later(start_K, 4, 200, 0.70)[1] > 0.05
    assert best_of_k_later(start_K, 4, 200, 0.80)[1] < 1e-4


def test_bigrams_die_out_and_common_ones_last() -> None:
    bigrams = human_bigrams()
    left = [expected_survivors(bigrams, t) for t in (1, 5, 25)]
    assert len(set(bigrams)) > left[0] > left[1] > left[2] > len({context for context, _ in bigrams}) - 1
