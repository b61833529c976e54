"""What moves a judge besides the quality of the answers: place, the top of its scale, silence; more in `slopes.py`.

Each measure is at rest for a judge that errs at random, so that a poor judge is not taken for a biased one. At rest: 0
for the flip rate, same_position and position_preference, 1 for the parse rate. A judge that tosses a coin at every call
flips half the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.judge_quality.accuracy import Scale, scores_of
from selfreward.judge_quality.estimate import Measure, mean_of, missing, share_of
from selfreward.judge_quality.verdicts import Judged, prompts_of

_ONE_ORDER = "the judge was not asked in both orders"
_NO_SCORES = "the judge gives no scores"
_AT_TOP = 0.01
_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """`count` scores lie from `low` up to, but not at, `high`; in the last bin, and where both are equal, at it too."""

    low: float
    high: float
    count: int


def flip_rate(judged: Sequence[Judged]) -> Measure:
    """The share of items whose verdict changed when the answers changed places."""
    flips = [None if said.flipped is None else float(said.flipped) for _, said in judged]
    return share_of("flip_rate", flips, prompts_of(judged), _ONE_ORDER)


def same_position(judged: Sequence[Judged]) -> Measure:
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
    return share_of("same_position", rows, prompts_of(judged), f"{_ONE_ORDER}, or saw ties alone")


def position_preference(judged: Sequence[Judged], seed: int) -> Measure:
    """The mean preference for the answer shown first, less 0.5: from -0.5 (always the second) to 0.5."""
    rows = [None if said.first_shown is None else said.first_shown - 0.5 for _, said in judged]
    return mean_of("position_preference", rows, prompts_of(judged), seed, _ONE_ORDER)


def parse_rate(judged: Sequence[Judged]) -> Measure:
    """The share of items with a verdict that could be read; refused, truncated and failed ones count as not read."""
    read = [float(said.outcome == "scored") for _, said in judged]
    return share_of("parse_rate", read, prompts_of(judged), "there are no items")


def share_at_maximum(judged: Sequence[Judged], scale: Scale | None) -> Measure:
    """The share of the judge's scores at the top of its `scale` (lowest, highest), within 1% of the scale's length.

    The scores of one item are averaged first. Missing for a judge without scores or whose scores have no maximum.
    """
    if scale is None:
        return missing("share_at_maximum", "the judge's scores have no maximum", len(judged))
    top = [top_share(scores_of(pair), scale) for pair in judged]
    return share_of("share_at_maximum", top, prompts_of(judged), _NO_SCORES)


def top_share(scores: Sequence[float], scale: Scale) -> float | None:
    """The share of `scores` at the top of `scale`, within 1% of its length; None without scores."""
    low, high = scale
    top = sum(score >= high - _AT_TOP * (high - low) for score in scores)
    return top / len(scores) if scores else None


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
