"""How far the members of a jury disagree about the candidates of a prompt."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Scores = Mapping[str, float]
"""What one member gave the candidates of a prompt, by their ids; those it has no verdict on are left out."""

# Sums of the same votes in another order differ in their last bits, which would decide between candidates.
DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """How far the members of a jury disagree about the answers to the prompt, or of the pair, with this id: 0 to 1."""

    id: str
    disagreement: float


def disagreement(members: Iterable[Scores]) -> float | None:
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


def most_disputed(disputes: Iterable[Dispute], count: int) -> list[Dispute]:
    """The `count` disputes in which a jury disagrees the most, these first; none in which it agrees."""
    found = [one for one in disputes if one.disagreement > 0]
    return sorted(found, key=lambda one: (-one.disagreement, one.id))[:count]


def ranking(scores: Scores) -> dict[str, float]:
    """Ranks from 1, the lowest score, up; equal scores share the mean of theirs."""
    from scipy.stats import rankdata

    return dict(zip(scores, rankdata(list(scores.values())).tolist(), strict=True))
