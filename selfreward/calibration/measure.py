"""One figure of a judge with its interval over items, or the reason why there is none.

Every statistic here is a function of item weights: weight 1 everywhere gives its value, the counts of a resample give
one draw. A statistic that is made of sums over items then costs one matrix product for all draws.

Shape suffixes: B draws, P items, D columns of per-item sums.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfreward.diversity.statistics import DRAWS, LEVEL, Interval, bootstrap_mean

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]

_BLOCK = 1 << 20
_FEWEST_DEFINED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure over `interval.n` items, or why it does not exist; `left_out` items could not be used for it."""

    name: str
    interval: Interval | None
    why_missing: str | None = None
    left_out: int = 0

    def __post_init__(self) -> None:
        if (self.interval is None) != bool(self.why_missing):
            raise ValueError(f"{self.name}: a measure has an interval, or else a reason why not")


def missing(name: str, why: str, left_out: int = 0) -> Measure:
    """The measure that does not exist because of `why`."""
    return Measure(name=name, interval=None, why_missing=why, left_out=left_out)


def mean_of(name: str, values_P: Sequence[float | None], seed: int, why_missing: str) -> Measure:
    """The mean of the values that are there; those that are None are left out and counted."""
    there = [value for value in values_P if value is not None]
    left_out = len(values_P) - len(there)
    interval = bootstrap_mean(there, seed)
    return (
        missing(name, why_missing, left_out)
        if interval is None
        else Measure(name=name, interval=interval, left_out=left_out)
    )


def measure_of(
    name: str,
    statistic: Statistic,
    items: int,
    seed: int,
    why_missing: str,
    *,
    left_out: int = 0,
    library: Callable[[], float] | None = None,
) -> Measure:
    """`statistic` over `items` items with the 95% percentile bootstrap interval of 2,000 resamples of items.

    `statistic` maps weights (B, P) to values (B,), nan where it does not exist. `library` gives the value where a kept
    library has one; it is called only where the statistic exists. Missing, because of `why_missing`, without items or
    where the statistic does not exist on the items or on half of the resamples. Biased as `bootstrap_mean` is: where
    all items say the same, the interval has no width, however few they are. The same seed and number of items give
    the same resamples, whatever the statistic. Source: Efron and Tibshirani 1993, chapter 13.
    """
    if items == 0:
        return missing(name, why_missing, left_out)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(np.ones((1, items)))[0])
        if not np.isfinite(value):
            return missing(name, why_missing, left_out)
        draws_B = np.concatenate([statistic(weights_BP) for weights_BP in resamples(items, seed)])
    defined_B = draws_B[np.isfinite(draws_B)]
    if len(defined_B) < _FEWEST_DEFINED * len(draws_B):
        return missing(name, f"{why_missing}: too seldom defined on resamples of {items} items", left_out)
    low, high = np.quantile(defined_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    interval = Interval(value if library is None else float(library()), float(low), float(high), items)
    return Measure(name=name, interval=interval, left_out=left_out)


def resamples(items: int, seed: int) -> Iterator[Array]:
    """How often each item comes in each of 2,000 resamples with replacement, as blocks of shape (B, P)."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // items)
    for start in range(0, DRAWS, block):
        rows = min(block, DRAWS - start)
        drawn = rng.integers(items, size=(rows, items)) + items * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * items).reshape(rows, items).astype(np.float64)
