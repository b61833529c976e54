"""Human pairs on which several people spoke: the label is the share of them for the chosen answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import read_row
from selfreward.data.roles import HumanPair, LeftOut
from selfreward.records import SWAPPED, Verdict, majority

SIDES = {"prompt": "P", "chosen": "a", "rejected": "b"}


def pairs(row: dict[str, Any], **columns: Any) -> list[HumanPair | LeftOut]:
    return list(read_row("human_pairs", row, Columns(**columns), ""))  # type: ignore[arg-type]


def only(row: dict[str, Any], **columns: Any) -> HumanPair:
    (one,) = pairs(row, **columns)
    assert isinstance(one, HumanPair)
    return one


@pytest.mark.parametrize(
    ("verdicts", "label"),
    [
        (["first", "first", "tie"], 5 / 6),
        (["first", "first", "second"], 2 / 3),
        (["first", "first"], 1.0),
        (["first", None, "first", "second"], 2 / 3),
        (["first", "first", "first", "tie", "second", "second"], 3.5 / 6),
        (["first"], None),
        (["first", None], None),
        ([], None),
        (None, None),
    ],
)
def test_the_label_is_the_share_for_the_chosen_answer_a_tie_half(verdicts: object, label: float | None) -> None:
    assert only(SIDES | {"verdicts": verdicts}).label == label


def test_a_row_without_verdicts_has_no_label_whatever_else_orders_it() -> None:
    assert only(SIDES).label is None
    assert only({"prompt": "P", "answers": ["a", "b"], "ratings": [5, 1]}).label is None
    assert only({"prompt": "P", "response_a": "a", "response_b": "b", "winner": "model_b"}).label is None


def test_people_may_have_a_column_each_with_values_of_their_own() -> None:
    row = {"prompt": "P", "answers": ["a", "b"], "ann": 2, "bob": 2, "zoe": 0}
    one = only(row, verdicts=("ann", "bob", "zoe"), winner_values={0: "tie", 1: "first", 2: "second"})
    assert (one.chosen, one.label) == ("b", 2.5 / 3)


def test_verdicts_that_split_or_tie_make_no_pair_and_those_against_the_chosen_stop() -> None:
    row = {"prompt": "P", "answers": ["a", "b"]}
    assert pairs(row | {"verdicts": ["first", "second"]}) == [LeftOut("verdicts_are_split")]
    assert pairs(row | {"verdicts": ["tie", "tie", "first"]}) == [LeftOut("tie")]
    with pytest.raises(RowError, match="most are not for the answer that is chosen"):
        pairs(SIDES | {"verdicts": ["second", "second", "first"]})
    with pytest.raises(RowError, match="has 'x' in column 'verdicts', and nothing says which answer"):
        pairs(SIDES | {"verdicts": ["x", "first"]})


@given(verdicts=st.lists(st.sampled_from(["first", "second", "tie"]), min_size=2, max_size=7), data=st.data())
def test_neither_the_order_of_raters_nor_that_of_answers_changes_a_label(
    verdicts: list[Verdict], data: st.DataObject
) -> None:
    row = {"prompt": "P", "answers": ["a", "b"]}
    (one,) = pairs(row | {"verdicts": verdicts})
    (shuffled,) = pairs(row | {"verdicts": data.draw(st.permutations(verdicts))})
    turned = {"prompt": "P", "answers": ["b", "a"], "verdicts": [SWAPPED[verdict] for verdict in verdicts]}
    assert [one] == [shuffled] == pairs(turned)
    if majority(verdicts) in ("first", "second"):
        assert isinstance(one, HumanPair)
        assert one.label is not None
        assert 0.5 < one.label <= 1


def test_a_label_does_not_make_it_another_pair() -> None:
    labelled = only(SIDES | {"verdicts": ["first", "first", "tie"]})
    assert labelled.identity == only(SIDES).identity
