"""One figure with its interval, or the reason why there is none."""

import numpy as np
import pytest

from selfreward.judge_quality.estimate import Array, Measure, mean_of, measure_of, missing, weights_of
from selfreward.metrics.intervals import bootstrap_mean, resamples


def test_the_bootstrap_of_a_weighted_mean_is_the_bootstrap_of_the_mean() -> None:
    values_P = np.random.default_rng(0).normal(size=700)

    def mean(weights_BP: Array) -> Array:
        return weights_BP @ values_P / len(values_P)

    measure, interval = measure_of(mean, range(700), 3, "never"), bootstrap_mean(values_P, 3)
    assert measure.interval is not None and interval is not None
    assert (measure.interval.low, measure.interval.high) == pytest.approx((interval.low, interval.high))


def test_every_resample_draws_as_many_items_as_there_are() -> None:
    weights_BP = np.concatenate([weights_of(chosen_BP) for chosen_BP in resamples(7, seed=1)])
    assert weights_BP.shape == (2000, 7)
    assert (weights_BP.sum(axis=1) == 7).all()
    assert weights_BP.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)


def test_values_that_are_missing_are_counted_not_averaged() -> None:
    measure = mean_of([1.0, None, 1.0, None, None], range(5), 0, "none")
    assert measure == Measure(value=1.0, low=1.0, high=1.0, n=2, left_out=3, prompts=2, error=0.0)
    assert mean_of([None, None], "ab", 0, "nothing was said") == missing("nothing was said", 2)


def test_a_statistic_that_most_resamples_lack_is_missing_with_its_reason() -> None:
    def seldom(weights_BP: Array) -> Array:
        return np.where((weights_BP > 0).all(axis=1), 1.0, np.nan)

    measure = measure_of(seldom, range(10), 0, "needs every item")
    assert measure.interval is None
    assert measure.why_missing == "needs every item: too seldom defined on resamples of 10 prompts"
    assert measure_of(seldom, [], 0, "there are no items").why_missing == "there are no items"


@pytest.mark.parametrize(("value", "why"), [(None, None), (0.0, "both"), (None, "")])
def test_a_measure_is_a_figure_or_a_reason(value: float | None, why: str | None) -> None:
    with pytest.raises(ValueError, match="or else a reason"):
        Measure(value=value, low=value, high=value, why_missing=why)
