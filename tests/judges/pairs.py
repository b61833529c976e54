"""Pairwise judges to try, and what they conclude."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.judges.base import Item, Means
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.policies import Policy
from selfreward.records import Judgment
from tests.judges.made import Says, judged

CONSTITUTION = "constitution@judge.constitution=helpful_honest_harmless"


MEANS = Means(policy=Policy(path=Path("p"), key="p", digest="p"), backend=Says(str))  # type: ignore[arg-type]


@cache
def spec_of(*overrides: str) -> PairwiseSpec:
    judge = validate(compose(["judge=pairwise", *overrides])).judge
    assert isinstance(judge, PairwiseSpec)
    return judge


def by_principle(*overrides: str) -> PairwiseSpec:
    return spec_of("comparison@judge.comparison=by_principle", CONSTITUTION, *overrides)


def shown(message: str) -> tuple[str, str]:
    """The answers that a message shows as A and as B."""
    found = re.search(r"<answer_a>\n(.*)\n</answer_a>.*<answer_b>\n(.*)\n</answer_b>", message, re.DOTALL)
    assert found is not None
    return found[1], found[2]


def concluded(spec: PairwiseSpec, evidence: list[Judgment], *items: Item) -> list[Judgment]:
    conclude = spec.build(MEANS).conclude
    assert conclude is not None
    judgments = conclude(items, evidence)
    assert [one.candidate_ids for one in judgments] == [(candidate.id,) for _, candidate in items]
    return judgments


def scores(spec: PairwiseSpec, says: Callable[[str], str | tuple[float, ...] | None], *items: Item) -> list[float]:
    found = [one.score for one in concluded(spec, judged(spec, Says(says), *items), *items)]
    return [score for score in found if score is not None]


def prefers(*ranking: str) -> Callable[[str], str]:
    """A judge with a ranking, best first, whatever the order shown."""

    def says(message: str) -> str:
        one, other = (ranking.index(answer) for answer in shown(message))
        return f"I looked at both.\nVerdict: {'A' if one < other else 'B'}"

    return says
