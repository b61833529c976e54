"""KL to the initial policy from what an engine says of a policy's draws; what cannot be scored is left out, counted."""

import math

import pytest

from selfreward.backends.base import NotScored, TextScore
from selfreward.metrics.distance_to_initial import as_drawn, by_initial, distance, nowhere
from selfreward.metrics.matched_probe import ProbeAnswer
from selfreward.records import Message, make_prompt

PROMPT = make_prompt("Why?", system="", stratum="open", source="test")


def drawn(*logprobs: float, index: int = 0, prompt: str = PROMPT.id, cut: bool = False) -> ProbeAnswer:
    finish = "length" if cut else "stop"
    return ProbeAnswer(
        prompt_id=prompt, index=index, text="so", finish=finish, token_logprobs=logprobs, thought="<think>\n"
    )


def scored(*logprobs: float) -> TextScore:
    return TextScore(logprob=sum(logprobs), tokens=len(logprobs), prompt_tokens=3, token_logprobs=logprobs)


def test_both_estimates_are_sums_over_tokens() -> None:
    answers = [drawn(-1.0, -2.0), drawn(-1.0, -1.0, index=1)]
    found = distance(answers, [by_initial(one, scored(-2.0, -2.0)) for one in answers], seed=0)
    assert found.kl is not None and (found.answers, found.left_out) == (2, 0)
    assert found.kl.plain.value == pytest.approx((1.0 + 2.0) / 2)
    assert found.kl.k3.value == pytest.approx(3 * math.exp(-1) / 2, abs=1e-6)


@pytest.mark.parametrize(
    "said",
    [
        NotScored(outcome="truncated", reason="too long"),
        scored(-1.0),  # its text has other tokens when it is read back
        scored(-math.inf, -1.0),
        TextScore(logprob=-2.0, tokens=2, prompt_tokens=3),  # an engine that does not tell those of tokens
    ],
)
def test_an_answer_that_was_not_scored_as_it_was_drawn_is_left_out(said: TextScore | NotScored) -> None:
    answers = [drawn(-1.0, -2.0), drawn(-1.0, -2.0, index=1)]
    scores = [by_initial(answers[0], said), by_initial(answers[1], scored(-1.0, -2.0))]
    found = distance(answers, scores, seed=0)
    assert found.kl is not None and (found.kl.plain.value, found.answers, found.left_out) == (0.0, 2, 1)
    none = distance(answers[:1], scores[:1], seed=0)
    assert (none.kl, none.answers, none.left_out) == (None, 1, 1)


def test_the_initial_policy_is_nowhere_else() -> None:
    found = nowhere([drawn(-1.0), drawn(-2.0, prompt="other")])
    assert found.kl is not None
    assert (found.kl.plain.value, found.kl.k3.value, found.kl.plain.n, found.answers) == (0.0, 0.0, 2, 2)


def test_answers_are_scored_as_they_were_drawn() -> None:
    whole, cut = as_drawn([drawn(-1.0), drawn(-1.0, cut=True)], {PROMPT.id: PROMPT})
    assert (whole.ended, cut.ended) == (True, False)
    assert whole.thought == "<think>\n" and whole.messages == (Message(role="user", content="Why?"),)
