"""Dimensions: each asked by itself, weighed, and what must be reached before anything else counts."""

from dataclasses import replace
from itertools import product

import pytest

from selfreward.__main__ import compose
from selfreward.config import validate
from selfreward.judges.dimensions import DimensionsSpec, weigh
from selfreward.judges.pointwise import pointwise
from selfreward.records import Judgment
from tests.judges.made import Says, item, judged

SCORES = range(1, 6)


def spec_of(*overrides: str) -> DimensionsSpec:
    judge = validate(compose(["judge=dimensions", *overrides])).judge
    assert isinstance(judge, DimensionsSpec)
    return judge


def concluded(spec: DimensionsSpec, *answers: dict[str, float | None]) -> list[Judgment]:
    """What is concluded of answers that have these scores."""
    items = [item(f"answer {number}", number) for number in range(len(answers))]
    evidence = []
    for one, scores in zip(items, answers, strict=True):
        for name, score in scores.items():
            outcome = "scored" if score is not None else "truncated"
            evidence.append(replace(pointwise(one, judge="d", score=score, outcome=outcome, raw=""), dimension=name))
    return weigh(spec.dimensions, "d", items, evidence)


def test_every_dimension_is_asked_by_itself_and_says_which_it_is() -> None:
    backend = Says(lambda asked: "Score: 4" if "true?" in asked else "Score: 2")
    spec = spec_of()
    evidence = judged(spec, backend, item("Four."), item("Five.", 1))
    assert [(one.dimension, one.candidate_ids[0], one.score) for one in evidence] == [
        (name, candidate, score)
        for name, score in (("clear", 2.0), ("helpful", 2.0), ("right", 4.0))
        for candidate in ("c0", "c1")
    ]
    assert all(one.rubric.startswith(f"{one.dimension}@1:") for one in evidence if one.rubric)
    assert len({one.judge for one in evidence}) == 1
    assert len(backend.asked) == 6


def test_the_score_is_the_weighted_mean_of_the_shares_of_the_scales() -> None:
    spec = spec_of("judge.dimensions.right.at_least=null", "judge.dimensions.clear.weight=3")
    (one,) = concluded(spec, {"right": 5.0, "helpful": 3.0, "clear": 1.0})
    assert one.score == pytest.approx((2 * 1 + 1 * 0.5 + 3 * 0) / 6)
    assert one.raw == "mean=0.416667 right=5 helpful=3 clear=1"


def test_an_answer_that_misses_a_requirement_stands_below_all_that_reach_it() -> None:
    spec = spec_of("judge.dimensions.clear.at_least=2")
    grid = [
        {"right": float(right), "helpful": float(helpful), "clear": float(clear)}
        for right, helpful, clear in product(SCORES, SCORES, SCORES)
    ]
    scores = [one.score or 0.0 for one in concluded(spec, *grid)]
    reaches = [scores["right"] >= 3 and scores["clear"] >= 2 for scores in grid]
    missing = max(score for score, ok in zip(scores, reaches, strict=True) if not ok)
    reaching = min(score for score, ok in zip(scores, reaches, strict=True) if ok)
    assert min(scores) >= 0 and missing < 0.5 <= reaching and max(scores) == 1
    (one,) = concluded(spec, {"right": 2.0, "helpful": 5.0, "clear": 1.0})
    assert one.raw.endswith("below=right,clear")


def test_an_answer_without_a_score_in_a_dimension_has_none_and_says_in_which() -> None:
    missing, whole = concluded(
        spec_of(), {"right": 5.0, "helpful": None, "clear": 5.0}, {"right": 5.0, "helpful": 1.0, "clear": 5.0}
    )
    assert (missing.outcome, missing.score, missing.raw) == ("truncated", None, "no score in helpful")
    assert whole.outcome == "scored"
