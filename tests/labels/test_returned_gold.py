"""Labels as gold: what people agree on is read as a pair, what they do not is not, and every mistake is one line."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.data.own import FileSource, OwnData
from selfreward.data.roles import ColumnsSeen, HumanPair, LeftOut
from selfreward.errors import DataError
from selfreward.judge_quality.verdicts import labelled
from selfreward.labels.blind import BlindAnswer, blind, read_key
from selfreward.labels.items import Label, write_items
from selfreward.labels.returned_gold import (
    labelled_by,
    labelled_items,
    newest,
    ratings,
    read_labels,
    read_returned,
    stale,
    write_labels,
)
from selfreward.records import SWAPPED, GoldPair, majority
from tests.labels.tools import pair, replace_labelled


def labels(*margins: int) -> list[Label]:
    return [Label(labeller=f"person {n}", margin=margin) for n, margin in enumerate(margins)]


def read_as(role: str, path: Path) -> list[HumanPair | GoldPair | LeftOut]:
    source = FileSource(path=path)
    found = OwnData(system="", train=source, **{role: source}).rows(role)
    return [row for row in found if not isinstance(row, ColumnsSeen)]


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        ((2,), (2, 0)),
        ((-1,), (0, 1)),
        ((0,), (0, 0)),
        ((2, 1, 0), (1, 0)),
        ((2, -2), (0, 0)),
        ((2, -1), (0, 0)),
        ((0, 0, 2), (0, 0)),
        ((1, 1, -2), (0, 0)),
        ((1, 1, -1), (1 / 3, 0)),
    ],
)
def test_a_pair_is_rated_by_the_mean_margin_where_most_agree(margins: tuple[int, ...], expected: tuple) -> None:
    assert ratings(labels(*margins)) == pytest.approx(expected)


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=7))
def test_the_better_rated_answer_is_the_one_that_most_prefer(margins: list[int]) -> None:
    said = labels(*margins)
    first, second = ratings(said)
    assert min(first, second) == 0
    if first != second:
        assert majority([label.verdict for label in said]) == ("first" if first > second else "second")
    turned = ratings([Label(labeller=label.labeller, margin=-label.margin) for label in said])
    assert turned == pytest.approx((second, first))


def test_labels_are_read_as_gold_and_as_human_pairs(tmp_path: Path) -> None:
    items = [
        labelled_by(pair("a", "good", "Human: bad"), labels(2, 1)),
        labelled_by(pair("b", "bad", "good"), labels(-2)),
        labelled_by(pair("c", "one", "two"), labels(1, -1)),
        labelled_by(pair("d", "one", "two"), labels(0)),
    ]
    path = tmp_path / "labels.jsonl"
    write_labels(path, items)
    gold = read_as("gold_gate", path)
    assert [(one.right, one.wrong) for one in gold if isinstance(one, GoldPair)] == [
        ("good", "Human: bad"),
        ("good", "bad"),
    ]
    assert [one for one in gold if isinstance(one, LeftOut)] == [LeftOut("equal_ratings")] * 2
    pairs = [one for one in read_as("human_pairs", path) if isinstance(one, HumanPair)]
    assert [(one.chosen, one.rejected, one.margin) for one in pairs] == [
        ("good", "Human: bad", 1.5),
        ("good", "bad", 2.0),
    ]
    assert labelled(next(one for one in gold if isinstance(one, GoldPair))).messages == items[0].labelled.messages


@given(st.lists(st.lists(st.integers(-2, 2), min_size=1, max_size=5), min_size=1, max_size=6))
def test_gold_keeps_what_every_person_said_and_who_wrote_the_answers(margins: list[list[int]]) -> None:
    items = [
        replace_labelled(
            labelled_by(pair(f"{n}", "one", "two", question=f"Q{n}"), labels(*said)),
            first_author=f"a{n}",
            second_author="b",
        )
        for n, said in enumerate(margins)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "labels.jsonl"
        write_labels(path, items)
        gold = {one.messages[0].content: one for one in read_as("gold_gate", path) if isinstance(one, GoldPair)}
        assert read_labels(path) == items
    decided = [item for item in items if ratings(item.labels) != (0, 0)]
    assert set(gold) == {item.labelled.messages[0].content for item in decided}
    for item in decided:
        one, back = item.labelled, labelled(gold[item.labelled.messages[0].content])
        if majority(one.verdicts) == "first":
            assert (back.first, back.verdicts, back.first_author) == (one.first, one.verdicts, one.first_author)
        else:
            assert (back.first, back.first_author, back.second_author) == (one.second, "b", one.first_author)
            assert back.verdicts == tuple(SWAPPED[verdict] for verdict in one.verdicts)


def test_every_row_says_who_labelled_it_when_and_under_which_rubric(tmp_path: Path) -> None:
    item = labelled_by(
        pair("a", "x", "y", rubric="r@2:abc"), [Label(labeller="7", margin=1, comment="why", at="2026-01-02")]
    )
    write_labels(tmp_path / "labels.jsonl", [item])
    row = json.loads((tmp_path / "labels.jsonl").read_text())
    assert row["rubric"] == "r@2:abc"
    assert row["labels"] == [{"labeller": "7", "margin": 1, "comment": "why", "at": "2026-01-02"}]
    assert read_labels(tmp_path / "labels.jsonl") == [item]


def test_two_labellers_who_disagree_are_two_verdicts_and_no_gold(tmp_path: Path) -> None:
    ((shown, hidden),) = blind([pair("a", "x", "y")], 0, "r@1:abc")
    key = {shown.id: hidden}
    better = "A is slightly better" if shown.answer_a == "x" else "B is slightly better"
    worse = "B is slightly better" if shown.answer_a == "x" else "A is slightly better"
    (item,) = labelled_items([answer(shown.id, "zoe", worse), answer(shown.id, "ann", better)], key)
    assert item.labelled.verdicts == ("first", "second"), "in the order of the labellers' names"
    write_labels(tmp_path / "labels.jsonl", [item])
    assert read_as("gold_gate", tmp_path / "labels.jsonl") == [LeftOut("equal_ratings")]


def test_stale_finds_the_rows_of_other_versions_of_the_rubric_and_no_others() -> None:
    rubrics = ["r@1:aaa", "r@2:bbb", "r@2:ccc", "other@1:aaa", None, "r2@1:aaa"]
    items = [pair(str(n), "x", "y", rubric=rubric) for n, rubric in enumerate(rubrics)]
    assert [item.rubric for item in stale(items, "r@2:bbb")] == ["r@1:aaa", "r@2:ccc"]
    assert stale(items, "new@1:aaa") == []


def answer(shown: str, labeller: str, choice: str) -> BlindAnswer:
    return BlindAnswer(shown=shown, labeller=labeller, choice=choice, comment=None, at=None, place="export.json row 1")


def test_ids_choices_and_labels_that_do_not_fit_the_key_are_refused() -> None:
    ((shown, hidden),) = blind([pair("a", "x", "y")], 0, None)
    key = {shown.id: hidden}
    with pytest.raises(DataError, match=r"row 1 has the id 'nobody', which is not in the key: give its own --key"):
        labelled_items([answer("nobody", "ann", "Neither is better")], key)
    with pytest.raises(DataError, match=r"the choice 'A wins', which is none of A is much better, "):
        labelled_items([answer(shown.id, "ann", "A wins")], key)


def test_of_two_answers_of_a_person_the_newest_counts_in_any_order() -> None:
    old, new = (
        replace(answer("1", "ann", choice), at=at)
        for choice, at in (("A is better", "2026-03-10T22:16:08.7Z"), ("B is better", "2026-03-11T01:00:00+02:00"))
    )
    other = answer("1", "zoe", "A is better")
    for said in ([old, new, other], [new, other, old]):
        kept, replaced = newest(said)
        assert sorted(kept, key=lambda one: one.labeller) == [new, other]
        assert replaced == 1
    assert newest([old, old]) == ([old], 1), "one export given twice"


@pytest.mark.parametrize(("at", "again"), [(None, None), ("2026-03-10", None), ("2026-03-10", "2026-03-10")])
def test_where_no_time_tells_the_newest_one_has_to_be_deleted(at: str | None, again: str | None) -> None:
    one = replace(answer("1", "ann", "A is better"), at=at)
    other = replace(answer("1", "ann", "B is better"), at=again)
    with pytest.raises(DataError, match=r"a second label of 'ann' on item 1, .*: delete one of the two"):
        newest([one, other])


def test_labels_under_one_rubric_do_not_fit_the_key_of_another() -> None:
    (one,), (other,) = (blind([pair("a", "x", "y")], 0, rubric) for rubric in ("r@1:abc", "r@2:abc"))
    with pytest.raises(DataError, match="not in the key"):
        labelled_items([answer(one[0].id, "ann", "Neither is better")], {other[0].id: other[1]})


TASK = {"data": {"item": "1"}, "annotations": []}
SEVERAL = {"result": [{"from_name": "preference", "value": {"choices": ["A", "B"]}}], "completed_by": 1}
NO_TEXT = {"result": [{"from_name": "preference", "value": {"choices": [1]}}], "completed_by": 1}
CHOSEN = {"from_name": "preference", "value": {"choices": ["A is much better"]}}
NOBODY = {"result": [CHOSEN], "completed_by": None}
SURROGATE = {"result": [CHOSEN, {"from_name": "comment", "value": {"text": ["\ud800"]}}], "completed_by": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"id": "1", "responses": {"prefer', "is not JSON"),
        ("{}", "is no list of objects"),
        ("[3]", "is a int, no object"),
        (
            json.dumps([{"choice": "A", "item": "1"}]),
            "is no annotated task of Label Studio .* and no record of Argilla",
        ),
        (json.dumps([{**TASK, "data": {}}]), "has a wrong 'data.item'"),
        (json.dumps([{**TASK, "annotations": None}]), "has a wrong 'annotations'"),
        (json.dumps([{**TASK, "annotations": [NOBODY]}]), r"an annotation by nobody \(completed_by\)"),
        (json.dumps([{**TASK, "annotations": [SEVERAL]}]), "several choices"),
        (json.dumps([{**TASK, "annotations": [NO_TEXT]}]), "has a int for 'preference', no text"),
        (json.dumps([{**TASK, "annotations": [SURROGATE]}]), "half a surrogate pair"),
        (json.dumps([{"id": 3, "responses": {}}]), "no text in column 'id'"),
        (json.dumps([{"id": "3", "responses": [3]}]), "'responses' that is no object"),
        (json.dumps([{"id": "3", "responses": {"preference": [{"value": 1, "user_id": "a"}]}}]), "a wrong 'value'"),
        (json.dumps([{"id": "3", "responses": {"preference": [3]}}]), "has a wrong"),
        (json.dumps([{"id": "3", "responses": {"preference": 3}}]), "a int in 'preference', where a list of responses"),
        (json.dumps([{"id": "3", "preference.responses": 5}]), "a int in 'preference.responses', where a list"),
        (json.dumps([{"id": "3", "preference.responses": ["A"], "preference.responses.users": 7}]), "where a list"),
        (json.dumps([{"id": "3", "preference.responses": ["A"]}]), "has 1 values of 'preference.responses', 0 users"),
    ],
)
def test_torn_and_foreign_files_are_told_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(DataError, match=message) as told:
        read_returned(tmp_path)
    assert "\n" not in str(told.value) and "export.json" in str(told.value)


@pytest.mark.parametrize("content", ["", '{"shown": "1"}', '{"shown": "1", "swapped": true, "item": {"id": "a"}}', "{"])
def test_a_key_that_is_none_says_what_to_give(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.jsonl").write_text(content)
    with pytest.raises(DataError) as told:
        read_key(tmp_path / "key.jsonl")
    assert "\n" not in str(told.value)


def test_pairs_without_labels_are_no_labels(tmp_path: Path) -> None:
    write_items(tmp_path / "items.jsonl", [pair("a", "x", "y")])
    with pytest.raises(DataError, match="give what `selfreward labels import` wrote"):
        read_labels(tmp_path / "items.jsonl")
