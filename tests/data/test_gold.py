"""Gold: what each person said and who wrote the answers, however the row tells it; contradictions are one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import read_row
from selfreward.data.roles import LeftOut
from selfreward.records import SWAPPED, GoldPair, Verdict, majority

SIDES = {"prompt": "P", "chosen": "a", "rejected": "b"}


def gold(row: dict[str, Any], **columns: Any) -> list[GoldPair | LeftOut]:
    return list(read_row("gold_gate", row, Columns(**columns), ""))  # type: ignore[arg-type]


def only(row: dict[str, Any], **columns: Any) -> GoldPair:
    (one,) = gold(row, **columns)
    assert isinstance(one, GoldPair)
    return one


def test_a_row_that_says_no_more_is_one_person_and_no_author() -> None:
    one = only(SIDES)
    assert (one.verdicts, one.right_author, one.wrong_author) == (("first",), None, None)
    relabelled = only(SIDES | {"verdicts": ["first", "tie", "first"], "chosen_model": "m", "rejected_model": None})
    assert relabelled.id == one.id, "the same pair, whoever labels it"
    assert relabelled.verdicts == ("first", "tie", "first")
    assert (relabelled.right_author, relabelled.wrong_author) == ("m", None)


@given(verdicts=st.lists(st.sampled_from(["first", "second", "tie"]), min_size=1, max_size=7))
def test_verdicts_are_about_the_answers_as_they_stand_in_the_row(verdicts: list[Verdict]) -> None:
    row = {"prompt": "P", "answers": ["a", "b"], "verdicts": verdicts, "first_author": "x", "second_author": "y"}
    for side, turned, authors in (("first", False, ("x", "y")), ("second", True, ("y", "x"))):
        rated = row | {"ratings": [0, 1] if turned else [1, 0]}
        if majority(verdicts) != side:
            with pytest.raises(RowError, match="of which most are not for the answer"):
                gold(rated)
            continue
        one = only(rated)
        assert (one.right, one.wrong) == (("b", "a") if turned else ("a", "b"))
        assert one.verdicts == tuple(SWAPPED[verdict] if turned else verdict for verdict in verdicts)
        assert (one.right_author, one.wrong_author) == authors


def test_people_may_have_a_column_each_and_may_have_said_nothing() -> None:
    row = SIDES | {"ann": "first", "bob": None, "zoe": "first", "by": ["x", "y"]}
    one = only(row, verdicts=("ann", "bob", "zoe"), authors="by")
    assert (one.verdicts, one.right_author, one.wrong_author) == (("first", "first"), "x", "y")
    assert only(SIDES | {"verdicts": []}).verdicts == only(SIDES | {"verdicts": None}).verdicts == ("first",)


def test_every_two_answers_of_many_have_their_authors() -> None:
    row = {"prompt": "P", "answers": ["a", "b", "c"], "ranks": [2, 3, 1], "models": ["x", "y", "z"]}
    found = [one for one in gold(row, authors="models") if isinstance(one, GoldPair)]
    assert [(one.right, one.right_author, one.wrong, one.wrong_author) for one in found] == [
        ("a", "x", "b", "y"),
        ("c", "z", "a", "x"),
        ("c", "z", "b", "y"),
    ]


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        (SIDES | {"verdicts": ["second"]}, {}, "has verdicts in 'verdicts' of which most are not for the answer"),
        (SIDES | {"verdicts": ["first", "second"]}, {}, "most are not for"),
        (SIDES | {"verdicts": ["tie", "tie", "first"]}, {}, "most are not for"),
        (
            SIDES | {"verdicts": ["x"]},
            {},
            "has 'x' in column 'verdicts', and nothing says which .* columns.winner_values",
        ),
        (SIDES | {"verdicts": [{"by": "ann"}]}, {}, "and nothing says which answer that means"),
        (SIDES, {"verdicts": "votes"}, r"has no column 'votes' \(columns.verdicts\)"),
        (
            {"prompt": "P", "answers": ["a", "b", "c"], "ratings": [3, 2, 1], "verdicts": ["first"]},
            {},
            "has verdicts in 'verdicts' on 3 answers: give each two answers a row",
        ),
        (SIDES | {"by": ["x"]}, {"authors": "by"}, "has 2 answers and 1 authors in 'by': set columns.authors"),
        (SIDES | {"chosen_author": {"id": 1}, "rejected_author": "y"}, {}, "has a dict in column 'chosen_author'"),
    ],
)
def test_a_row_that_contradicts_itself_says_so(row: dict[str, Any], columns: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        gold(row, **columns)


@pytest.mark.parametrize("verdicts", [["second"], ["?"]])
def test_human_pairs_are_held_against_the_verdicts_too(verdicts: list[str]) -> None:
    with pytest.raises(RowError, match="of which most are not|nothing says which answer"):
        list(read_row("human_pairs", SIDES | {"verdicts": verdicts}, Columns(), ""))
