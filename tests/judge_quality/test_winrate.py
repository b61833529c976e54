"""Win rates, plain and at equal length: closed forms and judges that only like length."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.winrate import fit_logistic, length_controlled_win_rate, win_rate


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    assert measure.interval.low <= measure.interval.value <= measure.interval.high
    return measure.interval.value


Preferences = Sequence[float | None] | np.ndarray


def plain(preferences: Preferences) -> Measure:
    return win_rate(list(preferences), range(len(preferences)), 0)


def controlled(preferences: Preferences, apart: np.ndarray) -> Measure:
    return length_controlled_win_rate(list(preferences), list(apart), range(len(preferences)), 0)


def longer_by(count: int, seed: int) -> np.ndarray:
    """A is longer on about nine prompts in ten."""
    return np.random.default_rng(seed).normal(130, 100, size=count).round()


def scaled(apart: np.ndarray) -> np.ndarray:
    return np.tanh(apart / apart.std(ddof=1))


def test_a_win_rate_counts_ties_half_and_leaves_out_what_is_missing() -> None:
    rows = [1, 0, 0.5, 1.0, None]
    assert value(plain(rows)) == 2.5 / 4
    assert plain(rows).left_out == controlled(rows, np.zeros(5)).left_out == 1


def test_a_judge_that_only_likes_length_is_brought_back_to_a_half() -> None:
    apart = longer_by(300, seed=0)
    rows = logistic(4 * scaled(apart))
    assert value(plain(rows)) > 0.8
    assert value(controlled(rows, apart)) == pytest.approx(0.5, abs=0.01)


def test_the_same_with_hard_verdicts() -> None:
    apart = longer_by(300, seed=1)
    rows = (apart > 0).astype(float)
    measure = controlled(rows, apart)
    assert value(plain(rows)) > 0.85
    assert measure.interval is not None
    assert measure.interval.low < 0.5 < measure.interval.high


def test_a_policy_that_is_better_keeps_what_is_not_length() -> None:
    apart = longer_by(300, seed=2)
    assert value(controlled(logistic(1 + 2 * scaled(apart)), apart)) == pytest.approx(1 / (1 + np.exp(-1)), abs=0.005)


def test_without_a_length_effect_both_win_rates_agree() -> None:
    rng = np.random.default_rng(3)
    rows = (rng.random(400) < 0.7).astype(float)
    whole = plain(rows).interval
    assert whole is not None
    assert value(controlled(rows, longer_by(400, seed=3))) == pytest.approx(whole.value, abs=0.06)
    assert value(controlled([1, 1, 1, 0.0] * 50, np.zeros(200))) == pytest.approx(0.75, abs=1e-3)


def test_swapping_the_policies_gives_the_rest() -> None:
    apart = longer_by(200, seed=4)
    preferences = np.random.default_rng(4).random(200)
    there = value(controlled(preferences, apart))
    assert value(controlled(1 - preferences, -apart)) == pytest.approx(1 - there)


def test_what_does_not_exist_says_why() -> None:
    for apart in (50, -50):
        always = controlled([1.0, 0.0, 1.0], np.full(3, apart))
        assert "differ in length from B's by the same" in str(always.why_missing)
    assert plain([]).why_missing == controlled([], np.zeros(0)).why_missing == "no prompt has a preference"


def test_the_fit_is_the_maximum_of_the_penalised_likelihood() -> None:
    rng = np.random.default_rng(6)
    x_PD = np.column_stack([np.ones(50), rng.normal(size=(50, 2))])
    y_P, weights_P = rng.random(50), rng.integers(0, 3, 50).astype(float)

    def loss(terms_D: np.ndarray) -> float:
        eta = x_PD @ terms_D
        return float((weights_P * (np.logaddexp(0, eta) - y_P * eta)).sum() + 0.005 * (terms_D**2).sum())

    found = minimize(loss, np.zeros(3), tol=1e-12).x
    assert fit_logistic(x_PD, y_P, weights_P[None, :])[0] == pytest.approx(found, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 3000), st.floats(0, 1))
def test_the_fit_ends_on_separable_data_of_any_size(seed: int, count: int, cut: float) -> None:
    x_P = np.random.default_rng(seed).normal(size=count)
    terms_BD = fit_logistic(
        np.column_stack([np.ones(count), np.tanh(x_P)]), (x_P > cut).astype(float), np.ones((1, count))
    )
    assert np.isfinite(terms_BD).all()
