"""What moves a judge besides the quality of the answers: place, length, who wrote them, the top of its scale, silence.

Each measure is at rest for a judge that errs at random: the parse rate at 1, the flip rate, same_position,
position_preference and the two slopes at 0. A judge that tosses a coin at every call flips half the time.

Length and authorship are linear regressions at equal human label. **They do not rest at 0 for a judge that is better
than its labels**: where they go with quality, they take over what wrong labels leave unexplained. With labels that are
right in 75% of cases and an author who is better in 75%, a judge without a fault has a self-preference of +.2.

With several verdicts an item, the `_corrected` measures take that out. They rest at 0 for a judge whose errors are not
those of the people; one that copies the errors of these very people lies on the other side of 0.

Shape suffixes: B draws, P items, D covariates.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.judge_quality.accuracy import scores_of
from selfreward.judge_quality.estimate import Array, Measure, Statistic, mean_of, measure_of, missing, share_of
from selfreward.judge_quality.verdicts import Judged, Labelled, prompts_of
from selfreward.judges.base import Scale
from selfreward.records import Message, majority

_ONE_ORDER = "the judge was not asked in both orders"
_NO_SCORES = "the judge gives no scores"
_ONE_VERDICT = "no item has the verdicts of two people, which tell how much one is worth"
_AT_TOP = 0.01
_MOST_VALUES = 20
_SAME = 1e-9

_Line = tuple[tuple[float, ...], float, int, float, tuple[Message, ...]]
"""An item in a regression: covariates, outcome, which covariate is people's label and its square, what was asked."""


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """`count` scores lie from `low` up to, but not at, `high`; in the last bin, and where both are equal, at it too."""

    low: float
    high: float
    count: int


def flip_rate(judged: Sequence[Judged]) -> Measure:
    """The share of items whose verdict changed when the answers changed places."""
    flips = [None if said.flipped is None else float(said.flipped) for _, said in judged]
    return share_of(flips, prompts_of(judged), _ONE_ORDER)


def same_position(judged: Sequence[Judged]) -> Measure:
    """The share of decided items on which the place shown first won in both orders: pure choice of a place.

    A win of the answer shown first in one order and a tie in the other counts. Left out: items that were not answered
    in both orders, or tied in both.
    """
    rows = [
        None
        if said.flipped is None or said.first_shown is None or (not said.flipped and said.preference == 0.5)
        else float(said.flipped and said.first_shown > 0.5)
        for _, said in judged
    ]
    return share_of(rows, prompts_of(judged), f"{_ONE_ORDER}, or saw ties alone")


def position_preference(judged: Sequence[Judged], seed: int) -> Measure:
    """The mean preference for the answer shown first, less 0.5: from -0.5 (always the second) to 0.5."""
    rows = [None if said.first_shown is None else said.first_shown - 0.5 for _, said in judged]
    return mean_of(rows, prompts_of(judged), seed, _ONE_ORDER)


def parse_rate(judged: Sequence[Judged]) -> Measure:
    """The share of items with a verdict that could be read; refused, truncated and failed ones count as not read."""
    read = [float(said.outcome == "scored") for _, said in judged]
    return share_of(read, prompts_of(judged), "there are no items")


def share_at_maximum(judged: Sequence[Judged], scale: Scale | None) -> Measure:
    """The share of the judge's scores at the top of its `scale` (lowest, highest), within 1% of the scale's length.

    The scores of one item are averaged first. Missing for a judge without scores or whose scores have no maximum.
    """
    if scale is None:
        return missing("the judge's scores have no maximum", len(judged))
    top = [top_share(scores_of(pair), scale) for pair in judged]
    return share_of(top, prompts_of(judged), _NO_SCORES)


def top_share(scores: Sequence[float], scale: Scale) -> float | None:
    """The share of `scores` at the top of `scale`, within 1% of its length; None without scores."""
    low, high = scale
    top = sum(score >= high - _AT_TOP * (high - low) for score in scores)
    return top / len(scores) if scores else None


def score_histogram(scores: Sequence[float]) -> tuple[ScoreBin, ...]:
    """How often each score was given, one bin a distinct score, or 20 equal ones where there are more."""
    lows, counts = np.unique(np.array(scores, dtype=np.float64), return_counts=True)
    highs = lows
    if len(lows) > _MOST_VALUES:
        counts, edges = np.histogram(scores, bins=_MOST_VALUES)
        lows, highs = edges[:-1], edges[1:]
    return tuple(map(ScoreBin, lows.tolist(), highs.tolist(), counts.tolist()))


def length_slope(judged: Sequence[Judged], own: Collection[str], seed: int, *, corrected: bool = False) -> Measure:
    """How much the judge's preference for an answer rises when it is twice as long, at equal human label.

    The slope of preference - 0.5 on log2(characters of the first / of the second), by least squares without an
    intercept (swapping the answers turns every sign), beside the majority of people (1, 0, -1), separately on items
    that set an answer by an author in `own` against another's, and beside whose side is `own`. Linear, because a
    logistic fit diverges for a judge that agrees with people throughout. Left out: items without a preference or a
    majority; `corrected`, which takes people's mean verdict instead, those with fewer than two verdicts. Missing where
    length does not vary at equal label.
    """
    lines: list[_Line] = []
    for item, said in judged:
        label, mine = _label(item, corrected), _own_side(item, own)
        if said.preference is not None and label is not None:
            side, square = label
            x = (_length(item), side * (mine == 0), side * abs(mine), mine)
            lines.append((x, said.preference - 0.5, 1 + abs(mine), square, item.messages))
    why = "no item with a preference and a majority differs in length at equal human label"
    if corrected and not lines:
        why = _ONE_VERDICT
    return _slope(lines, len(judged), seed, why)


def self_preference(judged: Sequence[Judged], own: Collection[str], seed: int, *, corrected: bool = False) -> Measure:
    """The judge's preference for answers by authors in `own`, less 0.5, where people and length favour neither side.

    On items where exactly one answer is its own: the intercept of preference for its own - 0.5 on people's majority
    for its own (1, 0, -1), on log2 of the length ratio and on which is longer. Any noise in the judge would move the
    plain difference between its and people's preference. Missing without such items, or where length or label tell its
    own from the others' throughout. `corrected` as in `length_slope`.
    """
    lines: list[_Line] = []
    for item, said in judged:
        label, mine = _label(item, corrected), _own_side(item, own)
        if said.preference is not None and label is not None and mine != 0:
            side, square = label
            longer = _length(item) * mine
            x = (1.0, side * mine, longer, float(np.sign(longer)))
            lines.append((x, (said.preference - 0.5) * mine, 1, square, item.messages))
    why = "its own answers are told apart by length or people's label throughout"
    if all(item.first_author is None and item.second_author is None for item, _ in judged):
        lines, why = [], "nobody says who wrote the answers: give chosen_author and rejected_author, and set judge.own"
    elif not own:
        lines, why = [], "it is not known which answers are the judge's own: set judge.own=[AUTHOR]"
    elif not lines:
        why = _ONE_VERDICT if corrected else "no item with a preference sets an answer of judge.own against another's"
    return _slope(lines, len(judged), seed, why)


def _slope(lines: Sequence[_Line], judged: int, seed: int, why: str) -> Measure:
    left_out = judged - len(lines)
    if not lines:
        return missing(why, left_out)
    x, y, label, square, prompts = zip(*lines, strict=True)
    x_PD, y_P = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
    xx_PDD = x_PD[:, :, None] * x_PD[:, None, :]
    xx_PDD[np.arange(len(lines)), label, label] = square
    statistic = first_coefficient(xx_PDD, x_PD * y_P[:, None])
    return measure_of(statistic, prompts, seed, why, left_out=left_out)


def first_coefficient(xx_PDD: Array, xy_PD: Array) -> Statistic:
    """The least-squares coefficient of the first covariate, no intercept; nan where the others explain it wholly.

    `xx_PDD` are the products of the covariates of each item with each other, `xy_PD` those with the outcome.
    """
    others = xy_PD.shape[1] - 1
    moments_PD = np.concatenate([xx_PDD.reshape(len(xx_PDD), -1), xy_PD], 1)

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


def _label(item: Labelled, corrected: bool) -> tuple[float, float] | None:
    """What people said of an item, + for the first answer, and the square of it that the regression takes.

    It is the majority, or, to correct, people's mean verdict with the mean product of two of them as its square, in
    which their errors, being independent, cancel out (method of moments; Fuller 1987, chapter 1). None without a
    majority, or two verdicts.
    """
    first, second, people = item.verdicts.count("first"), item.verdicts.count("second"), len(item.verdicts)
    if corrected:
        pairs = people * (people - 1)
        return ((first - second) / people, ((first - second) ** 2 - first - second) / pairs) if pairs else None
    most = majority(item.verdicts)
    side = float((most == "first") - (most == "second"))
    return None if most is None else (side, side**2)


def _own_side(item: Labelled, own: Collection[str]) -> int:
    """1 where the first answer alone is by an author in `own`, -1 where the second alone is, else 0."""
    return (item.first_author in own) - (item.second_author in own)


def _length(item: Labelled) -> float:
    """Log2 of the length ratio in characters; an empty answer counts as one character."""
    return math.log2(max(len(item.first), 1) / max(len(item.second), 1))
