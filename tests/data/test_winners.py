"""Winners: the pair that a row states, whatever words it uses, and the words that are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import read_row
from selfreward.data.roles import HumanPair, LeftOut
from selfreward.data.winners import settled

Told = tuple[str, str, float | None]


def read(rows: list[dict[str, Any]], **columns: Any) -> list[Told | str]:
    """The pairs of all rows, or why there is none, as a source of these rows gives them."""
    wanted = settled("human_pairs", Columns(**columns), rows, lambda: rows)
    found = [one for row in rows for one in read_row("human_pairs", row, wanted, "")]
    return [
        (one.chosen, one.rejected, one.margin) if isinstance(one, HumanPair) else one.reason
        for one in found
        if isinstance(one, HumanPair | LeftOut)
    ]


def row(**more: Any) -> dict[str, Any]:
    return {"prompt": "P", "answers": ["a", "b"], **more}


AB: Told = ("a", "b", None)
BA: Told = ("b", "a", None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("first", "second"),
        ("A", "B"),
        ("model_a", "model_b"),
        ("Model A", "Model B"),
        ("assistant_a", "assistant_b"),
        ("[[A]]", "[[B]]"),
        ("response_1", "response_2"),
        ("Response 1", "Response 2"),
        ("response_0", "response_1"),
        (1, 2),
        ("1", "2"),
        (1.0, 2.0),
        (0, 1),
    ],
)
def test_a_winner_in_any_usual_words_gives_the_pair_that_it_states(first: Any, second: Any) -> None:
    assert read([row(winner=second), row(winner=first), row(winner=second)]) == [BA, AB, BA]


@pytest.mark.parametrize("word", ["tie", "tie (bothbad)", "both", "Neither", "equal"])
def test_ties_are_left_out_and_counted(word: str) -> None:
    assert read([row(winner=word), row(winner="a"), row(winner=None)]) == ["tie", AB, "no_winner"]


@pytest.mark.parametrize(
    ("answers", "winner", "value", "expected"),
    [
        (("output_1", "output_2"), "label", 2, BA),
        (("output_1", "output_2"), "label", 1, AB),
        (("output_1", "output_2"), "preference", 2, BA),
        (("response_0", "response_1"), "better_response_id", 1, BA),
        (("response_0", "response_1"), "better_response_id", 0, AB),
        (("response1", "response2"), "preference", "1", AB),
        (("response_a", "response_b"), "winner", "model_b", BA),
        (("answer_a", "answer_b"), "preference", "B", BA),
    ],
)
def test_answers_that_are_numbered_give_their_numbers_a_meaning_in_one_row(
    answers: tuple[str, str], winner: str, value: Any, expected: Told
) -> None:
    assert read([{"prompt": "P", answers[0]: "a", answers[1]: "b", winner: value}]) == [expected]


@pytest.mark.parametrize(
    "values",
    [
        [1, 1],  # the first of 1 and 2, or the second of 0 and 1
        [0, 1, 2],
        [1, 2, 3],
        ["yes", "no"],
        [True, False],
        ["x"],
    ],
)
def test_labels_that_cannot_be_told_are_refused_and_no_advice_takes_places_for_merit(values: list[Any]) -> None:
    with pytest.raises(
        RowError, match=r"nothing says which answer that means: set columns\.winner_values to what"
    ) as told:
        read([row(winner=value) for value in values])
    assert "best_first" not in str(told.value) and "columns.answers" not in str(told.value)


@pytest.mark.parametrize("values", [[0, 1], [1, 1], ["good", "bad"]])
def test_a_label_that_may_mean_two_things_is_named_and_asked_about(values: list[Any]) -> None:
    with pytest.raises(RowError, match=r"'label' may: set columns\.winner \(with columns\.winner_values\)") as told:
        read([row(label=value) for value in values])
    assert "best_first" not in str(told.value)
    with pytest.raises(RowError, match=r"in column 'label', and nothing says"):
        read([row(label=value) for value in values], winner="label")


@pytest.mark.parametrize(
    "name", ["preference_strength", "overall_preference", "annotator1", "gpt_judgment", "is_first_better", "won_by"]
)
def test_a_column_that_may_say_who_won_keeps_places_from_saying_it(name: str) -> None:
    given_columns: dict[str, Any] = {"answers": ("output_1", "output_2")}
    one = {"prompt": "P", "output_1": "a", "output_2": "b", name: -2}
    with pytest.raises(RowError, match=f"'{name}' may: set columns.winner") as told:
        read([one], **given_columns)
    assert "best_first" not in str(told.value)


def test_a_map_says_what_values_mean() -> None:
    signs = {"negative": "first", "zero": "tie", "positive": "second"}
    rows = [row(strength=value) for value in (-3, -1, 0, 2)]
    assert read(rows, winner="strength", winner_values=signs, strength="strength") == [
        ("a", "b", 3.0),
        ("a", "b", 1.0),
        "tie",
        ("b", "a", 2.0),
    ]
    turned = {1: "first", "0": "second", "x": "tie"}
    assert read([row(label=1), row(label=0.0), row(label="X")], winner="label", winner_values=turned) == [AB, BA, "tie"]
    with pytest.raises(RowError, match="has '2' in column 'label'"):
        read([row(label=2)], winner="label", winner_values=turned)


def test_a_column_for_each_outcome() -> None:
    names = ("winner_model_a", "winner_model_b", "winner_tie")
    flags = [(0, 1, 0), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
    rows = [row(**dict(zip(names, one, strict=True))) for one in flags]
    assert read(rows) == [BA, AB, "tie", "no_winner"]
    with pytest.raises(RowError, match="has 2 winners"):
        read([row(**dict(zip(names, (1, 1, 0), strict=True)))])


def test_the_author_of_an_answer_stands_for_it() -> None:
    assert read([row(winner="big-7b", model_a="small-1b", model_b="big-7b")]) == [BA]


def test_a_winner_against_the_ratings_of_the_row_is_left_out() -> None:
    assert read([row(winner="a", ratings=[1, 5]), row(winner="b", ratings=[1, 5])]) == [
        "rated_against",
        ("b", "a", 4.0),
    ]
    assert read([row(winner="a", ratings=[1, 5])], winner="winner") == [AB], "whoever names the winner means it"


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        ({"order": "best_first"}, {"winner": "b"}, "columns.order.* has 'winner', which says what is best"),
        ({"order": "best_first"}, {"ratings": [1, 2]}, "columns.order.* has 'ratings'"),
        ({"winner": "winner"}, {"winner": "b", "answers": ["a", "b", "c"]}, "3 answers and a winner"),
        ({"winner": "who"}, {}, "has no column 'who' .columns.winner."),
        ({"winner": "winner"}, {"winner": "b", "chosen": "a", "rejected": "b"}, "has chosen and rejected beside"),
    ],
)
def test_what_contradicts_is_refused(columns: dict[str, Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        read([row(**more)], **columns)


def test_places_say_who_is_better_where_that_is_asked_for() -> None:
    assert read([row()], order="best_first") == [AB]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["second", "first", "second"], BA),
        (["A", "A", "B"], AB),
        (["tie", "tie", "first"], "tie"),
        (["first", "second"], "verdicts_are_split"),
        ([None, "second"], BA),
        ([], "no_winner"),
    ],
)
def test_human_pairs_take_the_verdict_of_most(verdicts: list[Any], expected: Told | str) -> None:
    assert read([row(verdicts=verdicts)]) == [expected]


def test_annotators_have_a_column_each_and_the_same_map() -> None:
    one = {"prompt": "P", "response1": "a", "response2": "b", "ann": 2, "bob": 0, "zoe": 2}
    values = {0: "tie", 1: "first", 2: "second"}
    assert read([one], verdicts=("ann", "bob", "zoe"), winner_values=values) == [BA]
    with pytest.raises(RowError, match="has '0' in column"):
        read([one], verdicts=("ann", "bob", "zoe"))


SPELLINGS = st.sampled_from(
    [
        ("a", "b"),
        ("first", "second"),
        ("model_a", "model_b"),
        ("Response 1", "Response 2"),
        (1, 2),
        ("[[A]]", "[[B]]"),
        (-2, 2),
    ]
)
TEXT = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)


@given(
    spelling=SPELLINGS,
    texts=st.tuples(TEXT, TEXT).filter(lambda texts: texts[0] != texts[1]),
    name=st.sampled_from(["winner", "label", "preference", "choice", "who"]),
    apart=st.booleans(),
)
def test_two_rows_that_differ_in_which_side_won_give_swapped_pairs(
    spelling: tuple[Any, Any], texts: tuple[str, str], name: str, apart: bool
) -> None:
    answers = {"output_1": texts[0], "output_2": texts[1]} if apart else {"answers": [*texts]}
    columns: dict[str, Any] = {"winner": name} if name == "who" else {}
    if spelling == (-2, 2):
        columns = {"winner": name, "winner_values": {"negative": "first", "positive": "second"}}
    one, other = ({"prompt": "P", **answers, name: value} for value in spelling)
    first, second = read([one, other], **columns)
    assert first == (*texts, None)
    assert second == (*texts[::-1], None)
