"""One figure of a judge with its interval, or the reason why there is none.

Prompts are resampled, and counted, with all of their items, which are not independent. A statistic is a function of
item weights: weight 1 everywhere gives its value, the counts of a resample one draw. Of a share, whose bootstrap has no
width where all items say the same, what counts is how many independent verdicts its items are worth.

Shape suffixes: B draws, P items, G prompts, D columns of per-item sums.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.intervals import LEVEL, Interval, limits, resamples

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
Prompts = Sequence[Hashable]
"""For every item, what is the same for all items of its prompt and of no other."""

_FEWEST_DEFINED = 0.5
_PRIOR = 0.5
_DIGITS = 9  # what is kept of a limit: the last ones hang on the order in which a machine adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure over `n` items of `prompts` prompts with its 95% limits, or why it does not exist.

    `left_out` items could not be used for it. `error` is its standard error over prompts, None with a single one. Of a
    share, `effective` is what the items are worth in independent ones; None of another figure.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why_missing: str | None = None
    left_out: int = 0
    prompts: int = 0
    error: float | None = None
    effective: float | None = None

    def __post_init__(self) -> None:
        if len({bool(self.why_missing), *(one is None for one in (self.value, self.low, self.high))}) > 1:
            raise ValueError("a measure has a value and limits, or else a reason why not")

    @property
    def interval(self) -> Interval | None:
        """The value with its limits, None where it does not exist."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return Interval(self.value, self.low, self.high, self.n)


Measures = Mapping[str, Measure]
"""By name."""


def missing(why: str, left_out: int = 0) -> Measure:
    """The measure that does not exist because of `why`."""
    return Measure(why_missing=why, left_out=left_out)


def mean_of(values_P: Sequence[float | None], prompts: Prompts, seed: int, why_missing: str) -> Measure:
    """The mean of the values that are there; those that are None are left out and counted."""
    there_P, those = _there(values_P, prompts)

    def mean(weights_BP: Array) -> Array:
        # Not a matrix product, whose last digits differ from one processor to another.
        return np.asarray((weights_BP * there_P).sum(axis=1) / weights_BP.sum(axis=1))

    return measure_of(mean, those, seed, why_missing, left_out=len(values_P) - len(there_P))


def share_of(values_P: Sequence[float | None], prompts: Prompts, why_missing: str) -> Measure:
    """As `mean_of`, for values in [0, 1]: the interval is that of `share_limits`, which has a width throughout."""
    there_P, those = _there(values_P, prompts)
    left_out = len(values_P) - len(there_P)
    if not those:
        return missing(why_missing, left_out)
    prompt_P = _numbered(those)
    count = int(prompt_P.max()) + 1
    value, effective = min(1.0, max(0.0, float(there_P.mean()))), effective_items(there_P, prompt_P)
    low, high = share_limits(value, effective, (1 - LEVEL) / 2)
    return Measure(
        value=value,
        low=low,
        high=high,
        n=len(there_P),
        left_out=left_out,
        prompts=count,
        error=None if count == 1 else round(_between(there_P, prompt_P) ** 0.5, _DIGITS),
        effective=effective,
    )


def limits_at(measure: Measure, error: float) -> tuple[float, float] | None:
    """The limits of a measure that exists, each of which the truth lies beyond in `error` of cases.

    Of a share those of `share_limits`; of another figure, for whose far ends resamples say too little, those of
    Student's t with one degree of freedom less than prompts. None where a single prompt says nothing of them.
    """
    from scipy.special import stdtrit

    value = measure.value
    assert value is not None, "only a measure that exists has limits"
    if measure.effective is not None:
        return share_limits(value, measure.effective, error)
    if measure.error is None:
        return None
    reach = float(stdtrit(measure.prompts - 1, 1 - error)) * measure.error
    return value - reach, value + reach


def measure_of(
    statistic: Statistic,
    prompts: Prompts,
    seed: int,
    why_missing: str,
    *,
    left_out: int = 0,
    library: Callable[[], float] | None = None,
) -> Measure:
    """`statistic` over the items of `prompts` with the 95% percentile bootstrap interval of 2,000 resamples of prompts.

    `statistic` maps weights (B, P) to values (B,), nan where it does not exist; where it does, `library` may give the
    value. Missing, because of `why_missing`, without items or where the statistic does not exist on the items or on
    half of the resamples. Biased: the interval is too narrow by a factor of about sqrt(1 - 1 / prompts), and has no
    width where all items say the same. The same seed and number of prompts give the same resamples.
    Source: Efron and Tibshirani 1993, chapter 13; of clusters, Davison and Hinkley 1997, chapter 3.8.
    """
    items = len(prompts)
    if items == 0:
        return missing(why_missing, left_out)
    prompt_P = _numbered(prompts)
    count = int(prompt_P.max()) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(np.ones((1, items)))[0])
        if not np.isfinite(value):
            return missing(why_missing, left_out)
        blocks = resamples(count, seed, items)
        draws_B = np.concatenate([statistic(weights_of(chosen_BG)[:, prompt_P]) for chosen_BG in blocks])
    defined_B = draws_B[np.isfinite(draws_B)]
    if len(defined_B) < _FEWEST_DEFINED * len(draws_B):
        return missing(f"{why_missing}: too seldom defined on resamples of {count} prompts", left_out)
    value, (low, high) = value if library is None else float(library()), limits(defined_B)
    error = None if count == 1 else round(float(defined_B.std()) * (count / (count - 1)) ** 0.5, _DIGITS)
    return Measure(value=value, low=low, high=high, n=items, left_out=left_out, prompts=count, error=error)


def _there(values_P: Sequence[float | None], prompts: Prompts) -> tuple[Array, list[Hashable]]:
    """The values that are not None, and the prompts of those."""
    both = [(value, prompt) for value, prompt in zip(values_P, prompts, strict=True) if value is not None]
    return np.array([value for value, _ in both], dtype=np.float64), [prompt for _, prompt in both]


def _numbered(prompts: Prompts) -> NDArray[np.intp]:
    """The number of the prompt of each item, from 0 in the order in which they come."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(prompt, len(numbers)) for prompt in prompts], dtype=np.intp)


def weights_of(chosen_BG: NDArray[np.intp]) -> Array:
    """How often each prompt comes in each resample."""
    rows, prompts = chosen_BG.shape
    places = chosen_BG + prompts * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * prompts).reshape(rows, prompts).astype(np.float64)


def effective_items(values_P: Array, prompt_P: NDArray[np.intp]) -> float:
    """How many independent yes-or-no verdicts the mean of `values_P`, each in [0, 1], is as precise as.

    mean (1 - mean) / variance of the mean over prompts, which `prompt_P` numbers from 0 (Korn and Graubard 1998). For
    prompts of one size it is at least their number: a prompt can at most say one thing throughout. Half a prompt that
    does is added to what is seen, so that one or two that differ do not make the rest count as independent.
    """
    weight_G = np.bincount(prompt_P) / len(values_P)
    mean, squares = float(values_P.mean()), float((weight_G**2).sum())
    prior, most = _PRIOR * squares / len(weight_G), mean * (1 - mean) * squares
    ratio = min(1.0, (_between(values_P, prompt_P) + prior) / (most + prior))
    return round(1 / (squares * ratio), _DIGITS)


def share_limits(share: float, items: float, error: float) -> tuple[float, float]:
    """The lowest and the highest true share that `share` of `items` independent ones leaves, `error` for each side.

    The limits of Clopper and Pearson 1934 with half of the probability of what was seen (mid-P, Lancaster 1961);
    without it 48 of 48 could not be told from a share of .9 at an error of .005. `items` need not be whole.
    """
    return _lowest(share, items, error), round(1 - _lowest(1 - share, items, error), _DIGITS)


def _between(values_P: Array, prompt_P: NDArray[np.intp]) -> float:
    """The variance of the mean over prompts: of a ratio, since prompts may differ in size."""
    sizes_G = np.bincount(prompt_P)
    apart_G = np.bincount(prompt_P, weights=values_P) / sizes_G - values_P.mean()
    prompts = len(sizes_G)
    return float(((sizes_G / len(values_P) * apart_G) ** 2).sum()) * prompts / max(1, prompts - 1)


@lru_cache(maxsize=4096)
def _lowest(share: float, items: float, error: float) -> float:
    """Where the chance of more than was seen, and half of just as many, is `error`."""
    from scipy.optimize import brentq
    from scipy.special import betainc

    there = share * items
    if there <= 0:
        return 0.0

    def beyond(true: float) -> float:
        more = float(betainc(there + 1, items - there, true)) if there < items else 0.0
        return (float(betainc(there, items - there + 1, true)) + more) / 2 - error

    return round(float(brentq(beyond, 0.0, share)), _DIGITS) if beyond(share) > 0 else share
