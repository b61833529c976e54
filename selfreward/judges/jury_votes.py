"""The votes of a jury on the candidates of one prompt: what each member's scores say by its rule, and all together."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Literal

from selfreward.judges.base import Item, Weights
from selfreward.judges.disagreement import DIGITS, Scores, disagreement, ranking
from selfreward.judges.members import number, told_scores
from selfreward.judges.pointwise import pointwise
from selfreward.records import Judgment, Outcome

Rule = Literal["majority", "mean_rank", "weighted"]


def counted(
    name: str, rule: Rule, quorum: int | None, field: Sequence[Item], here: Mapping[str, Scores], weights: Weights
) -> list[Judgment]:
    """A judgment by `name` of each of the candidates of one prompt, whose texts differ.

    `here` has what each member gave them; a candidate without verdicts of `quorum` members is unparsed.
    """
    with_say = [member for member in here if weights[member] > 0]
    needed = quorum or max(1, math.ceil(len(with_say) / 2))
    votes = {member: _RULES[rule](here[member]) for member in with_say if len(here[member]) > 1}
    disputed = number(disagreement(here.values()))
    nobody = "" if with_say else ", none of a weight above 0"
    judgments = []
    for item in field:
        id_ = item[1].id
        heard = {member: said[id_] for member, said in votes.items() if id_ in said}
        score = None
        if len(heard) >= needed:
            weighed = math.fsum(weights[member] * vote for member, vote in heard.items())
            score = round(weighed / math.fsum(weights[member] for member in heard), DIGITS) + 0.0
        told = f"disagreement={disputed} {rule}={number(score)} members={len(heard)} of {len(here)}{nobody}"
        outcome: Outcome = "unparsed" if score is None else "scored"
        raw = told_scores(told, id_, here)
        judgments.append(pointwise(item, judge=name, outcome=outcome, score=score, raw=raw))
    return judgments


def _first_places(scores: Scores) -> dict[str, float]:
    best = [one for one, score in scores.items() if score == max(scores.values())]
    return {one: 1 / len(best) if one in best else 0.0 for one in scores}


def _standardised(scores: Scores) -> dict[str, float]:
    mean, spread = fmean(scores.values()), pstdev(scores.values())
    return {one: (score - mean) / spread if spread > 0 else 0.0 for one, score in scores.items()}


_RULES: Mapping[Rule, Callable[[Scores], dict[str, float]]] = {
    "majority": _first_places,
    "mean_rank": lambda scores: {one: (rank - 1) / (len(scores) - 1) for one, rank in ranking(scores).items()},
    "weighted": _standardised,
}
