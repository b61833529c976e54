"""Critical values for a monitor that looks every round, and what such a monitor cannot see.

A run of `horizon` rounds tests the same prompts again and again, so the critical value of one look is too low: at
1.645 one harmless run in three would be called contracted. Each function here returns the value c for which the
chance that any look of the whole run exceeds c is at most `alpha`, where nothing is wrong. All tests are one-sided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

POWER = 0.8


@cache
def dunnett_critical(horizon: int, correlation: float, alpha: float) -> float:
    """The one-sided critical value of `horizon` rounds that are all compared with one baseline.

    Given the baseline's noise u the rounds are independent, so c solves
    Integral phi(u) Phi((c + sqrt(rho) u) / sqrt(1 - rho))^T du = 1 - alpha. Assumes normal means; where they correlate
    more than `correlation`, c is too high rather than too low (Slepian 1962). Source: Dunnett 1955.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    # An even grid: for a smooth integrand that dies out at both ends its error falls faster than any power.
    noise_N, step = np.linspace(-10, 10, 4001, retstep=True)
    weight_N = np.exp(-(noise_N**2) / 2) / np.sqrt(2 * np.pi) * step

    def exceeds(critical: float) -> float:
        below_N = ndtr((critical + np.sqrt(correlation) * noise_N) / np.sqrt(1 - correlation))
        return float(weight_N @ below_N**horizon) - (1 - alpha)

    # One look needs less and unrelated looks need more; the slack is for horizon 1, where both are the same.
    return float(brentq(exceeds, _quantile(alpha) - 1e-6, _quantile(alpha / horizon) + 1e-6, xtol=1e-10))


def shared_noise(draws: int, baseline_draws: int, margin: float) -> float:
    """The least correlation of two rounds of a relative family, which both compare with one baseline.

    The noise of a mean over n answers goes with 1 / n, that of a mean over their pairs with something between that
    and 1 / (n (n - 1)); the baseline enters a comparison times 1 - margin. So of the noise of one comparison at
    least rho = q / (1 + q) is the baseline's, with q = (1 - margin)^2 (m / m0) min(1, (m - 1) / (m0 - 1)).
    """
    pairs = min(1.0, (draws - 1) / max(1, baseline_draws - 1))
    ratio = (1 - margin) ** 2 * draws / baseline_draws * pairs
    return ratio / (1 + ratio)


def bonferroni_critical(looks: int, alpha: float) -> float:
    """The critical value of `looks` comparisons, whatever their dependence.

    T + 1 policies, each compared with every earlier one, make T (T + 1) / 2: the lowest of the earlier is among them.
    """
    return _quantile(alpha / looks)


@cache
def student_critical(critical: float, prompts: int) -> float:
    """The value of a t statistic of `prompts` differences that is as rare as a normal `critical`.

    The noise is estimated from the same prompts, and far out in the tail this matters: 2.9 becomes 3.0 at 64
    prompts and 4.3 at 8. Assumes differences near to normal. Source: Student 1908.
    """
    if prompts < 2:
        raise ValueError(f"{prompts} prompts: need at least 2 to know the noise of their mean")
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(prompts - 1, ndtr(critical)))


@cache
def student_limit(level: float, prompts: int) -> float:
    """How many standard errors a `level` interval of a mean over `prompts` reaches to either side."""
    return student_critical(_quantile((1 - level) / 2), prompts)


@cache
def detectable(critical: float, prompts: int) -> float:
    """The effect that exceeds `critical` four times in five, in standard errors.

    For a test against a margin, the smallest visible drop is the margin plus this. The statistic of an effect of d
    standard errors has the noncentral t distribution of `prompts` - 1 degrees of freedom; d puts a fifth of it below
    `critical`. With many prompts that is c + Phi^-1(.8), with few it is more.
    """
    from scipy.special import nctdtrinc

    return float(nctdtrinc(prompts - 1, 1 - POWER, critical))


@dataclass(frozen=True, slots=True)
class HalfLife:
    """Rounds in which diversity halves, with 95% limits; None where that limit does not exist."""

    rounds: float
    low: float | None
    high: float | None


def half_life(ratios_T: Sequence[float]) -> HalfLife | None:
    """How fast D / D0 falls, from its values at rounds 0, 1, 2 ...; shown, and never decides.

    It is -1 / the slope of log2(D / D0) against the round, the median slope of all pairs of rounds. The limits treat
    rounds as independent, and hold less than 95% below five rounds; `high` is None where D may as well not fall. None
    with fewer than 3 rounds, where nothing falls, or where a ratio is 0. Source: Theil 1950, Sen 1968.
    """
    values_T = np.asarray(ratios_T, dtype=np.float64)
    if not np.isfinite(values_T).all() or (values_T < 0).any():
        raise ValueError(f"diversity ratios {list(ratios_T)}: need finite values of at least 0")
    if len(values_T) < 3 or (values_T == 0).any():
        return None
    from scipy.stats import theilslopes

    slope, _, steepest, flattest = theilslopes(np.log2(values_T), np.arange(len(values_T)), alpha=0.95)
    low, high = (-1 / float(one) if one < 0 else None for one in (steepest, flattest))
    return None if slope >= 0 else HalfLife(-1 / float(slope), low, high)


def _quantile(tail: float) -> float:
    return NormalDist().inv_cdf(1 - tail)
