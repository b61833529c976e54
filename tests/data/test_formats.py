"""Formats: what a row of each form gives, and what is said of one that cannot be read."""

from typing import Any

import pytest

from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import read_row
from selfreward.data.roles import HumanAnswer, HumanPair, LeftOut, Role
from selfreward.records import GoldPair, Message, Prompt, make_prompt


def read(role: Role, row: dict[str, Any], system: str = "", **columns: Any) -> list[Any]:
    return list(read_row(role, row, Columns(**columns), system))


def prompt(row: dict[str, Any], system: str = "", **columns: Any) -> Prompt:
    (one,) = read("train", row, system, **columns)
    assert isinstance(one, Prompt)
    return one


def pairs(row: dict[str, Any], **columns: Any) -> list[tuple[str, str, float | None]]:
    found = read("human_pairs", row, **columns)
    return [(one.chosen, one.rejected, one.margin) for one in found if isinstance(one, HumanPair)]


def asked(row: dict[str, Any], **columns: Any) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in prompt(row, **columns).messages]


def test_a_plain_prompt_is_the_one_that_the_embedded_data_makes() -> None:
    made = make_prompt("Why?", system="Be brief.", stratum="open", source="train", references=("So.",))
    assert prompt({"question": "Why?", "answer": "So."}, "Be brief.") == made


@pytest.mark.parametrize(
    ("row", "columns", "question"),
    [
        ({"prompt": "Why?"}, {}, "Why?"),
        ({"Question": "Why?"}, {}, "Why?"),
        ({"instruction": "Do", "input": "this"}, {}, "Do\n\nthis"),
        ({"instruction": "Do", "input": " "}, {}, "Do"),
        ({"instruction": "Do", "instances": [{"input": "it", "output": "x"}]}, {}, "Do\n\nit"),
        ({"a": {"b": [{"c": "deep"}]}}, {"prompt": "a.b.0.c"}, "deep"),
        ({"a.b": "flat", "a": {"b": "deep"}}, {"prompt": "a.b"}, "flat"),
        ({"x": "one", "y": None, "z": "two"}, {"prompt": ("x", "y", "z")}, "one\n\ntwo"),
    ],
)
def test_where_the_prompt_stands(row: dict[str, Any], columns: dict[str, Any], question: str) -> None:
    assert asked(row, **columns) == [("user", question)]


TURNS = [("user", "Hi"), ("assistant", "Hello."), ("user", "Why?"), ("assistant", "So.")]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": who, "content": said} for who, said in TURNS]},
        {"conversations": [{"from": {"user": "human"}.get(who, "gpt"), "value": said} for who, said in TURNS]},
    ],
)
def test_conversations_keep_their_turns_in_either_spelling(row: dict[str, Any]) -> None:
    assert asked(row) == TURNS[:-1]
    assert prompt(row).references == ("So.",)
    (answer,) = read("human", row)
    assert isinstance(answer, HumanAnswer) and answer.text == "So."


def test_a_conversation_keeps_its_own_system_turn() -> None:
    turns = [{"role": "system", "content": "Rhyme."}, {"role": "user", "content": "Why?"}]
    assert prompt({"messages": turns}, "Be brief.").messages[0] == Message(role="system", content="Rhyme.")
    assert prompt({"messages": turns[1:]}, "Be brief.").messages[0] == Message(role="system", content="Be brief.")


def test_a_reference_is_cut_out_and_compared_as_a_number() -> None:
    row = {"question": "How much?", "answer": "3 * 4 = <<3*4=12>>12\n#### 1,012"}
    one = prompt(row, reference_pattern="#### (.*)", match="numeric")
    assert (one.references, one.match, one.stratum) == (("1,012",), "numeric", "closed")


@pytest.mark.parametrize(
    ("row", "columns", "found"),
    [
        ({"prompt": "Why?"}, {}, ("open", None)),
        ({"prompt": "Why?", "references": ["a"], "stratum": "closed"}, {}, ("closed", "exact")),
        ({"prompt": "Why?", "references": ["a", "b"], "match": "set"}, {}, ("closed", "set")),
        ({"prompt": "Why?", "answer": "a", "type": "closed"}, {"stratum": "type"}, ("closed", "exact")),
        ({"prompt": "Why?", "answer": "a"}, {"stratum": "open", "match": "exact"}, ("open", None)),
    ],
)
def test_the_stratum_of_a_prompt(row: dict[str, Any], columns: dict[str, Any], found: tuple[str, str | None]) -> None:
    one = prompt(row, **columns)
    assert (one.stratum, one.match) == found


AB = [("a", "b", None)]
RATED = {"answers": ("r1", "r2"), "ratings": ("s1", "s2")}
CHAT = [{"role": "user", "content": "Name a tree."}]


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"prompt": "P", "chosen": "a", "rejected": "b"}, {}, AB),
        ({"prompt": "P", "right": "a", "wrong": "b"}, {}, AB),
        ({"prompt": "P", "chosen": "a", "rejected": "b", "ratings": [5, 2]}, {}, [("a", "b", 3.0)]),
        (
            {"prompt": "P", "chosen": "a", "rejected": "b", "score_chosen": 4.5, "score_rejected": "4"},
            {},
            [("a", "b", 0.5)],
        ),
        (
            {"prompt": "P", "answers": ["a", "b", "c"], "ratings": [1, 5, 3]},
            {},
            [("b", "a", 4), ("c", "a", 2), ("b", "c", 2)],
        ),
        ({"prompt": "P", "answers": ["a", "b", "c"], "ratings": [1, 1, None]}, {}, []),
        ({"prompt": "P", "r1": "a", "r2": "b", "s1": 1, "s2": 2}, RATED, [("b", "a", 1)]),
        ({"prompt": "P", "responses": ["a", "b"], "ranks": [2, 1]}, {}, [("b", "a", None)]),
        (
            {"prompt": "P", "best": ["a", "b", "c"]},
            {"answers": "best", "order": "best_first"},
            [("a", "b", None), ("a", "c", None), ("b", "c", None)],
        ),
        (
            {"prompt": "P", "completions": [{"text": "a", "score": 1}, {"text": "b", "score": 4}]},
            {"answers": "completions.*.text", "ratings": "completions.*.score"},
            [("b", "a", 3)],
        ),
        (
            {
                "chosen": [*CHAT, {"role": "assistant", "content": "a"}],
                "rejected": [*CHAT, {"role": "assistant", "content": "b"}],
            },
            {},
            AB,
        ),
        ({"chosen": "\n\nHuman: P\n\nAssistant: a", "rejected": "\n\nHuman: P\n\nAssistant: b"}, {}, AB),
    ],
)
def test_every_form_of_preference_makes_pairs(
    row: dict[str, Any], columns: dict[str, Any], expected: list[tuple[str, str, float | None]]
) -> None:
    assert pairs(row, **columns) == expected


@pytest.mark.parametrize(
    ("role", "row", "reasons"),
    [
        ("train", {"prompt": " "}, ["empty"]),
        ("train", {"prompt": None}, ["empty"]),
        ("human", {"prompt": "P", "answer": ""}, ["no_answer"]),
        ("human", {"question": "P", "answers": {"text": []}}, ["no_answer"]),
        ("human", {"prompt": "P", "answer": float("nan")}, ["no_answer"]),
        ("human_pairs", {"prompt": "P", "chosen": "a", "rejected": "a"}, ["same_answers"]),
        ("human_pairs", {"prompt": "P", "chosen": "a", "rejected": ""}, ["no_answer"]),
        ("human_pairs", {"prompt": "P", "chosen": "a", "rejected": "b", "ratings": [2, 2]}, ["equal_ratings"]),
        ("human_pairs", {"prompt": "P", "chosen": "a", "rejected": "b", "ratings": [1, 2]}, ["rated_against"]),
        (
            "human_pairs",
            {"prompt": "P", "answers": ["a", "b", "c"], "ratings": [3, 3, None]},
            ["equal_ratings", "unrated", "unrated"],
        ),
        ("gold_gate", {"prompt": "", "right": "a", "wrong": "b"}, ["empty"]),
        ("human_pairs", {"prompt": "P", "answers": ["a"], "ratings": [1]}, ["one_answer_alone"]),
    ],
)
def test_what_is_no_use_says_why(role: Role, row: dict[str, Any], reasons: list[str]) -> None:
    assert [one.reason for one in read(role, row) if isinstance(one, LeftOut)] == reasons


@pytest.mark.parametrize(
    ("role", "row", "columns", "message"),
    [
        ("train", {"text": "Why?"}, {}, "no column for the prompt; it has 'text': set columns.prompt"),
        ("train", {"prompt": "Why?"}, {"prompt": "ask"}, r"no column 'ask' \(columns.prompt\); it has 'prompt'"),
        ("train", {"prompt": {"a": 1}}, {}, "a dict in column 'prompt', no text: set columns.prompt"),
        ("train", {"prompt": "\ud800"}, {}, "half a surrogate pair in column 'prompt'"),
        ("train", {"prompt": "P", "stratum": "hard"}, {}, "stratum='hard', which is none of closed, open"),
        ("train", {"prompt": "P", "type": "hard"}, {"stratum": "type"}, "type='hard', .* or set columns.stratum"),
        ("train", {"prompt": "P", "match": "numeric"}, {}, "closed and has no reference: set columns.answer"),
        ("train", {"prompt": "P", "answer": "some"}, {"match": "numeric"}, "not one number: cut it out"),
        ("train", {"prompt": "P", "references": ["a", "(b"]}, {"match": "regex"}, r"'\(b', which is no regular"),
        ("train", {"prompt": "P", "answer": "12"}, {"reference_pattern": "#### (.*)"}, "answer without '#### "),
        ("train", {"messages": [{"role": "tool", "content": "x"}]}, {}, "a turn 1 by 'tool'"),
        ("train", {"messages": [{"role": "system", "content": "x"}]}, {}, "ends with the system"),
        ("human", {"prompt": "P"}, {}, "no column for the answer"),
        ("human_pairs", {"prompt": "P"}, {}, "neither chosen and rejected nor several answers"),
        (
            "human_pairs",
            {"prompt": "P", "answers": ["a", "b"]},
            {},
            "no ratings or ranks; .* or columns.order=best_first",
        ),
        ("human_pairs", {"prompt": "P", "answers": "a", "ratings": [1]}, {}, "fewer than two answers"),
        ("human_pairs", {"prompt": "P", "answers": [{}, {}], "ratings": [1, 2]}, {}, "no text: set columns.answers"),
        ("human_pairs", {"prompt": "P", "answers": ["a", "b"], "ratings": [1]}, {}, "2 answers and 1 ratings"),
        ("human_pairs", {"prompt": "P", "answers": ["a", "b"], "ratings": [1, "good"]}, {}, "'good' in column"),
        ("human_pairs", {"chosen": "a", "rejected": "b"}, {}, "no column for the prompt"),
        ("gold_final", {"prompt": "P", "right": "a"}, {}, "no column for the rejected"),
    ],
)
def test_a_row_that_cannot_be_read_says_what_to_set(
    role: Role, row: dict[str, Any], columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(RowError, match=message):
        read(role, row, **columns)


def test_conversations_that_part_early_have_no_prompt_in_common() -> None:
    other = [{"role": "user", "content": "Name a bird."}, {"role": "assistant", "content": "b"}]
    with pytest.raises(RowError, match="part before their last answer.*data.on_bad_row=skip"):
        read("human_pairs", {"chosen": [*CHAT, {"role": "assistant", "content": "a"}], "rejected": other})


def test_a_gold_pair_keeps_the_id_it_always_had() -> None:
    (one,) = read("gold_final", {"prompt": "Boil water", "right": "heat it", "wrong": "freeze it"}, "Be brief.")
    assert isinstance(one, GoldPair)
    assert (one.right, one.wrong, one.source, one.messages[0].role) == ("heat it", "freeze it", "gold_final", "system")
    assert one.id == "f3a96d5a7053a1d5"


@pytest.mark.parametrize("pattern", ["(", "#### .*", "(a)(b)"])
def test_a_pattern_has_one_group(pattern: str) -> None:
    with pytest.raises(ValueError, match="regular expression|groups"):
        Columns(reference_pattern=pattern)


THOUGHT = "<think>\nRivers, then.\n</think>\n\n"


def test_a_thought_of_a_person_stands_apart_from_the_answer() -> None:
    (one,) = read("human", {"prompt": "Why?", "answer": f"{THOUGHT}So."})
    assert (one.thought, one.text, one.raw) == (THOUGHT, "So.", f"{THOUGHT}So.")
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": f"{THOUGHT}So."}]
    assert read("human", {"messages": turns}) == [one]
    assert read("human", {"prompt": "Why?", "answer": THOUGHT}) == [LeftOut("no_answer")]
    assert read("human", {"prompt": "Why?", "answer": "<think>\nRivers"}) == [LeftOut("no_answer")]


def test_a_reference_keeps_nothing_of_a_thought() -> None:
    assert prompt({"prompt": "Why?", "references": [f"{THOUGHT}So.", "Thus."]}).references == ("So.", "Thus.")
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": f"{THOUGHT}So."}]
    assert prompt({"messages": turns}).references == ("So.",)
    row = {"question": "How much?", "answer": "<think>#### 3, no.</think>It is\n#### 12"}
    assert prompt(row, reference_pattern="#### (.*)", match="numeric").references == ("12",)
    with pytest.raises(RowError, match="is closed and has no reference"):
        prompt({"prompt": "Why?", "answer": "<think>So", "stratum": "closed"})


def test_a_pair_keeps_thoughts_apart_and_gold_drops_them() -> None:
    row = {"prompt": "Why?", "chosen": f"{THOUGHT}a", "rejected": "b"}
    (pair,) = read("human_pairs", row)
    assert (pair.chosen, pair.rejected) == ("a", "b")
    assert (pair.chosen_thought, pair.rejected_thought) == (THOUGHT, None)
    rated = {"prompt": "Why?", "answers": ["a", f"{THOUGHT}b"], "ratings": [1, 2]}
    (pair,) = read("human_pairs", rated)
    assert (pair.chosen, pair.chosen_thought, pair.rejected_thought) == ("b", THOUGHT, None)
    (gold,) = read("gold_gate", row)
    assert (gold.right, gold.wrong) == ("a", "b")
    assert read("gold_gate", {**row, "chosen": "a"}) == [gold]


def test_two_answers_that_differ_in_thoughts_alone_are_the_same() -> None:
    row = {"prompt": "Why?", "chosen": f"{THOUGHT}a", "rejected": "a"}
    assert read("human_pairs", row) == [LeftOut("same_answers")]
    assert read("human_pairs", {**row, "rejected": THOUGHT}) == [LeftOut("no_answer")]


@pytest.mark.parametrize(
    ("row", "desirable"),
    [
        ({"prompt": "P", "completion": "a", "label": True}, True),
        ({"prompt": "P", "completion": [{"role": "assistant", "content": "a"}], "label": 0}, False),
        ({"question": "P", "response": "a", "thumbs_up": "Down"}, False),
        ({"instruction": "P", "output": "a", "liked": "yes"}, True),
    ],
)
def test_a_thumb_says_whether_an_answer_is_desirable(row: dict[str, Any], desirable: bool) -> None:
    (one,) = read("feedback", row)
    assert (one.prompt.messages[-1].content, one.text, one.desirable) == ("P", "a", desirable)


def test_thumbs_that_differ_are_two_rows_and_a_missing_one_is_none() -> None:
    row = {"prompt": "P", "completion": "a"}
    up, down = (read("feedback", {**row, "label": label})[0] for label in (1, 0))
    assert up.identity != down.identity
    assert read("feedback", {**row, "label": None}) == [LeftOut("without_thumb")]
