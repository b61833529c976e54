"""How varied meanings are: pure functions of sentence vectors, compared by cosine.

Shape suffixes: N texts, K candidates of one prompt, D dims. A zero vector (an empty text) is like every other zero
vector (cosine 1) and unlike the rest (cosine 0), as in `estimators.mean_pairwise_distance`.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
_ROUNDING = 1e-9
# A mean squared cosine below this is what rounding leaves of none in vectors of 32-bit numbers.
_ORTHOGONAL = 1e-12


def vendi2(vectors_ND: NDArray[np.floating]) -> float | None:
    """The effective number of distinct rows: how many orthogonal ones, equally common, would be as varied.

    Formula: N (N - 1) / sum over i != j of cos(v_i, v_j)^2, the order-2 Vendi score without the diagonal; None for
    fewer than two rows and where all are orthogonal. Range [1, inf); falls as the policy narrows. Its inverse is
    unbiased in N (a U-statistic), so it is itself too high for few rows: by 40% at N = 4, 9% at 8, 3% at 16 for normal
    rows with a true value of 10.7. Over many prompts, average the inverses. A vector and its opposite count as alike.
    Source: Friedman and Dieng 2023; order 2 as Ospanov and Farnia 2024.
    """
    count = len(vectors_ND)
    if count < 2:
        return None
    units_NU = _units(vectors_ND)
    # Both Gram matrices have one sum of squares; the smaller one is made.
    if units_NU.shape[1] < count:
        squares = float(((units_NU.T @ units_NU) ** 2).sum()) - count
    else:
        cosines_NN = units_NU @ units_NU.T
        np.fill_diagonal(cosines_NN, 0)
        squares = float((cosines_NN**2).sum())
    pairs = count * (count - 1)
    return max(pairs / squares, 1.0) if squares > pairs * _ORTHOGONAL else None


def distinct_clusters(vectors_KD: NDArray[np.floating], threshold: float) -> int:
    """How many clusters of `cluster_labels` the rows fall into: different answers, where rows are of one prompt.

    Range [1, K], 0 without rows; falls as the policy narrows. Biased: it grows with K, so compare it only at equal K.
    Set `threshold` on paraphrases, for each embedder. Source: the distinct answers of NoveltyBench, Zhang et al. 2025.
    """
    return len(set(cluster_labels(vectors_KD, threshold).tolist()))


def cluster_labels(vectors_ND: NDArray[np.floating], threshold: float) -> NDArray[np.int64]:
    """The cluster of each row, as N numbers from 0 in order of first appearance.

    Clusters are the connected components of rows at a cosine distance of `threshold` or less (single linkage), whatever
    the order of rows. A chain may join rows far apart, so keep `threshold` small where rows are many.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    units_NU = _units(vectors_ND)
    near_NN = np.empty((len(units_NU), len(units_NU)), dtype=np.bool_)
    for start in range(0, len(units_NU), _BLOCK):
        rows = slice(start, start + _BLOCK)
        near_NN[rows] = units_NU[rows] @ units_NU.T >= 1 - threshold - _ROUNDING
    return np.asarray(connected_components(csr_array(near_NN), directed=False)[1], dtype=np.int64)


def _units(vectors_ND: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rows at length 1 with one more dimension, that of the zero vectors."""
    norms_N = np.linalg.norm(np.asarray(vectors_ND, dtype=np.float64), axis=1)
    directions_ND = vectors_ND / np.where(norms_N > 0, norms_N, 1)[:, None]
    return np.column_stack([directions_ND, norms_N == 0])
