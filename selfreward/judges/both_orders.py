"""What two judgments of the same two candidates, one in each order, say together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from selfreward.records import Judgment, Verdict

PREFERENCES: Mapping[Verdict, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}
"""How far each verdict prefers the first of two answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BothOrders:
    """Two candidates of a prompt, asked about in both orders.

    `preference` is how far the first is preferred, 0 to 1, `flipped` whether the two orders disagreed; both are None
    where a verdict is missing.
    """

    first_id: str
    second_id: str
    preference: float | None
    flipped: bool | None


def agreed(one: Judgment, other: Judgment) -> BothOrders:
    """What the judgments of the two orders say together.

    Of verdicts, the common one, by the mean of its degrees where it has them, and a tie where they differ. Of
    probabilities, the mean; they are flipped where they lie on different sides of one half.
    """
    assert one.candidate_ids == other.candidate_ids, "judgments of the same candidates"
    assert one.order != other.order, "one judgment for each order"
    first_id, second_id = one.candidate_ids
    mine, others = preference_of(one), preference_of(other)
    preference = flipped = None
    if mine is not None and others is not None:
        preference, flipped = (mine + others) / 2, (mine - 0.5) * (others - 0.5) < 0
    if one.verdict is not None and other.verdict is not None:
        flipped = one.verdict != other.verdict
        preference = 0.5 if flipped else preference
    return BothOrders(first_id=first_id, second_id=second_id, preference=preference, flipped=flipped)


def comparisons(judgments: Iterable[Judgment]) -> list[BothOrders]:
    """Every comparison that a judge made, once, in the order of `judgments`; those of one candidate are passed over."""
    orders: dict[tuple[object, ...], list[Judgment]] = {}
    for one in judgments:
        if len(one.candidate_ids) == 2:
            orders.setdefault((one.judge, one.dimension, one.repeat, one.candidate_ids), []).append(one)
    return [agreed(one, other) for one, other in orders.values()]


def over_principles(compared: Iterable[BothOrders]) -> list[BothOrders]:
    """The comparisons of the same two candidates by several principles as one, by the mean of the preferences known.

    It is flipped where most of them are; both are None where all lack a verdict.
    """
    return [_mean(own) if len(own) > 1 else own[0] for own in _by_pair(compared)]


def against_most(judgments: Iterable[Judgment]) -> tuple[int, int]:
    """How many verdicts of principles are for the answer that most principles of their comparison are not for.

    And out of how many: those of comparisons that two principles or more of a judge have a verdict on, ties left out.
    Where as many are for either answer, half of them count.
    """
    by_judge: dict[tuple[str, str | None], list[Judgment]] = {}
    for one in judgments:
        if one.principle is not None:
            by_judge.setdefault((one.judge, one.dimension), []).append(one)
    against = verdicts = 0
    for said in by_judge.values():
        for own in _by_pair(comparisons(said)):
            sides = [verdict_of(one.preference) for one in own if one.preference is not None]
            first, second = sides.count("first"), sides.count("second")
            if first + second > 1:
                against, verdicts = against + min(first, second), verdicts + first + second
    return against, verdicts


def _by_pair(compared: Iterable[BothOrders]) -> list[list[BothOrders]]:
    found: dict[tuple[str, str], list[BothOrders]] = {}
    for one in compared:
        found.setdefault((one.first_id, one.second_id), []).append(one)
    return [*found.values()]


def _mean(compared: Sequence[BothOrders]) -> BothOrders:
    known = [one.preference for one in compared if one.preference is not None]
    flips = [one.flipped for one in compared if one.flipped is not None]
    preference, flipped = (fmean(known), 2 * sum(flips) > len(flips)) if known else (None, None)
    return replace(compared[0], preference=preference, flipped=flipped)


def preference_of(judgment: Judgment) -> float | None:
    """How far a judgment of two candidates prefers the first of `candidate_ids`, 0 to 1; None without a verdict."""
    if judgment.verdict is None or judgment.score is not None:
        return judgment.score
    return PREFERENCES[judgment.verdict]


def higher(first: float | None, second: float | None) -> float | None:
    """How far the first of two answers is preferred, by the higher score; None where one is missing."""
    return None if first is None or second is None else 0.5 + ((first > second) - (first < second)) / 2


def verdict_of(preference: float) -> Verdict:
    """The side that a preference for the first of two answers is on."""
    return "tie" if preference == PREFERENCES["tie"] else "first" if preference > PREFERENCES["tie"] else "second"
