"""How much of the human answers a policy still reaches: k-nearest-neighbour balls in embedding space.

Shape suffixes: N points, M centres, H human points, G drawn ones, D dims. Distances are Euclidean, balls closed.

None of the shares is 1 for a policy that is as varied as people are. Two samples of one distribution give:

- `precision`, and recall, which is precision with the two sets swapped: .57 to 1, by distribution, dims and numbers. At
  k = 5, normal samples of 256 (of 2,048) give .99 (1.00) in 2 dims, .88 (.87) in 16, .76 (.71) in 64, .72 (.57) in 384.
- `coverage`: 1 - C(H - 1, k) / C(H + G - 1, k) for any distribution without ties, about 1 - 2^-k at H = G: .969 at
  k = 5. It rises fast with G / H: .87 at 1/2 and .996 at 2, k = 5.

So draw as many points as there are human ones, and compare only at the same numbers. A neighbour further away than the
answers to one prompt reaches into those to others, and a prompt whose answers shrank to one is not seen: the monitor's
own recall goes prompt by prompt (`human_recall.py`).

As the policy narrows, recall falls, `precision` holds or rises, and `coverage` falls where modes go missing. Coverage
is blind to a contraction of scale: of two normal samples of 512 in 64 dims, k = 5, the drawn shrunk to .8, recall goes
from .75 to .07 and coverage from .96 to 1.00. Recall is fooled by outliers among the drawn, whose balls are wide.

Sources: Kynkaanniemi et al. 2019 (precision, recall); Naeem et al. 2020 (coverage and its value).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
_ROUNDING = 1e-9
# Points whose squared distance is this small a share of their squared norms are equal up to rounding.
_EQUAL = 1e-13


def neighbour_radii(points_ND: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """The distance of each point to its `k`-th nearest other, as N numbers.

    Equal points are at distance 0 of one another. Raises ValueError for k < 1 or fewer than k + 1 points.
    """
    if not 1 <= k < len(points_ND):
        raise ValueError(f"neighbour {k} of {len(points_ND)} points: needs k >= 1 and at least k + 1 points")
    radii_N = np.empty(len(points_ND))
    for rows, squares_BN in _squared_distances(points_ND, points_ND):
        squares_BN[np.arange(len(squares_BN)), np.arange(len(points_ND))[rows]] = np.inf
        radii_N[rows] = np.sqrt(np.partition(squares_BN, k - 1, axis=1)[:, k - 1])
    return radii_N


def inside(
    points_ND: NDArray[np.floating], centres_MD: NDArray[np.floating], radii_M: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Whether each point lies in any of the balls, as N booleans."""
    found_N = np.zeros(len(points_ND), dtype=np.bool_)
    for rows, squares_BM in _squared_distances(points_ND, centres_MD):
        found_N[rows] = (squares_BM <= _reach(radii_M)).any(axis=1)
    return found_N


def precision_and_coverage(
    human_HD: NDArray[np.floating], drawn_GD: NDArray[np.floating], k: int
) -> tuple[float, float] | None:
    """Two shares in [0, 1] over the `k`-balls of the human points; None without drawn points or with k human ones.

    Precision: of the drawn points those that lie in a ball. Coverage: of the human points those whose ball holds a
    drawn one. Bias, and values without loss: see the head of this file.
    """
    if not len(drawn_GD) or len(human_HD) <= k:
        return None
    radii_H = neighbour_radii(human_HD, k)
    reach_H = _reach(radii_H)
    held = sum(
        int((squares_BG.min(axis=1) <= reach_H[rows]).sum())
        for rows, squares_BG in _squared_distances(human_HD, drawn_GD)
    )
    return float(inside(drawn_GD, human_HD, radii_H).mean()), held / len(human_HD)


def _squared_distances(
    points_ND: NDArray[np.floating], centres_MD: NDArray[np.floating]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Blocks of the N x M squared distances and the rows each holds; equal points are at 0 exactly."""
    points_ND, centres_MD = np.asarray(points_ND, dtype=np.float64), np.asarray(centres_MD, dtype=np.float64)
    norms_N, norms_M = np.square(points_ND).sum(axis=1), np.square(centres_MD).sum(axis=1)
    for start in range(0, len(points_ND), _BLOCK):
        rows = slice(start, start + _BLOCK)
        norms_BM = norms_N[rows, None] + norms_M
        squares_BM = norms_BM - 2 * points_ND[rows] @ centres_MD.T
        squares_BM[squares_BM < _EQUAL * norms_BM] = 0
        yield rows, squares_BM


def _reach(radii_M: NDArray[np.floating]) -> NDArray[np.float64]:
    """The squared radii, a little wider, so that a copy of the point that set a radius is inside."""
    return np.asarray(np.square(radii_M) * (1 + _ROUNDING))
