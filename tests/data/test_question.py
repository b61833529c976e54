"""Prompts: everything that a row asks is asked, what contradicts is refused, and the columns are told."""

import json
from typing import Any

import pytest

from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import columns_read, read_row
from selfreward.data.roles import HumanAnswer, HumanPair, LeftOut, Role
from selfreward.data.winners import settled
from selfreward.records import Prompt

HI, HELLO, WHY, SO, NO = (
    {"role": role, "content": text}
    for role, text in (
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Why?"),
        ("assistant", "So."),
        ("assistant", "No."),
    )
)
BRIEF = {"role": "system", "content": "Be brief."}
TALK = [("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")]
UNDER = [("system", "Be brief."), *TALK]


def read(role: Role, row: dict[str, Any], **columns: Any) -> Any:
    wanted = settled(role, Columns(**columns), [row], lambda: [row])
    (one,) = read_row(role, row, wanted, "")
    return one


def asked(role: Role, row: dict[str, Any], **columns: Any) -> list[tuple[str, str]]:
    one = read(role, row, **columns)
    messages = one.messages if isinstance(one, Prompt) else one.prompt.messages
    return [(turn.role, turn.content) for turn in messages]


@pytest.mark.parametrize("role", ["train", "human_pairs"])
@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ({}, UNDER),
        ({"prompt": "Why?"}, UNDER),
        ({"prompt": "Hi"}, UNDER),
        ({"prompt": " why? "}, None),
        ({"prompt": "Why?\n"}, UNDER),
        ({"prompt": [HI, HELLO, WHY]}, UNDER),
        ({"prompt": [BRIEF, HI, HELLO, WHY]}, UNDER),
        ({"prompt": None}, UNDER),
        ({"messages": [BRIEF, HI, HELLO, WHY, SO]}, UNDER),
        ({"prompt": "How?"}, None),
        ({"prompt": [HI, HELLO, {"role": "user", "content": "How?"}]}, None),
    ],
)
def test_conversations_in_chosen_and_rejected_keep_their_turns_beside_a_prompt(
    role: Role, prompt: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    row = {**prompt, "chosen": [BRIEF, HI, HELLO, WHY, SO], "rejected": [BRIEF, HI, HELLO, WHY, NO]}
    if expected is None:
        with pytest.raises(
            RowError, match="no part of the conversations in 'chosen' and 'rejected': set columns.prompt"
        ):
            asked(role, row)
        assert asked(role, row, prompt="chosen") == UNDER
    else:
        assert asked(role, row) == expected


def test_answers_alone_in_chosen_and_rejected_follow_the_prompt() -> None:
    row = {"prompt": [BRIEF, HI, HELLO, WHY], "chosen": [SO], "rejected": [NO]}
    assert asked("human_pairs", row) == UNDER
    later = {"prompt": [BRIEF, HI], "chosen": [HELLO, WHY, SO], "rejected": [HELLO, WHY, NO]}
    assert asked("human_pairs", later) == UNDER
    one = read("human_pairs", later)
    assert (one.chosen, one.rejected) == ("So.", "No.")


@pytest.mark.parametrize(
    "more",
    [
        {"system": "Be brief."},
        {"system_prompt": "Be brief."},
        {"system": "Be brief.", "history": [["Hi", "Hello"]]},
        {"system": "Be brief.", "history": [HI, HELLO]},
    ],
)
@pytest.mark.parametrize("role", ["train", "human", "human_pairs"])
def test_a_system_turn_and_a_history_are_part_of_the_prompt(role: Role, more: dict[str, Any]) -> None:
    row = {"instruction": "Why?", "output": "So.", "chosen": "So.", "rejected": "No.", **more}
    assert asked(role, row) == (UNDER if "history" in more else [UNDER[0], UNDER[-1]])


def test_a_system_column_holds_for_conversations_too() -> None:
    sides = {"chosen": [HI, HELLO, WHY, SO], "rejected": [HI, HELLO, WHY, NO]}
    assert asked("human_pairs", {**sides, "system": "Be brief."}) == UNDER
    assert asked("train", {"messages": [HI, HELLO, WHY, SO], "system": "Be brief."}) == UNDER
    assert asked("train", {"messages": [BRIEF, HI, HELLO, WHY], "system": "Be brief."}) == UNDER
    assert asked("train", {"messages": [HI, HELLO, WHY], "system": ""}) == TALK


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": [BRIEF, HI], "system": "Rhyme."}, "a system turn in column 'system' and another"),
        (
            {"prompt": [HI, HELLO, WHY], "history": [["Hi", "Hello"]]},
            "turns in column 'history' and several in 'prompt'",
        ),
        ({"prompt": "Why?", "history": "We talked."}, "a str in column 'history', no turns before the prompt"),
        ({"question": "Why?", "context": {"title": ["x"]}}, "a dict in column 'context', no text: set columns.prompt"),
        ({"question": "Why?", "choices": 3}, "a int in column 'choices', no list of options"),
        ({"prompt": '["Why?", "How?"]'}, "a list in column 'prompt', no text: set columns.prompt=prompt.0"),
        ({"question": "Why?", "choices": ["x", "y", "z"], "answer": 1}, "set columns.first_choice to 0 or 1"),
    ],
)
def test_what_contradicts_or_is_unknown_is_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        asked("train", row)


@pytest.mark.parametrize(
    "text",
    [
        "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: So.",
        "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:",
        "### Human: Hi\n### Assistant: Hello\n### Human: Why?\n### Assistant: So.",
        "Hi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nWhy?",
        "<extra_id_1>User\nHi\n<extra_id_1>Assistant\nHello\n<extra_id_1>User\nWhy?\n<extra_id_1>Assistant\n",
        json.dumps([HI, HELLO, WHY, SO]),
    ],
)
def test_a_conversation_in_a_text_is_read_as_one_and_loses_its_answer(text: str) -> None:
    assert asked("train", {"prompt": text}) == TALK
    assert asked("train", {"messages": text}) == TALK if text.startswith("[") else True
    assert read("train", {"prompt": text}).references in ((), ("So.",))


@pytest.mark.parametrize("text", ["Say [1, 2].", '["a"', "Human rights?", "[]", '[{"x": 1}]', "He said: ### Human: no"])
def test_a_text_that_looks_a_little_like_a_conversation_stays_a_text(text: str) -> None:
    assert asked("train", {"prompt": text}) == [("user", text)]


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"Body": "Ann has 3 figs.", "Question": "How many?"}, "Ann has 3 figs.\n\nHow many?"),
        ({"context": "A fig.", "question": "What is it?"}, "A fig.\n\nWhat is it?"),
        ({"passage": "A fig.", "question": "What is it?"}, "A fig.\n\nWhat is it?"),
        ({"passage": " ", "question": "What is it?"}, "What is it?"),
        ({"article": "A fig.", "question": "Is it?", "options": ["Yes", "No"]}, "A fig.\n\nIs it?\n\nA. Yes\nB. No"),
        ({"question": "Is it?", "options": ["A) Yes", "B) No"]}, "Is it?\n\nA) Yes\nB) No"),
        ({"instruction": "Say what it is.", "context": "A fig."}, "Say what it is.\n\nA fig."),
    ],
)
def test_what_a_question_is_about_is_asked_with_it(row: dict[str, Any], question: str) -> None:
    assert asked("train", row) == [("user", question)]


def test_columns_that_are_set_are_all_that_is_asked() -> None:
    row = {"Body": "Ann has 3 figs.", "Question": "How many?", "choices": ["1", "2"]}
    assert asked("train", row, prompt="Question") == [("user", "How many?")]


@pytest.mark.parametrize(
    ("answer", "columns", "references"),
    [
        ("B", {}, ("B", "no")),
        ("no", {}, ("B", "no")),
        (0, {}, ("A", "yes")),
        (2, {}, ("B", "no")),
        (1, {"first_choice": 0}, ("B", "no")),
        (1, {"first_choice": 1}, ("A", "yes")),
        ("maybe", {}, ("maybe",)),
    ],
)
def test_the_reference_of_a_choice_is_its_letter_and_its_text(
    answer: Any, columns: dict[str, Any], references: tuple[str, ...]
) -> None:
    row = {"question": "Is it?", "choices": ["yes", "no"], "answer": answer}
    assert read("train", row, **columns).references == references


@pytest.mark.parametrize(("column", "expected"), [("turns.0", ("5",)), ("turns.1", ("10",))])
def test_a_turn_has_its_own_reference(column: str, expected: tuple[str, ...]) -> None:
    row = {"turns": ["Add 2 and 3.", "Double it."], "reference": ["5", "10"]}
    assert read("train", row, prompt=column).references == expected
    assert read("train", {"prompt": "Add 2 and 3.", "reference": ["5", "five"]}).references == ("5", "five")


@pytest.mark.parametrize("label", [False, "false", "False"])
def test_an_answer_with_a_thumb_down_is_neither_imitated_nor_a_reference(label: Any) -> None:
    row = {"prompt": "Why?", "completion": "So.", "label": label}
    assert read("human", row) == LeftOut("disliked")
    assert read("train", row).references == ()
    assert isinstance(read("human", {**row, "label": True}), HumanAnswer)
    assert read("train", {**row, "label": True}).references == ("So.",)


@pytest.mark.parametrize(
    ("value", "kept"), [(0, False), (1, True), ("down", False), ("up", True), (-1, False), (None, True)]
)
def test_a_column_that_is_named_says_who_liked_what_in_other_words(value: Any, kept: bool) -> None:
    row = {"prompt": "Why?", "answer": "So.", "thumbs": value}
    assert isinstance(read("human", row, liked="thumbs"), HumanAnswer) is kept


def test_a_label_of_something_else_is_no_thumb() -> None:
    assert isinstance(read("human", {"prompt": "Why?", "answer": "So.", "label": 0}), HumanAnswer)


def test_a_completion_of_messages_is_a_reference() -> None:
    assert read("train", {"prompt": [HI, HELLO, WHY], "completion": [SO]}).references == ("So.",)
    assert read("human", {"prompt": [HI, HELLO, WHY], "completion": [SO]}).text == "So."


def test_texts_that_begin_like_a_transcript_are_answers_where_one_alone_does() -> None:
    row = {"prompt": "Write a talk.", "chosen": "Human: Hi\n\nAssistant: Hello", "rejected": "No."}
    one = read("human_pairs", row)
    assert isinstance(one, HumanPair)
    assert (one.chosen, one.rejected) == ("Human: Hi\n\nAssistant: Hello", "No.")


@pytest.mark.parametrize(
    ("role", "row", "read_as"),
    [
        (
            "train",
            {"id": 1, "Body": "x", "Question": "y", "Answer": 3},
            {"Body": "prompt", "Question": "prompt", "Answer": "answer"},
        ),
        (
            "human_pairs",
            {"prompt": "Hi", "chosen": "a", "rejected": "b", "score_chosen": 2, "score_rejected": 1, "label": 1},
            {
                "prompt": "prompt",
                "chosen": "answers",
                "rejected": "answers",
                "score_chosen": "ratings",
                "score_rejected": "ratings",
            },
        ),
        (
            "human_pairs",
            {"prompt": "Hi", "output_1": "a", "output_2": "b", "label": 1, "lang": "en"},
            {"prompt": "prompt", "output_1": "answers", "output_2": "answers", "label": "winner"},
        ),
        (
            "human",
            {"prompt": "Hi", "completion": "a", "label": True, "x": 1},
            {"prompt": "prompt", "completion": "answer", "label": "liked"},
        ),
        ("human", {"prompt": "Hi", "answer": "a", "label": 3}, {"prompt": "prompt", "answer": "answer"}),
        (
            "train",
            {"messages": [HI], "system": "x", "match": None},
            {"messages": "prompt", "system": "system", "match": "match"},
        ),
    ],
)
def test_the_columns_that_are_read_are_those_that_are_told(
    role: Role, row: dict[str, Any], read_as: dict[str, str]
) -> None:
    assert columns_read(role, row, Columns()) == read_as
