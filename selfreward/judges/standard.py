"""Scores in standard deviations from the mean of those that the start policy's answers got, by whoever gave them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report
from selfreward.errors import DataError
from selfreward.records import Judgment

ALONE = "model_1"
"""The member of a judge that has one, whose judgments name none."""
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The `mean` and the standard `deviation` (of n - 1), above 0, of `scores` scores of one model."""

    mean: float
    deviation: float
    scores: int

    def standardised(self, score: float) -> float:
        """How many of these standard deviations `score` is above this mean."""
        return (score - self.mean) / self.deviation


Standard = Mapping[str, Moments]
"""What the scores of each member of a judge are standardised by, by the name of the member."""


def standard_of(evidence: Iterable[Judgment]) -> Standard:
    """The moments of the scores that each member gave, by the `dimension` of its judgments; failed ones have none.

    The deviation has six digits, and the mean as many decimals as that, so that machines which differ in the last
    digits of a score have the same standard. Raises DataError for a member whose scores have no deviation.
    """
    asked: dict[str, int] = {}
    scores: dict[str, list[float]] = {}
    for one in evidence:
        member = one.dimension or ALONE
        asked[member] = asked.get(member, 0) + 1
        given = scores.setdefault(member, [])
        if one.score is not None:
            given.append(one.score)
    return {member: _moments(member, given, asked[member]) for member, given in scores.items()}


def standard_of_seats(seats: Mapping[str, str], evidence: Iterable[Judgment]) -> Standard:
    """As `standard_of`, of several judges: their members' names stand behind those of their seats, which `seats` has.

    The keys of `seats` are the `judge` of their judgments; those of others are left out.
    """
    own = (one for one in evidence if one.judge in seats)
    return standard_of(replace(one, dimension=f"{seats[one.judge]}.{one.dimension or ALONE}") for one in own)


def standard_of_seat(standard: Standard, seat: str) -> Standard:
    """What a standard that `standard_of_seats` gave has of one judge."""
    behind = f"{seat}."
    return {name.removeprefix(behind): one for name, one in standard.items() if name.startswith(behind)}


def _moments(member: str, scores: list[float], asked: int) -> Moments:
    deviation = stdev(scores) if len(scores) > 1 else 0.0
    if deviation == 0:
        few = f"{len(scores)} of {asked} answers have a score by {member}"
        alike = f"{member} gives all {len(scores)} answers the score {scores[0]:.6g}" if len(scores) > 1 else few
        raise DataError(
            f"judge.standardise=true, and {alike}, which is no spread to standardise by: name another model in "
            "judge.models, or set judge.standardise=false"
        )
    decimals = _DIGITS - 1 - math.floor(math.log10(deviation))
    return Moments(mean=round(fmean(scores), decimals), deviation=round(deviation, decimals), scores=len(scores))


def save_standard(out: Output, standard: Standard) -> None:
    """Writes `standard.json`, which `saved_standard` reads."""
    out.write_json("standard", {member: asdict(one) for member, one in standard.items()})


def saved_standard(judged: Artifact) -> Standard:
    """The standard that the judgments of the start policy's answers made."""
    return load_report(judged, "standard", dict[str, Moments])
