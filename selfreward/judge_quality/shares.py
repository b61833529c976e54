"""Limits of a share of items that come in prompts, which hold where all items say the same too.

The items of a prompt are not independent, so what counts is how many independent verdicts they are worth. A bootstrap
cannot be asked: where every item says the same, its interval has no width, however few the items are.

Shape suffixes: P items, G prompts.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Numbers = NDArray[np.intp]

_PRIOR = 0.5
_DIGITS = 9  # what is kept of a limit: the last ones hang on the order in which a machine adds


def error_over_prompts(values_P: Values, prompt_P: Numbers) -> float | None:
    """The standard error of the mean of `values_P` over the prompts that `prompt_P` numbers from 0; None with one."""
    prompts = int(prompt_P.max()) + 1
    return None if prompts == 1 else round(_between(values_P, prompt_P) ** 0.5, _DIGITS)


def effective_items(values_P: Values, prompt_P: Numbers) -> float:
    """How many independent yes-or-no verdicts the mean of `values_P`, each in [0, 1], is as precise as.

    mean (1 - mean) / variance of the mean, with the variance over prompts (Korn and Graubard 1998). It is at least the
    number of prompts, for prompts of one size, because a prompt can at most say one thing throughout. That is assumed
    where nothing is known: half a prompt that does is added to what is seen, so that one or two prompts that differ do
    not make the rest count as independent. `prompt_P` numbers the prompts from 0.
    """
    weight_G = np.bincount(prompt_P) / len(values_P)
    mean, squares = float(values_P.mean()), float((weight_G**2).sum())
    prior, most = _PRIOR * squares / len(weight_G), mean * (1 - mean) * squares
    ratio = min(1.0, (_between(values_P, prompt_P) + prior) / (most + prior))
    return round(1 / (squares * ratio), _DIGITS)


def share_limits(share: float, items: float, error: float) -> tuple[float, float]:
    """The lowest and the highest true share that `share` of `items` independent ones leaves, `error` for each side.

    The limits of Clopper and Pearson 1934 with half of the probability of what was seen (mid-P, Lancaster 1961): the
    true share lies below the lower one in about `error` of cases. Without the half it would be fewer throughout, and
    48 of 48 could not be told from a share of .9 at an error of .005. `items` need not be whole.
    """
    return _lowest(share, items, error), round(1 - _lowest(1 - share, items, error), _DIGITS)


def _between(values_P: Values, prompt_P: Numbers) -> float:
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
