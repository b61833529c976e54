"""The likelihood judge: what it reuses, what it has scored, and what is no number."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any

import pytest

from selfreward.backends.base import Advance, NotScored, TextScore
from selfreward.judges.base import Item
from selfreward.judges.likelihood import LikelihoodSpec
from tests.judges.made import item, judged

SCORED = TextScore(logprob=-3.0, tokens=6, prompt_tokens=5)


class Scores:
    """A backend that scores answers as it is told to."""

    def __init__(self, *scores: TextScore | NotScored) -> None:
        self.scores = scores

    def score(self, answers: Sequence[Any], advance: Advance) -> list[TextScore | NotScored]:
        advance(len(answers))
        return list(self.scores)


def of_another(index: int, **changes: Any) -> Item:
    """A candidate that another policy drew."""
    prompt, candidate = item(f"{index}", index)
    return prompt, replace(candidate, policy_digest="another", **changes)


def test_the_score_is_the_mean_and_that_of_the_judges_own_draws_costs_nothing() -> None:
    own, other = judged(LikelihoodSpec(), Scores(SCORED), item("4"), of_another(1))
    assert (own.score, own.usage.prompt_tokens) == (-0.5, 0)
    assert (other.score, other.usage.prompt_tokens) == (-0.5, 11)


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        (NotScored(outcome="truncated", reason="too long"), "truncated"),
        (replace(SCORED, tokens=0, logprob=0.0), "unparsed"),
        (replace(SCORED, logprob=nan), "failed"),
    ],
)
def test_without_a_number_there_is_no_score(score: TextScore | NotScored, outcome: str) -> None:
    (one,) = judged(LikelihoodSpec(), Scores(score), of_another(0))
    assert (one.outcome, one.score) == (outcome, None)
    prompt, candidate = item("4")
    (own,) = judged(LikelihoodSpec(), Scores(), (prompt, replace(candidate, logprob=nan)))
    assert (own.outcome, own.score) == ("failed", None)


def test_a_thought_is_scored_with_its_answer() -> None:
    asked: list[Any] = []

    class Remembers(Scores):
        def score(self, answers: Sequence[Any], advance: Advance) -> list[TextScore | NotScored]:
            asked.extend(answers)
            return super().score(answers, advance)

    judged(LikelihoodSpec(), Remembers(SCORED, SCORED), of_another(0, thought="<think>Hm.</think>"), of_another(1))
    assert [(one.thought, one.text) for one in asked] == [("<think>Hm.</think>", "0"), (None, "1")]
