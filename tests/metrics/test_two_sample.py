"""The two-sample test: uniform p-values under one distribution, small ones under two."""

import numpy as np
import pytest

from selfreward.metrics.embed import embed_hashing
from selfreward.metrics.two_sample import two_sample


def test_under_one_distribution_p_values_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(200):
        found = two_sample(rng.normal(size=(12, 3)), rng.normal(size=(20, 3)), seed=seed, permutations=99)
        assert found is not None
        p_values.append(found.p_value)
    for level in (0.05, 0.25, 0.5, 0.75):
        share = np.mean(np.array(p_values) <= level)
        assert share == pytest.approx(level, abs=3.5 * np.sqrt(level * (1 - level) / 200))


@pytest.mark.parametrize("change", [lambda y: y + 1, lambda y: y * 3], ids=["moved", "widened"])
def test_under_two_distributions_the_p_value_is_small(change) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    found = two_sample(rng.normal(size=(60, 4)), change(rng.normal(size=(60, 4))), seed=0, permutations=199)
    assert found is not None and found.p_value == 1 / 200 and found.statistic > 0.1


def test_the_statistic_is_that_of_the_formula() -> None:
    found = two_sample(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]]), seed=0, permutations=9)
    across, within_x, within_y = (1 + 5 + 1 + 3) / 4, (0 + 2 + 2 + 0) / 4, (0 + 4 + 4 + 0) / 4
    assert found is not None and found.statistic == pytest.approx(2 * across - within_x - within_y)


def test_equal_samples_are_at_no_distance() -> None:
    vectors = np.arange(12.0).reshape(6, 2)
    found = two_sample(vectors, vectors, seed=0, permutations=19)
    assert found is not None and found.statistic == pytest.approx(0, abs=1e-9) and found.p_value == 1.0


def test_nothing_is_compared_with_nothing() -> None:
    assert two_sample(np.zeros((0, 2)), np.zeros((3, 2)), seed=0, permutations=9) is None


def test_prompts_of_another_kind_are_told_apart() -> None:
    sums = embed_hashing([f"What is {n} + {n * 7 % 13}?" for n in range(40)])
    poems = embed_hashing(
        [f"Write a poem about the {word} sea." for word in ["blue", "old", "wide", "calm", "deep", "cold"] * 4]
    )
    found = two_sample(sums, poems, seed=0, permutations=99)
    assert found is not None and found.p_value == 0.01
