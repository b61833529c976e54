"""What moves a judge besides the quality of the answers: place, length, authorship, the top of its scale, silence.

Each measure is at rest for a judge that errs at random, so that a poor judge is not taken for a biased one, and each
is taken at equal values of what the others measure. At rest: 0 for the flip rate, same_position, position_preference,
length_slope, self_preference; 1 for the parse rate. A judge that tosses a coin at every call flips half the time.

Shape suffixes: B draws, P items, D covariates.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.calibration.measure import Array, Measure, Statistic, mean_of, measure_of, missing
from selfreward.calibration.quality import Scale, scores_of
from selfreward.calibration.records import Judged, Labelled
from selfreward.records import majority

_ONE_ORDER = "the judge was not asked in both orders"
_NO_SCORES = "the judge gives no scores"
_SAME = 1e-9
_AT_TOP = 0.01
_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """`count` scores lie from `low` up to, but not at, `high`; in the last bin, and where both are equal, at it too."""

    low: float
    high: float
    count: int


def flip_rate(judged: Sequence[Judged], seed: int) -> Measure:
    """The share of items whose verdict changed when the answers changed places."""
    flips = [None if said.flipped is None else float(said.flipped) for _, said in judged]
    return mean_of("flip_rate", flips, seed, _ONE_ORDER)


def same_position(judged: Sequence[Judged], seed: int) -> Measure:
    """The share of decided items on which the place shown first won in both orders: pure choice of a place.

    Counted is an item whose orders disagree with the answer shown first ahead over both, so that a win in one order
    and a tie in the other counts. Left out: items that were not answered in both orders, or tied in both.
    """
    rows: list[float | None] = []
    for _, said in judged:
        if said.flipped is None or said.first_shown is None or (not said.flipped and said.preference == 0.5):
            rows.append(None)
        else:
            rows.append(float(said.flipped and said.first_shown > 0.5))
    return mean_of("same_position", rows, seed, f"{_ONE_ORDER}, or saw ties alone")


def position_preference(judged: Sequence[Judged], seed: int) -> Measure:
    """The mean preference for the answer shown first, less 0.5: from -0.5 (always the second) to 0.5."""
    rows = [None if said.first_shown is None else said.first_shown - 0.5 for _, said in judged]
    return mean_of("position_preference", rows, seed, _ONE_ORDER)


def parse_rate(judged: Sequence[Judged], seed: int) -> Measure:
    """The share of items with a verdict that could be read; refused, truncated and failed ones count as not read."""
    return mean_of("parse_rate", [float(said.outcome == "scored") for _, said in judged], seed, "there are no items")


def share_at_maximum(judged: Sequence[Judged], scale: Scale | None, seed: int) -> Measure:
    """The share of the judge's scores at the top of its `scale` (lowest, highest), within 1% of the scale's length.

    The scores of one item are averaged first. Missing for a judge without scores or whose scores have no maximum.
    """
    if scale is None:
        return missing("share_at_maximum", "the judge's scores have no maximum", len(judged))
    return mean_of("share_at_maximum", [top_share(scores_of(pair), scale) for pair in judged], seed, _NO_SCORES)


def top_share(scores: Sequence[float], scale: Scale) -> float | None:
    """The share of `scores` at the top of `scale`, within 1% of its length; None without scores."""
    low, high = scale
    top = sum(score >= high - _AT_TOP * (high - low) for score in scores)
    return top / len(scores) if scores else None


def length_slope(judged: Sequence[Judged], own: Collection[str], seed: int) -> Measure:
    """How much the judge's preference for an answer rises when it is twice as long, at equal human label.

    The slope of preference - 0.5 on log2(characters of the first / of the second), by least squares without an
    intercept (swapping the answers turns every sign), beside the majority of people (1, 0, -1), separately on items
    that set an answer by an author in `own` against another's, and beside whose side is `own`. Linear, not logistic:
    a judge that agrees with people throughout has a slope of exactly 0, where a logistic fit would diverge. Left out:
    items without a preference or a majority. Missing where length does not vary at equal label.
    """
    rows, values = [], []
    for item, said in judged:
        side = _label(item)
        if said.preference is not None and side is not None:
            mine = _own_side(item, own)
            rows.append((_length(item), side * (mine == 0), side * abs(mine), mine))
            values.append(said.preference - 0.5)
    why = "no item with a preference and a majority differs in length at equal human label"
    return _slope("length_slope", rows, values, len(judged), seed, why)


def self_preference(judged: Sequence[Judged], own: Collection[str], seed: int) -> Measure:
    """The judge's preference for answers by authors in `own`, less 0.5, where people and length favour neither side.

    On items where exactly one answer is its own: the intercept of preference for its own - 0.5 on people's majority
    for its own (1, 0, -1), on log2 of the length ratio and on which is longer. The plain difference between the
    judge's and people's preference is not used: any noise in the judge moves it, unless people prefer its own exactly
    half the time. Missing without such items, or where length or label tell its own from the others' throughout.
    """
    rows, values = [], []
    for item, said in judged:
        side, mine = _label(item), _own_side(item, own)
        if said.preference is not None and side is not None and mine != 0:
            longer = _length(item) * mine
            rows.append((1.0, side * mine, longer, float(np.sign(longer))))
            values.append((said.preference - 0.5) * mine)
    name = "self_preference"
    if all(item.first_author is None and item.second_author is None for item, _ in judged):
        why = "nobody says who wrote the answers: give chosen_author and rejected_author, and set judge.own"
        return missing(name, why, len(judged))
    if not own:
        return missing(name, "it is not known which answers are the judge's own: set judge.own=[AUTHOR]", len(judged))
    if not rows:
        return missing(name, "no item with a preference sets an answer of judge.own against another's", len(judged))
    why = "its own answers are told apart by length or people's label throughout"
    return _slope(name, rows, values, len(judged), seed, why)


def score_histogram(judged: Sequence[Judged]) -> tuple[ScoreBin, ...]:
    """How often each score was given, one bin a distinct score, or 20 equal ones where there are more."""
    return histogram([score for pair in judged for score in scores_of(pair)])


def histogram(scores: Sequence[float]) -> tuple[ScoreBin, ...]:
    """As `score_histogram`, of `scores`."""
    values, counts = np.unique(np.array(scores, dtype=np.float64), return_counts=True)
    if len(values) <= _MOST_VALUES:
        return tuple(ScoreBin(float(value), float(value), int(n)) for value, n in zip(values, counts, strict=True))
    counts, edges = np.histogram(scores, bins=_MOST_VALUES)
    return tuple(
        ScoreBin(float(low), float(high), int(n)) for low, high, n in zip(edges, edges[1:], counts, strict=False)
    )


def _slope(
    name: str, rows: Sequence[Sequence[float]], values: Sequence[float], judged: int, seed: int, why: str
) -> Measure:
    left_out = judged - len(rows)
    if not rows:
        return missing(name, why, left_out)
    statistic = first_coefficient(np.array(rows, dtype=np.float64), np.array(values, dtype=np.float64))
    return measure_of(name, statistic, len(rows), seed, why, left_out=left_out)


def first_coefficient(x_PD: Array, y_P: Array) -> Statistic:
    """The least-squares coefficient of the first covariate, no intercept; nan where the others explain it wholly."""
    others = x_PD.shape[1] - 1
    moments_PD = np.concatenate([(x_PD[:, :, None] * x_PD[:, None, :]).reshape(len(x_PD), -1), x_PD * y_P[:, None]], 1)

    def coefficient(weights_BP: Array) -> Array:
        moments_BD = weights_BP @ moments_PD
        xx_BDD = moments_BD[:, : (others + 1) ** 2].reshape(-1, others + 1, others + 1)
        xy_BD = moments_BD[:, (others + 1) ** 2 :]
        # Frisch-Waugh: what is left of the first covariate, and of y, when the others are taken out.
        out_B1D = xx_BDD[:, :1, 1:] @ np.linalg.pinv(xx_BDD[:, 1:, 1:], rcond=_SAME, hermitian=True)
        left_B = xx_BDD[:, 0, 0] - (out_B1D @ xx_BDD[:, 1:, :1])[:, 0, 0]
        with_y_B = xy_BD[:, 0] - (out_B1D @ xy_BD[:, 1:, None])[:, 0, 0]
        # Rounded, so that two judges who fit exactly have the same figure.
        return np.where(left_B > _SAME * xx_BDD[:, 0, 0], np.round(with_y_B / left_B, 12), np.nan)

    return coefficient


def _label(item: Labelled) -> float | None:
    side = majority(item.verdicts)
    return None if side is None else float((side == "first") - (side == "second"))


def _own_side(item: Labelled, own: Collection[str]) -> int:
    """1 where the first answer alone is by an author in `own`, -1 where the second alone is, else 0."""
    return (item.first_author in own) - (item.second_author in own)


def _length(item: Labelled) -> float:
    """Log2 of the length ratio in characters; an empty answer counts as one character."""
    return math.log2(max(len(item.first), 1) / max(len(item.second), 1))
