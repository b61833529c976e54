"""How often one policy's answers win against another's, and how often they would at equal length.

Shape suffixes: B draws, P prompts, D terms of the regression.
"""

from collections.abc import Sequence

import numpy as np

from selfreward.judge_quality.estimate import Array, Measure, Prompts, mean_of, measure_of, missing

_RIDGE = 0.01
_LONGEST_STEP = 2.0
_STEPS = 100
_CLOSE = 1e-8
_NO_PREFERENCE = "no prompt has a preference"


def win_rate(preference_P: Sequence[float | None], prompts: Prompts, seed: int) -> Measure:
    """The mean of P(A's answer is better), itself over both orders, in [0, 1]; prompts without it are left out."""
    return mean_of(preference_P, prompts, seed, _NO_PREFERENCE)


def length_controlled_win_rate(
    preference_P: Sequence[float | None], longer_P: Sequence[int], prompts: Prompts, seed: int
) -> Measure:
    """The win rate of A that the judge would give if the answers were equally long, in [0, 1].

    logit P(A wins) = model + length * tanh(d / sd(d)), d the characters by which A's answer is longer; fitted to soft
    preferences, then taken with the length term at 0. Missing where the answers differ in length by the same
    throughout.

    Source: Dubois et al. 2024, 2404.04475, section 3. Deviations: their difficulties of prompts, from a fit over the
    whole leaderboard, are left out; for their L1 penalty by cross-validation and two planted baselines stands a ridge
    of 0.01 / 2 on the squared coefficients against a sum over prompts. sd(d) is that of all prompts in every resample.
    """
    there = [one for one in zip(preference_P, longer_P, prompts, strict=True) if one[0] is not None]
    left_out = len(prompts) - len(there)
    if not there:
        return missing(_NO_PREFERENCE, left_out)
    given, longer, those = zip(*there, strict=True)
    y_P, apart_P = np.array(given, dtype=np.float64), np.array(longer, dtype=np.float64)
    spread = apart_P.std(ddof=1) if len(there) > 1 else 0.0
    if spread == 0 and apart_P.any():
        return missing("A's answers differ in length from B's by the same on every prompt", left_out)
    length_P = np.tanh(apart_P / spread) if spread > 0 else apart_P
    terms_PD = np.column_stack([np.ones_like(apart_P), length_P])

    def rate(weights_BP: Array) -> Array:
        return _logistic(fit_logistic(terms_PD, y_P, weights_BP)[:, 0])

    return measure_of(rate, those, seed, _NO_PREFERENCE, left_out=left_out)


def fit_logistic(x_PD: Array, y_P: Array, weights_BP: Array) -> Array:
    """The coefficients, one row a row of weights, of the logistic regression of `y_P` in [0, 1] on `x_PD`.

    The maximum of sum(weight * log-likelihood) - 0.005 * sum(coefficient^2), by Newton's method; no step is longer
    than 2, so that separable data cannot overshoot. Raises ArithmeticError where 100 steps are not enough.
    """
    columns = x_PD.shape[1]
    square_PD = (x_PD[:, :, None] * x_PD[:, None, :]).reshape(len(x_PD), -1)
    terms_BD = np.zeros((len(weights_BP), columns))
    for _ in range(_STEPS):
        p_BP = _logistic(terms_BD @ x_PD.T)
        slope_BD = (weights_BP * (y_P - p_BP)) @ x_PD - _RIDGE * terms_BD
        curve_BDD = (weights_BP * p_BP * (1 - p_BP) @ square_PD).reshape(-1, columns, columns)
        step_BD = np.linalg.solve(curve_BDD + _RIDGE * np.eye(columns), slope_BD[:, :, None])[:, :, 0]
        size_B1 = np.linalg.norm(step_BD, axis=1, keepdims=True)
        terms_BD += step_BD * np.minimum(1, _LONGEST_STEP / np.maximum(size_B1, _CLOSE))
        if size_B1.max() < _CLOSE:
            return terms_BD
    raise ArithmeticError(f"the logistic regression moves by {size_B1.max():.2g} still after {_STEPS} steps")


def _logistic(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))
