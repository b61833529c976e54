"""How sure a mean over prompts is, what two policies give the same ones, and which start temperature matches them.

Shape suffixes: B draws, P prompts, T temperatures of the ladder. Prompts are the unit of resampling throughout: the
candidates of one prompt are not independent draws.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95
Family = Literal["sem", "lex", "ent", "nll", "recall", "human"]

_BLOCK = 1 << 20
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `n` prompts and its confidence limits, in the unit of the values."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """One value per prompt for this policy and for what it is compared with, over the prompts that have both."""

    now_P: NDArray[np.float64]
    base_P: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.now_P.ndim != 1 or self.now_P.shape != self.base_P.shape:
            raise ValueError(f"values of shapes {self.now_P.shape} and {self.base_P.shape} cannot be paired by prompt")
        if not (np.isfinite(self.now_P).all() and np.isfinite(self.base_P).all()):
            raise ValueError("a prompt without a value is left out of both sides, never nan or infinite")

    def ratio(self) -> float | None:
        """The mean now over the mean of what it is compared with; None without prompts, or where that is 0."""
        return float(self.now_P.mean() / self.base_P.mean()) if self.base_P.sum() > 0 else None


def both_known(values: Iterable[tuple[float | None, float | None]]) -> Paired:
    """The pairs (now, base) of those prompts that have both."""
    both = [(now, base) for now, base in values if now is not None and base is not None]
    return Paired(np.array([now for now, _ in both]), np.array([base for _, base in both]))


def bootstrap_mean(values_P: NDArray[np.floating] | Sequence[float], seed: int) -> Interval | None:
    """The mean of one value per prompt with its 95% percentile bootstrap interval; None without values.

    Formula: the 2.5% and 97.5% quantiles of the means of 2,000 resamples of P prompts with replacement. Biased: the
    interval is too narrow, by a factor of about sqrt(1 - 1/P). Source: Efron and Tibshirani 1993, chapter 13.
    """
    sample_P = _finite(values_P)
    count = len(sample_P)
    if count == 0:
        return None
    means = np.concatenate([sample_P[chosen_BP].mean(axis=1) for chosen_BP in resamples(count, seed)])
    return Interval(float(sample_P.mean()), *limits(means), count)


def paired_difference(
    a_P: NDArray[np.floating] | Sequence[float], b_P: NDArray[np.floating] | Sequence[float], seed: int
) -> Interval | None:
    """The mean of a - b over the same prompts, with the interval of `bootstrap_mean`; None without prompts.

    Row i of both belongs to one prompt, so what makes a prompt easy or varied for both cancels out.
    """
    left_P, right_P = _finite(a_P), _finite(b_P)
    if len(left_P) != len(right_P):
        raise ValueError(f"{len(left_P)} and {len(right_P)} values cannot be paired")
    return bootstrap_mean(left_P - right_P, seed)


def bootstrap_of(statistic: Callable[[NDArray[np.intp]], float], prompts: int, seed: int) -> Interval | None:
    """`statistic` of all prompts with the interval of `bootstrap_mean`; None without prompts.

    It is given the numbers of the prompts that it is taken over, all of them and then 2,000 resamples.
    """
    if prompts == 0:
        return None
    drawn = [statistic(chosen_P) for chosen_BP in resamples(prompts, seed) for chosen_P in chosen_BP]
    return Interval(statistic(np.arange(prompts)), *limits(drawn), prompts)


def resamples(prompts: int, seed: int, values: int = 1) -> Iterator[NDArray[np.intp]]:
    """The numbers of the prompts in each of 2,000 resamples with replacement, as blocks of shape (B, P).

    A block holds in memory with as many `values` a resample. A seed and a number of prompts give the same resamples.
    """
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(prompts, values))
    for start in range(0, DRAWS, block):
        yield rng.integers(prompts, size=(min(block, DRAWS - start), prompts))


def limits(draws: NDArray[np.float64] | Sequence[float]) -> tuple[float, float]:
    """The quantiles of `draws` that the 95% percentile interval ends at."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def matched_weight(target: float, shares_T: Sequence[float]) -> tuple[int, int, float]:
    """Where on a temperature ladder the distinct share equals `target`, as (i, j, w).

    `shares_T` are the start model's distinct shares at ascending temperatures. Within their range j is i + 1 and
    (1 - w) * shares_T[i] + w * shares_T[j] == target, with w in [0, 1]: at the highest temperature where that holds.
    Any other metric is read off alike. Out of range, i == j is the rung with the nearest share (the hotter one of
    equals) and w is 0.
    """
    if not np.isfinite([target, *shares_T]).all() or len(shares_T) == 0:
        raise ValueError(f"cannot match {target} on the shares {list(shares_T)}")
    for i in reversed(range(len(shares_T) - 1)):
        cool, hot = shares_T[i], shares_T[i + 1]
        if min(cool, hot) <= target <= max(cool, hot):
            return i, i + 1, (target - cool) / (hot - cool) if hot != cool else 1.0
    nearest = min(reversed(range(len(shares_T))), key=lambda rung: abs(shares_T[rung] - target))
    return nearest, nearest, 0.0


def rounded(found: Interval) -> Interval:
    """The interval with six decimals, as many as machines agree on."""
    value, low, high = (round(one, _DECIMALS) + 0.0 for one in (found.value, found.low, found.high))
    return Interval(value, low, high, found.n)


def _finite(values_P: NDArray[np.floating] | Sequence[float]) -> NDArray[np.float64]:
    array_P = np.asarray(values_P, dtype=np.float64)
    if array_P.ndim != 1 or not np.isfinite(array_P).all():
        raise ValueError(f"need one finite value per prompt, not an array of shape {array_P.shape} with gaps")
    return array_P
