"""How far the members of a jury disagree about the candidates of a prompt."""

import math
import re
from collections.abc import Mapping, Sequence

from selfreward.records import Judgment

Scores = Mapping[str, float]
"""What one member gave the candidates of a prompt, by their ids; those it has no verdict on are left out."""

# Sums of the same votes in another order differ in their last bits, which would decide between candidates.
DIGITS = 9
_DISAGREEMENT = re.compile(r"disagreement=(\d\S*) ")


def disagreement(members: Sequence[Scores]) -> float | None:
    """1 - Kendall's W of the members' rankings, corrected for ties: 0 all agree, 1 they cancel each other out.

    It is taken over the candidates that all of the members have scored, members with fewer than two scores left out.
    None with fewer than two such members or candidates, or where no member ranks one above another.
    """
    voting = [scores for scores in members if len(scores) > 1]
    common = sorted(set.intersection(*map(set, voting))) if voting else []
    m, n = len(voting), len(common)
    if m < 2 or n < 2:
        return None
    ranked = [ranking({one: scores[one] for one in common}) for scores in voting]
    sums = [math.fsum(ranks[one] for ranks in ranked) for one in common]
    spread = math.fsum((total - m * (n + 1) / 2) ** 2 for total in sums)
    alike = [[list(ranks.values()).count(rank) for rank in set(ranks.values())] for ranks in ranked]
    most = m * m * (n**3 - n) - m * sum(t**3 - t for sizes in alike for t in sizes)
    return None if most == 0 else round(1 - 12 * spread / most, DIGITS) + 0.0


def disagreements(conclusions: Sequence[Judgment]) -> dict[str, float]:
    """The disagreement on every prompt that has one, from the conclusions of a jury."""
    found = ((one.prompt_id, _DISAGREEMENT.match(one.raw)) for one in conclusions)
    return {prompt_id: float(told[1]) for prompt_id, told in found if told is not None}


def most_disputed(conclusions: Sequence[Judgment], count: int) -> dict[str, float]:
    """The `count` prompts on which a jury disagrees the most, by id, the most disputed first; none where it agrees."""
    found = sorted((-value, prompt_id) for prompt_id, value in disagreements(conclusions).items() if value > 0)
    return {prompt_id: -value for value, prompt_id in found[:count]}


def ranking(scores: Scores) -> dict[str, float]:
    """Ranks from 1, the lowest score, up; equal scores share the mean of theirs."""
    given = list(scores.values())
    return {one: sum(other < score for other in given) + (given.count(score) + 1) / 2 for one, score in scores.items()}
