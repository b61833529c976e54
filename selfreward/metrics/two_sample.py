"""Whether two sets of vectors come from one distribution."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TwoSample(NamedTuple):
    """The energy distance of two samples and the chance of one as large if both had one distribution."""

    statistic: float
    p_value: float


def two_sample(
    x_ND: NDArray[np.floating], y_MD: NDArray[np.floating], *, seed: int, permutations: int
) -> TwoSample | None:
    """The energy distance of N and M vectors, at least 0, with a permutation test; None where either is empty.

    The p-value is in [1 / (permutations + 1), 1] and holds at any sample size.
    Formula: 2 E|x - y| - E|x - x'| - E|y - y'| with Euclidean distances. Source: Szekely and Rizzo 2004.
    """
    from scipy.spatial.distance import cdist

    n = len(x_ND)
    if n == 0 or len(y_MD) == 0:
        return None
    both_SD = np.concatenate([x_ND, y_MD]).astype(np.float64)
    distances_SS = cdist(both_SD, both_SD)
    rng = np.random.default_rng(seed)
    is_x_S = np.arange(len(both_SD)) < n
    observed = _energy(distances_SS, is_x_S)
    # Equal splits are summed in another order and may differ in the last digits.
    as_large = sum(_energy(distances_SS, rng.permutation(is_x_S)) >= observed - 1e-12 for _ in range(permutations))
    return TwoSample(max(0.0, observed), (1 + as_large) / (1 + permutations))


def _energy(distances_SS: NDArray[np.float64], is_x_S: NDArray[np.bool_]) -> float:
    x_S = is_x_S / is_x_S.sum()
    y_S = ~is_x_S / (~is_x_S).sum()
    gap_S = x_S - y_S
    return float(-gap_S @ distances_SS @ gap_S)
