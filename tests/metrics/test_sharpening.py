"""A policy beside the start model: worked by hand where it only sharpened, and where it learned."""

from dataclasses import replace

import pytest

from selfreward.metrics.evaluation import Gains, MatchedStart
from selfreward.metrics.sharpening import (
    GREEDY,
    EvaluatedAnswer,
    compare_with_start,
    matched_difference,
    stratum_scores,
)


def drawn(temperature: float, **answers: str) -> list[EvaluatedAnswer]:
    """Answers to closed prompts, a letter each; a is right."""
    return [
        EvaluatedAnswer(
            prompt_id=prompt_id,
            stratum="closed",
            temperature=temperature,
            index=index,
            text=letter,
            answer=letter,
            right=letter == "a",
            finish="stop",
            tokens=1,
        )
        for prompt_id, letters in answers.items()
        for index, letter in enumerate(letters)
    ]


# Distinct shares 1/4 (greedy), 1/2 and 1; pass@1 1/2, 1/2 and 1/4.
START = drawn(GREEDY, p="a", q="b") + drawn(0.5, p="aaab", q="bbba") + drawn(1.0, p="abcd", q="bacd")
RUNGS = (GREEDY, 0.5, 1.0)


def beside_start(answers: list[EvaluatedAnswer], rungs: tuple[float, ...] = RUNGS) -> tuple[Gains, MatchedStart]:
    found = compare_with_start(answers, START, 1.0, rungs, seed=0)
    assert found is not None
    return found


def gains(found: Gains) -> tuple[float, float]:
    """Greedy accuracy and pass@1."""
    assert found.greedy_accuracy is not None and found.pass_at_1 is not None
    return found.greedy_accuracy.value, found.pass_at_1.value


def test_a_policy_that_only_sharpened_gains_nothing_at_equal_diversity() -> None:
    since_start, matched = beside_start(drawn(GREEDY, p="a", q="b") + drawn(1.0, p="aaab", q="bbba"))
    assert gains(since_start) == (0, 1 / 4)
    assert (matched.temperature, matched.distinct_share, matched.off_ladder) == (0.5, 0.5, False)
    assert gains(matched.gain) == (0, 0)


def test_what_a_policy_learned_is_left_between_two_rungs() -> None:
    # Distinct share 3/4: half way from .5 to 1, where the start model is right in (1/2 + 1/4) / 2.
    _, matched = beside_start(drawn(GREEDY, p="a", q="a") + drawn(1.0, p="aabc", q="aacb"))
    assert (matched.temperature, matched.pass_at_1) == (0.75, 3 / 8)
    assert gains(matched.gain) == (1 / 2, 1 / 8)


def test_a_policy_narrower_than_the_coolest_rung_is_off_the_ladder() -> None:
    narrow = drawn(GREEDY, p="a", q="b") + drawn(1.0, p="aaaa", q="bbbb")
    assert beside_start(narrow, rungs=(0.5, 1.0))[1].off_ladder
    assert not beside_start(narrow)[1].off_ladder


def test_two_policies_are_each_matched_by_themselves() -> None:
    learned = drawn(GREEDY, p="a", q="a") + drawn(1.0, p="aabc", q="aacb")
    sharpened = drawn(GREEDY, p="a", q="b") + drawn(1.0, p="aaab", q="bbba")
    for one, other, gap in ((learned, sharpened, 1 / 8), (sharpened, learned, -1 / 8), (learned, learned, 0)):
        found = matched_difference(one, other, START, 1.0, seed=0)
        assert found is not None
        assert (found.value, found.n) == (gap, 2)
    assert matched_difference([], [], START, 1.0, seed=0) is None


def test_without_closed_prompts_there_is_nothing_to_compare() -> None:
    assert compare_with_start([], START, 1.0, RUNGS, seed=0) is None


def test_a_stratum_is_told_by_what_was_sampled_at_the_temperature() -> None:
    assert stratum_scores(START, "open", 2, 1.0, 0) is None
    closed = stratum_scores(START, "closed", 2, 1.0, 0)
    assert closed is not None
    assert closed.greedy_accuracy is not None and closed.pass_at_1 is not None and closed.pass_at_k is not None
    assert (closed.prompts, closed.distinct_share, closed.greedy_accuracy.value) == (2, 1, 1 / 2)
    # One of four is right: two of them hold it with chance 1/2.
    assert (closed.pass_at_1.value, closed.pass_at_k.value) == (1 / 4, 1 / 2)


def test_that_the_place_on_the_ladder_is_an_estimate_is_in_the_interval() -> None:
    # Right at every answer, and varied on half of the prompts. The start model is right where it is greedy and nowhere
    # else, so what it has at equal diversity hangs on the place alone: at one fixed place no prompt would differ.
    names = [f"p{number:02}" for number in range(20)]
    start = drawn(GREEDY, **dict.fromkeys(names, "a")) + drawn(1.0, **dict.fromkeys(names, "bcde"))
    answers = drawn(GREEDY, **dict.fromkeys(names, "a")) + drawn(
        1.0, **{name: "aaaa" if number % 2 else "abcd" for number, name in enumerate(names)}
    )
    answers = [replace(one, right=True) for one in answers]
    found = compare_with_start(answers, start, 1.0, (GREEDY, 1.0), seed=0)
    assert found is not None
    gain = found[1].gain.pass_at_1
    assert gain is not None
    assert (gain.value, gain.n) == (0.5, 20)
    # The share of varied prompts, .5 with a standard error of .11.
    assert gain.low == pytest.approx(0.5 - 1.96 * 0.112, abs=0.05)
    assert gain.high == pytest.approx(0.5 + 1.96 * 0.112, abs=0.05)


def test_a_prompt_of_which_an_answer_is_undecided_is_left_out_of_every_figure_and_not_counted_as_wrong() -> None:
    policy = drawn(GREEDY, p="a", q="a") + drawn(1.0, p="aaab", q="aaaa")
    undecided = [replace(one, right=None) if (one.prompt_id, one.index) == ("q", 0) else one for one in policy]
    found = stratum_scores(undecided, "closed", 2, 1.0, seed=0)
    assert found is not None and found.pass_at_1 is not None and found.greedy_accuracy is not None
    assert (found.prompts, found.greedy_accuracy.value, found.pass_at_1.value) == (2, 1.0, 0.75)
    alone = [one for one in policy if one.prompt_id == "p"]
    start = [one for one in START if one.prompt_id == "p"]
    assert beside_start(undecided) == compare_with_start(alone, start, 1.0, RUNGS, seed=0)
