"""What hostile texts cost grows with their length, and a pattern of the user's is held to a time."""

import time

import pytest

from selfreward.answers import is_right, read_answer
from selfreward.answers.patterns import SECONDS, PatternTooSlow, found_in_time
from selfreward.records import Match
from tests.answers.asking import asking

PIECES = [
    " ",
    "a ",
    "(",
    "( a",
    "(a) ",
    '"',
    "'",
    "9",
    ",",
    ", ",
    "1,",
    "1/",
    ":\n",
    "answer:\n",
    "! ",
    "the ",
    "is ",
    "=8",
]
PIECES += [
    "a.",
    "̖̀",
    "**8** ",
    "**",
    "\\boxed{",
    "{a",
    "\\frac{",
    "\\",
    "$",
    "#### 8\n",
    "- a\n",
    " -",
    "<<",
    "½",
    "(b) ",
    "-9 ",
]
PIECES += [
    "the answer is 8. ",
    "if the answer is ",
    "answer to ",
    "A) x\n",
    "\\begin{matrix}",
    "not, ",
    "8? ",
    "\\text{a",
]


@pytest.mark.parametrize("match", ["exact", "numeric", "set"])
@pytest.mark.parametrize("piece", PIECES)
def test_reading_a_long_hostile_text_does_not_hang(piece: str, match: Match) -> None:
    """It takes up to a second, and minutes where its time is quadratic. The benchmark of reading has the slopes."""
    prompt = asking("Which is right? (A) 8 (B) 9", "8", match=match)
    started = time.process_time()
    read_answer(f"The answer{piece * (30_000 // len(piece))}x", prompt)
    read_answer(piece * (30_000 // len(piece)), prompt)
    assert time.process_time() - started < 3


LIST = ",".join("1234567890" * 4)


def test_a_pattern_that_hangs_is_stopped_and_named() -> None:
    started = time.monotonic()
    with pytest.raises(PatternTooSlow, match=r"the pattern '.*' takes more than .* without a repeat inside"):
        found_in_time("(?:.*?,){16}P", LIST)
    assert time.monotonic() - started < 10 * SECONDS
    assert found_in_time("#### (.*)", "x\n#### 18")[1] == "18"


def test_a_reference_that_hangs_stops_with_one_line() -> None:
    prompt = asking("Which word?", "(?:.*?,){16}P", match="regex")
    with pytest.raises(PatternTooSlow) as caught:
        is_right(prompt, LIST)
    assert "\n" not in str(caught.value)
