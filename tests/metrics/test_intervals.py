"""Intervals over prompts and the match on the temperature ladder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.metrics.intervals import Interval, bootstrap_mean, matched_weight, paired_difference

values = st.lists(st.floats(-100, 100), min_size=1, max_size=12)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=7)


def test_interval_of_equal_values_has_no_width() -> None:
    assert bootstrap_mean([0.25] * 5, seed=1) == Interval(value=0.25, low=0.25, high=0.25, n=5)


def test_an_average_of_nothing_is_none() -> None:
    assert bootstrap_mean([], seed=1) is None
    assert paired_difference([], [], seed=1) is None


def test_half_width_is_near_the_normal_one() -> None:
    sample_P = np.random.default_rng(0).normal(3, 2, size=400)
    interval = bootstrap_mean(sample_P, seed=1)
    assert interval is not None
    assert interval.value == sample_P.mean()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * sample_P.std() / 20, rel=0.1)


def test_a_95_percent_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.normal(size=60), seed) for seed in range(300)]
    covered = sum(interval is not None and interval.low <= 0 <= interval.high for interval in intervals)
    # 285 expected, standard deviation 3.8; the percentile interval is slightly narrow at P = 60.
    assert 267 <= covered <= 297


@given(values, st.integers(0, 2**32))
def test_bootstrap_depends_on_values_and_seed_only(sample: list[float], seed: int) -> None:
    interval = bootstrap_mean(sample, seed)
    assert interval == bootstrap_mean(np.array(sample), seed)
    assert interval is not None
    assert min(sample) - 1e-9 <= interval.low <= interval.high <= max(sample) + 1e-9


def test_another_seed_gives_other_limits() -> None:
    sample = np.random.default_rng(0).normal(size=40)
    assert bootstrap_mean(sample, seed=1) != bootstrap_mean(sample, seed=2)


@pytest.mark.parametrize("bad", [[1.0, float("nan")], [float("inf")], np.ones((2, 2))])
def test_bootstrap_refuses_gaps_and_tables(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite value per prompt"):
        bootstrap_mean(bad, seed=0)


def test_pairing_removes_what_both_share() -> None:
    prompts_P = np.random.default_rng(0).normal(0, 50, size=40)
    interval = paired_difference(prompts_P + 1, prompts_P, seed=3)
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == pytest.approx((1, 1, 1))
    assert interval.n == 40


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=9))
def test_swapping_the_sides_turns_the_interval_round(pairs: list[tuple[int, int]]) -> None:
    left, right = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    there, back = paired_difference(left, right, seed=5), paired_difference(right, left, seed=5)
    assert there is not None and back is not None
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_unpaired_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 values cannot be paired"):
        paired_difference([1, 2], [1, 2, 3], seed=0)


@pytest.mark.parametrize(
    ("target", "ladder", "expected"),
    [
        (0.5, [0.25, 0.75], (0, 1, 0.5)),
        (0.375, [0.25, 0.5, 0.75], (0, 1, 0.5)),
        (0.5, [0.25, 0.5, 0.75], (1, 2, 0.0)),
        (0.75, [0.25, 0.5, 0.75], (1, 2, 1.0)),
        (0.1, [0.25, 0.5, 0.75], (0, 0, 0.0)),
        (0.9, [0.25, 0.5, 0.75], (2, 2, 0.0)),
        (0.9, [0.25, 0.75, 0.5], (1, 1, 0.0)),
        (0.9, [0.75, 0.5, 0.75], (2, 2, 0.0)),
        (0.625, [0.25, 0.75, 0.5], (1, 2, 0.5)),
        (0.5, [0.5, 0.5], (0, 1, 1.0)),
        (0.5, [0.5], (0, 0, 0.0)),
    ],
    ids=["middle", "pair", "rung", "top", "below", "above", "peak", "tied-peak", "hottest-of-two", "flat", "single"],
)
def test_matched_weight_by_hand(target: float, ladder: list[float], expected: tuple[int, int, float]) -> None:
    assert matched_weight(target, ladder) == expected


@given(st.floats(-0.5, 1.5), shares)
def test_matched_weight_meets_the_target_clamped_to_the_range(target: float, ladder: list[float]) -> None:
    i, j, weight = matched_weight(target, ladder)
    clamped = min(max(target, min(ladder)), max(ladder))
    assert j - i in (0, 1) and 0 <= weight <= 1
    assert (1 - weight) * ladder[i] + weight * ladder[j] == pytest.approx(clamped, abs=1e-12)


@given(st.floats(0, 1), shares)
def test_no_hotter_pair_brackets_the_target(target: float, ladder: list[float]) -> None:
    i, j, _ = matched_weight(target, ladder)
    if i != j:
        hotter = zip(ladder[j:], ladder[j + 1 :], strict=False)
        assert not any(min(pair) <= target <= max(pair) for pair in hotter)


@pytest.mark.parametrize(("target", "ladder"), [(0.5, []), (float("nan"), [0.5]), (0.5, [float("nan")])])
def test_matched_weight_refuses_gaps(target: float, ladder: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot match"):
        matched_weight(target, ladder)
