"""The shipped questions: well formed, split by item, and right by their own answers."""

from collections import Counter
from itertools import pairwise

import pytest

from selfreward.answers import is_right
from selfreward.answers.words import normalise
from selfreward.data.embedded import everyday_rows, load_everyday, split_of
from selfreward.records import Prompt

ROWS = everyday_rows()
PROMPTS = load_everyday("train", "Be brief.") + load_everyday("held_out", "Be brief.")
KINDS = Counter(row["kind"] for row in ROWS)


def _answers(prompt: Prompt) -> list[str]:
    """The accepted answers as replies: all members together where the answer is a set."""
    return [", ".join(prompt.references)] if prompt.match == "set" else list(prompt.references)


def test_every_row_is_well_formed() -> None:
    for row in ROWS:
        assert set(row) == {"kind", "item", "question", "answers", "match"}
        assert row["match"] in ("exact", "numeric", "set")
        assert row["kind"] and row["item"] and row["question"][-1] in "?."
        forms = [normalise(answer) for answer in row["answers"]]
        assert forms and all(forms)
        assert len(set(forms)) == len(forms), row


def test_kinds_are_many_and_even() -> None:
    assert len(ROWS) >= 560
    assert len(KINDS) >= 12
    assert max(KINDS.values()) <= 60
    assert min(KINDS.values()) >= 30


def test_questions_and_ids_are_unique() -> None:
    assert len({row["question"].casefold() for row in ROWS}) == len(ROWS)
    assert len({prompt.id for prompt in PROMPTS}) == len(PROMPTS) == len(ROWS)


def test_no_item_is_in_both_splits() -> None:
    splits: dict[tuple[str, str], set[str]] = {}
    for row in ROWS:
        splits.setdefault((row["kind"], row["item"]), set()).add(split_of(row))
    assert all(len(found) == 1 for found in splits.values())


def test_sums_and_opposites_are_the_same_item_either_way_round() -> None:
    for row in ROWS:
        if row["kind"] == "sums":
            low, high = row["item"].split("+")
            assert int(low) <= int(high)
            assert [str(int(low) + int(high))] == row["answers"]
        if row["kind"] == "differences":
            high, low = row["item"].split("-")
            assert [str(int(high) - int(low))] == row["answers"]
        if row["kind"] == "opposites":
            assert row["item"].split("/") == sorted(row["item"].split("/"))


def test_both_splits_are_large_enough_and_hold_every_kind() -> None:
    train, held_out = load_everyday("train", ""), load_everyday("held_out", "")
    assert len(train) >= 350
    assert len(held_out) >= 180
    for prompts in (train, held_out):
        assert {prompt.source for prompt in prompts} == {f"everyday/{kind}" for kind in KINDS}


def test_the_first_rows_are_a_mixture() -> None:
    train = load_everyday("train", "")
    assert train == load_everyday("train", "")
    assert len({prompt.source for prompt in train[:60]}) >= 12
    assert sum(first.source == second.source for first, second in pairwise(train)) < len(train) / 8


def test_the_system_turn_is_the_one_given() -> None:
    assert all([turn.role for turn in prompt.messages] == ["system", "user"] for prompt in PROMPTS)
    assert all(prompt.messages[0].content == "Be brief." and prompt.stratum == "closed" for prompt in PROMPTS)
    assert all([turn.role for turn in prompt.messages] == ["user"] for prompt in load_everyday("train", ""))


@pytest.mark.parametrize("frame", ["{}", "{}.", "**{}**", "It is {}.", "The answer is {}.", "{}, because it is so."])
def test_every_accepted_answer_is_right(frame: str) -> None:
    missed = [
        (prompt.messages[-1].content, answer)
        for prompt in PROMPTS
        for answer in _answers(prompt)
        if not is_right(prompt, frame.format(answer))
    ]
    assert missed == []


def test_repeating_the_question_is_never_right() -> None:
    questions = [(prompt, prompt.messages[-1].content) for prompt in PROMPTS]
    assert [text for prompt, text in questions if is_right(prompt, text) or is_right(prompt, text[:-1] + ".")] == []


def test_the_answer_to_another_question_is_wrong() -> None:
    capitals = [prompt for prompt in PROMPTS if prompt.source == "everyday/capitals"]
    for prompt, other in pairwise(capitals):
        assert is_right(prompt, f"The answer is {other.references[0]}.") is False
