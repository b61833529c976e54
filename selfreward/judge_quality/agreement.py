"""How far raters agree beyond chance, whoever they are: people, jurors, or a judge and the majority of people.

Values are those of scikit-learn, statsmodels, krippendorff and scipy; intervals come from the same formulas over item
weights (`estimate.py`), because 2,000 library calls take minutes. Items that share a prompt in `prompts` are resampled
as one; without, each item is its own.

Shape suffixes: B draws, P items, K classes, O observations (an item has one or more), U distinct values.
"""

from collections.abc import Sequence
from itertools import combinations, compress
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from selfreward.judge_quality.estimate import Array, Measure, Prompts, Statistic, measure_of, missing

Level = Literal["nominal", "ordinal"]

_ROUNDING = 1e-12
_TOO_FEW = "fewer than two raters an item"
_CONSTANT = "one side does not vary"


def mean_pairwise_kappa(votes_P: Sequence[Sequence[str | None]], seed: int, prompts: Prompts | None = None) -> Measure:
    """The mean of Cohen's kappa over all pairs of raters, each in the same place on every item.

    (p_o - p_e) / (1 - p_e): p_o is the share of items in one class for both, p_e that share were the two independent.
    Items that a rater left out are left out whole. Missing with one rater, or where two use one class alone.
    """
    raters = max(map(len, votes_P), default=0)
    is_kept = [len(votes) == raters and None not in votes for votes in votes_P]
    if raters < 2 or not any(is_kept):
        return missing(_TOO_FEW, is_kept.count(False))
    pairs = list(combinations(list(zip(*compress(votes_P, is_kept), strict=True)), 2))
    kappas = [table_kappa(_cells(*pair)) for pair in pairs]

    def mean(weights_BP: Array) -> Array:
        return np.asarray(np.mean([kappa(weights_BP) for kappa in kappas], axis=0))

    def library() -> float:
        from sklearn.metrics import cohen_kappa_score

        return float(np.mean([cohen_kappa_score(*pair) for pair in pairs]))

    those, why = _those(is_kept, prompts), "two raters use one class alone"
    left_out = is_kept.count(False)
    return measure_of(mean, those, seed, why, left_out=left_out, library=library)


def fleiss_kappa(votes_P: Sequence[Sequence[str | None]], seed: int, prompts: Prompts | None = None) -> Measure:
    """Fleiss' kappa of the same number of raters an item, who need not be the same people.

    Items with another number than the most common one are left out; of equally common ones the larger counts.
    Missing with fewer than two raters an item, or where all use one class alone.
    """
    given_P = [[vote for vote in votes if vote is not None] for votes in votes_P]
    sizes = [len(votes) for votes in given_P]
    raters = max(set(sizes), key=lambda size: (sizes.count(size), size), default=0)
    is_kept = [size == raters for size in sizes]
    if raters < 2:
        return missing(_TOO_FEW, is_kept.count(False))
    counts_PK = _counts(list(compress(given_P, is_kept)))
    agreed_P = (counts_PK * (counts_PK - 1)).sum(axis=1) / (raters * (raters - 1))

    def kappa(weights_BP: Array) -> Array:
        total_B = weights_BP.sum(axis=1)
        share_BK = weights_BP @ counts_PK / (total_B[:, None] * raters)
        return _beyond_chance(weights_BP @ agreed_P / total_B, (share_BK**2).sum(axis=1))

    def library() -> float:
        from statsmodels.stats.inter_rater import fleiss_kappa as value_of

        return float(value_of(counts_PK))

    those, why, left_out = _those(is_kept, prompts), "all raters use one class alone", is_kept.count(False)
    return measure_of(kappa, those, seed, why, left_out=left_out, library=library)


def krippendorff_alpha(
    ratings_P: Sequence[Sequence[str | float | None]], level: Level, seed: int, prompts: Prompts | None = None
) -> Measure:
    """Krippendorff's alpha of any number of ratings an item, None where one is missing.

    1 - D_o / D_e, observed over expected disagreement; at level `ordinal` two grades differ by how many ratings lie
    between them. Items with fewer than two ratings are left out. Missing where all ratings are the same.
    """
    given_P = [[rating for rating in ratings if rating is not None] for ratings in ratings_P]
    is_kept = [len(ratings) >= 2 for ratings in given_P]
    if not any(is_kept):
        return missing(_TOO_FEW, is_kept.count(False))
    counts_PU = _counts(list(compress(given_P, is_kept)))
    items, values = counts_PU.shape
    pairs_PUU = counts_PU[:, :, None] * counts_PU[:, None, :] - counts_PU[:, :, None] * np.eye(values)
    pairs_P = (pairs_PUU / (counts_PU.sum(axis=1) - 1)[:, None, None]).reshape(items, -1)

    def statistic(weights_BP: Array) -> Array:
        observed_BUU = (weights_BP @ pairs_P).reshape(-1, values, values)
        total_BU = weights_BP @ counts_PU
        apart_BUU = _distances(total_BU, level)
        expected_BUU = total_BU[:, :, None] * total_BU[:, None, :] / (total_BU.sum(axis=1) - 1)[:, None, None]
        expected_B = (expected_BUU * apart_BUU).sum(axis=(1, 2))
        return _beyond(1 - (observed_BUU * apart_BUU).sum(axis=(1, 2)) / expected_B, expected_B)

    def value() -> float:
        from krippendorff import alpha

        return float(alpha(value_counts=counts_PU.astype(int), level_of_measurement=level))

    those, why, left_out = _those(is_kept, prompts), "all ratings are the same", is_kept.count(False)
    return measure_of(statistic, those, seed, why, left_out=left_out, library=value)


def quadratic_kappa(a_O: Array, b_O: Array, item_O: NDArray[np.intp], prompts: Prompts, seed: int) -> Measure:
    """Cohen's kappa with quadratic weights, of two raters' grades on one scale; prompts are resampled, not grades.

    1 - mean((a - b)^2) / (var(a) + var(b) + (mean(a) - mean(b))^2): for whole grades scikit-learn's with every grade
    listed; for fractional ones Lin 1989. Missing where both raters give one and the same grade alone.
    """
    squares_OD = np.stack([np.ones_like(a_O), a_O, b_O, (a_O - b_O) ** 2, a_O**2 + b_O**2], axis=1)
    sums_PD = np.zeros((len(prompts), squares_OD.shape[1]))
    np.add.at(sums_PD, item_O, squares_OD)

    def kappa(weights_BP: Array) -> Array:
        count_B, a_B, b_B, apart_B, square_B = (weights_BP @ sums_PD).T
        chance_B = square_B / count_B - 2 * (a_B / count_B) * (b_B / count_B)
        return _beyond(1 - apart_B / count_B / chance_B, chance_B)

    return measure_of(kappa, prompts, seed, "both raters give one grade alone")


def spearman(a_O: Array, b_O: Array, item_O: NDArray[np.intp], prompts: Prompts, seed: int) -> Measure:
    """Spearman's rank correlation with mean ranks for ties; items are resampled. Missing where a side is constant."""
    from scipy.stats import spearmanr

    def rho(weights_BP: Array) -> Array:
        weights_BO = weights_BP[:, item_O]
        return _pearson(_ranks(a_O, weights_BO), _ranks(b_O, weights_BO), weights_BO)

    return measure_of(rho, prompts, seed, _CONSTANT, library=lambda: spearmanr(a_O, b_O).statistic)


def kendall(a_O: Array, b_O: Array, item_O: NDArray[np.intp], prompts: Prompts, seed: int) -> Measure:
    """Kendall's tau-b; items are resampled. Missing where a side is constant. Memory grows with O squared."""
    from scipy.stats import kendalltau

    items = len(prompts)
    a_OO, b_OO = (np.sign(x_O[:, None] - x_O[None, :]) for x_O in (a_O, b_O))
    cell_OO = (item_O[:, None] * items + item_O[None, :]).ravel()
    concord_PP, a_apart_PP, b_apart_PP = (
        np.bincount(cell_OO, weights=pairs_OO.ravel(), minlength=items**2).reshape(items, items)
        for pairs_OO in (a_OO * b_OO, a_OO**2, b_OO**2)
    )

    def tau(weights_BP: Array) -> Array:
        concord_B, a_B, b_B = (
            (weights_BP @ pairs_PP * weights_BP).sum(axis=1) for pairs_PP in (concord_PP, a_apart_PP, b_apart_PP)
        )
        return np.asarray(concord_B / np.sqrt(a_B * b_B))

    return measure_of(tau, prompts, seed, _CONSTANT, library=lambda: kendalltau(a_O, b_O).statistic)


def _those(is_kept: Sequence[bool], prompts: Prompts | None) -> Prompts:
    """The prompts of the items that are kept."""
    return list(compress(prompts or range(len(is_kept)), is_kept))


def table_kappa(tables_PKK: Array) -> Statistic:
    """Cohen's kappa of the sum of the items' contingency tables, rows one rater, columns the other."""
    classes = tables_PKK.shape[1]
    cells_PC = tables_PKK.reshape(len(tables_PKK), -1)

    def kappa(weights_BP: Array) -> Array:
        table_BKK = (weights_BP @ cells_PC).reshape(-1, classes, classes)
        share_BKK = table_BKK / table_BKK.sum(axis=(1, 2), keepdims=True)
        chance_B = (share_BKK.sum(axis=1) * share_BKK.sum(axis=2)).sum(axis=1)
        return _beyond_chance(np.trace(share_BKK, axis1=1, axis2=2), chance_B)

    return kappa


def _cells(a: Sequence[str | None], b: Sequence[str | None]) -> Array:
    """One table an item with a 1 where its two classes meet."""
    classes = sorted({*map(str, a), *map(str, b)})
    one_KK = np.eye(len(classes))
    rows_PK, columns_PK = (one_KK[[classes.index(str(label)) for label in side]] for side in (a, b))
    return np.asarray(rows_PK[:, :, None] * columns_PK[:, None, :])


def _counts(votes_P: Sequence[Sequence[str | float]]) -> Array:
    """How often each value, in ascending order, was given to each item."""
    values = sorted({vote for votes in votes_P for vote in votes})
    return np.array([[votes.count(value) for value in values] for votes in map(list, votes_P)], dtype=np.float64)


def _beyond_chance(observed_B: Array, chance_B: Array) -> Array:
    return _beyond((observed_B - chance_B) / (1 - chance_B), 1 - chance_B)


def _beyond(values_B: Array, room_B: Array) -> Array:
    """`values_B`, nan where chance leaves no room to differ."""
    return np.where(room_B > _ROUNDING, values_B, np.nan)


def _distances(total_BU: Array, level: Level) -> Array:
    values = total_BU.shape[1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(values), (len(total_BU), values, values))
    middle_BU = np.cumsum(total_BU, axis=1) - total_BU / 2
    return np.asarray((middle_BU[:, :, None] - middle_BU[:, None, :]) ** 2)


def _ranks(values_O: Array, weights_BO: Array) -> Array:
    """The mean rank of each observation where observation o comes weights_BO[:, o] times."""
    _, codes_O = np.unique(values_O, return_inverse=True)
    order_O = np.argsort(codes_O, kind="stable")
    starts_U = np.flatnonzero(np.diff(codes_O[order_O], prepend=-1))
    group_BU = np.add.reduceat(weights_BO[:, order_O], starts_U, axis=1)
    return np.asarray((np.cumsum(group_BU, axis=1) - group_BU / 2)[:, codes_O])


def _pearson(a_BO: Array, b_BO: Array, weights_BO: Array) -> Array:
    total_B1 = weights_BO.sum(axis=1, keepdims=True)
    a_BO, b_BO = (x_BO - (weights_BO * x_BO).sum(axis=1, keepdims=True) / total_B1 for x_BO in (a_BO, b_BO))
    spread_B = (weights_BO * a_BO**2).sum(axis=1) * (weights_BO * b_BO**2).sum(axis=1)
    return _beyond((weights_BO * a_BO * b_BO).sum(axis=1) / np.sqrt(spread_B), spread_B)
