"""What a policy is worth as a likelihood judge of gold, over prompts."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest

from selfreward.artifacts import Output
from selfreward.backends.base import Answer, Backend, TextScore
from selfreward.records import GoldPair, Message
from selfreward.stages.evaluate import _gold


class Quiet:
    def progress(self, *_: object) -> "Quiet":
        return self

    def __enter__(self) -> Callable[[int], None]:
        return lambda _: None

    def __exit__(self, *_: object) -> None:
        return None


class Likes:
    """Finds the right answer likelier on the first `liked` prompts."""

    def __init__(self, liked: int) -> None:
        self.liked = liked

    def score(self, answers: Sequence[Answer], _: Callable[[int], None]) -> list[TextScore]:
        found = []
        for one in answers:
            likes_right = int(one.messages[0].content) < self.liked
            found.append(
                TextScore(logprob=-1.0 if (one.text == "right") == likes_right else -2.0, tokens=1, prompt_tokens=1)
            )
        return found


def gold(prompts: int, pairs: int) -> list[GoldPair]:
    return [
        GoldPair(
            id=f"{prompt}/{pair}",
            messages=(Message(role="user", content=f"{prompt}"),),
            right="right",
            wrong=f"wrong {pair}",
            source="gold",
        )
        for prompt in range(prompts)
        for pair in range(pairs)
    ]


@pytest.mark.parametrize("pairs", [1, 6])
def test_pairs_of_one_prompt_count_once_in_the_interval_of_gold(pairs: int) -> None:
    told = _gold(cast(Output, Quiet()), cast(Backend, Likes(14)), gold(20, pairs))
    assert told is not None and told.accuracy is not None
    assert (told.pairs, told.scored, told.accuracy.value) == (20 * pairs, 20 * pairs, pytest.approx(0.7))
    # Those of 14 of 20 by mid-P, however many pairs a prompt has.
    limits = told.accuracy.low, told.accuracy.high
    assert limits == (pytest.approx(0.477, abs=1e-3), pytest.approx(0.869, abs=1e-3))
