"""How far what a judge was asked prefers one answer to another: by comparing them, or by the votes of its members."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from selfreward.judges.base import Weights
from selfreward.judges.both_orders import comparisons, higher
from selfreward.judges.disagreement import DIGITS
from selfreward.judges.members import member_of
from selfreward.records import Judgment


def preference_between(
    first_id: str, second_id: str, evidence: Iterable[Judgment], weights: Weights | None = None
) -> float | None:
    """How far the first of two candidates is preferred in what was asked of their prompt, 0 to 1; None if nobody says.

    A judge that compared the two prefers as both orders say together. One that scored both votes for the higher score,
    half where they tie, and for neither where one is missing; with several scores of an answer, by models of an
    ensemble or by dimension, its vote is the share of them. The members of a jury count by their `weights`, by name,
    alike without. The order of members and of candidates does not matter.

    Source: the mean over both orders as the label, Lee et al. 2023 (2309.00267).
    """
    asked: dict[str, dict[str | None, list[Judgment]]] = {}
    for one in evidence:
        asked.setdefault(one.judge, {}).setdefault(one.dimension, []).append(one)
    heard: list[tuple[float, float]] = []
    for judge, by_dimension in asked.items():
        votes = [vote for said in by_dimension.values() if (vote := _vote(first_id, second_id, said)) is not None]
        member = member_of(judge, None)
        weight = 1.0 if weights is None or member is None else weights[member]
        if votes and weight > 0:
            heard.append((weight, math.fsum(votes) / len(votes)))
    if not heard:
        return None
    return round(math.fsum(weight * vote for weight, vote in heard) / math.fsum(weight for weight, _ in heard), DIGITS)


def scores_of(judgments: Iterable[Judgment]) -> dict[str, float]:
    """The score of each candidate that has one: the mean, where it was judged repeatedly."""
    found: dict[str, list[float]] = {}
    for one in judgments:
        if one.score is not None:
            found.setdefault(one.candidate_ids[0], []).append(one.score)
    return {candidate_id: fmean(scores) for candidate_id, scores in found.items()}


def _vote(first_id: str, second_id: str, said: Sequence[Judgment]) -> float | None:
    """How far one who said this prefers the first candidate, 0 to 1; None where nothing is said of both."""
    if all(len(one.candidate_ids) == 1 for one in said):
        scores = scores_of(said)
        return higher(scores.get(first_id), scores.get(second_id))
    compared = comparisons(one for one in said if set(one.candidate_ids) == {first_id, second_id})
    known = [(one.first_id, one.preference) for one in compared if one.preference is not None]
    return fmean(value if shown == first_id else 1 - value for shown, value in known) if known else None
