"""How far a judge goes by length and by who wrote an answer, at equal human label.

Linear regressions in which swapping the two answers turns every sign. Both rest at 0 for a judge that errs at random,
and for one that is right and wrong with its labels. **They do not rest at 0 for a judge that is better than its
labels**: a label that is wrong at times explains too little of the quality, and length and authorship, where they go
with quality, take over the rest. With labels that are right in 75% of cases and an author who is better in 75%, a
judge without a fault has a self-preference of +.2.

With several verdicts an item, those of different people tell how much a verdict is worth, and the `_corrected`
measures take that out. They rest at 0 for a judge whose errors are not those of the people, however poor or good; a
judge that copies the errors of these very people lies on the other side of 0.

Shape suffixes: B draws, P items, D covariates.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.judge_quality.estimate import Array, Measure, Statistic, measure_of, missing
from selfreward.judge_quality.verdicts import Judged, Labelled
from selfreward.records import Message, majority

_SAME = 1e-9
_ONE_VERDICT = "no item has the verdicts of two people, which tell how much one is worth"


@dataclass(frozen=True, slots=True)
class _Label:
    """What people said of an item, + for the first answer, and the square of it that the regression takes."""

    side: float
    square: float


@dataclass(frozen=True, slots=True)
class _Line:
    """An item in a regression. Column `label` of its covariates `x` is people's, whose square is `square`."""

    x: tuple[float, ...]
    y: float
    label: int
    square: float
    prompt: tuple[Message, ...]


def length_slope(judged: Sequence[Judged], own: Collection[str], seed: int, *, corrected: bool = False) -> Measure:
    """How much the judge's preference for an answer rises when it is twice as long, at equal human label.

    The slope of preference - 0.5 on log2(characters of the first / of the second), by least squares without an
    intercept (swapping the answers turns every sign), beside the majority of people (1, 0, -1), separately on items
    that set an answer by an author in `own` against another's, and beside whose side is `own`. Linear, not logistic:
    a judge that agrees with people throughout has a slope of exactly 0, where a logistic fit would diverge. Left out:
    items without a preference or a majority. Missing where length does not vary at equal label.

    `corrected` takes people's mean verdict instead, as the head of this file says; left out are items with fewer than
    two verdicts.
    """
    lines = []
    for item, said in judged:
        label = _label(item, corrected)
        if said.preference is not None and label is not None:
            mine = _own_side(item, own)
            x = (_length(item), label.side * (mine == 0), label.side * abs(mine), mine)
            lines.append(_Line(x, said.preference - 0.5, 1 + abs(mine), label.square, item.messages))
    why = "no item with a preference and a majority differs in length at equal human label"
    return _slope("length_slope", lines, len(judged), seed, why, corrected=corrected)


def self_preference(judged: Sequence[Judged], own: Collection[str], seed: int, *, corrected: bool = False) -> Measure:
    """The judge's preference for answers by authors in `own`, less 0.5, where people and length favour neither side.

    On items where exactly one answer is its own: the intercept of preference for its own - 0.5 on people's majority
    for its own (1, 0, -1), on log2 of the length ratio and on which is longer. The plain difference between the
    judge's and people's preference is not used: any noise in the judge moves it, unless people prefer its own exactly
    half the time. Missing without such items, or where length or label tell its own from the others' throughout.

    `corrected` as in `length_slope`.
    """
    lines = []
    for item, said in judged:
        label, mine = _label(item, corrected), _own_side(item, own)
        if said.preference is not None and label is not None and mine != 0:
            longer = _length(item) * mine
            x = (1.0, label.side * mine, longer, float(np.sign(longer)))
            lines.append(_Line(x, (said.preference - 0.5) * mine, 1, label.square, item.messages))
    name = "self_preference"
    missing_name = f"{name}_corrected" if corrected else name
    if all(item.first_author is None and item.second_author is None for item, _ in judged):
        why = "nobody says who wrote the answers: give chosen_author and rejected_author, and set judge.own"
        return missing(missing_name, why, len(judged))
    if not own:
        why = "it is not known which answers are the judge's own: set judge.own=[AUTHOR]"
        return missing(missing_name, why, len(judged))
    if not lines and not corrected:
        return missing(name, "no item with a preference sets an answer of judge.own against another's", len(judged))
    why = "its own answers are told apart by length or people's label throughout"
    return _slope(name, lines, len(judged), seed, why, corrected=corrected)


def _slope(name: str, lines: Sequence[_Line], judged: int, seed: int, why: str, *, corrected: bool) -> Measure:
    name, left_out = f"{name}_corrected" if corrected else name, judged - len(lines)
    if not lines:
        return missing(name, _ONE_VERDICT if corrected else why, left_out)
    x_PD, y_P = (np.array(part, dtype=np.float64) for part in zip(*((one.x, one.y) for one in lines), strict=True))
    xx_PDD = x_PD[:, :, None] * x_PD[:, None, :]
    for place, one in enumerate(lines):
        xx_PDD[place, one.label, one.label] = one.square
    statistic = first_coefficient(xx_PDD, x_PD * y_P[:, None])
    return measure_of(name, statistic, [one.prompt for one in lines], seed, why, left_out=left_out)


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


def _label(item: Labelled, corrected: bool) -> _Label | None:
    """The majority, or, to correct, people's mean verdict with the mean product of two of them as its square.

    The error of one person has nothing to do with that of another, so the product of two has the square of what they
    agree on as its mean (method of moments; Fuller 1987, chapter 1). None without a majority, or two verdicts.
    """
    if not corrected:
        major = majority(item.verdicts)
        side = None if major is None else float((major == "first") - (major == "second"))
        return None if side is None else _Label(side, side**2)
    people = len(item.verdicts)
    if people < 2:
        return None
    first, second = item.verdicts.count("first"), item.verdicts.count("second")
    return _Label((first - second) / people, ((first - second) ** 2 - first - second) / (people * (people - 1)))


def _own_side(item: Labelled, own: Collection[str]) -> int:
    """1 where the first answer alone is by an author in `own`, -1 where the second alone is, else 0."""
    return (item.first_author in own) - (item.second_author in own)


def _length(item: Labelled) -> float:
    """Log2 of the length ratio in characters; an empty answer counts as one character."""
    return math.log2(max(len(item.first), 1) / max(len(item.second), 1))
