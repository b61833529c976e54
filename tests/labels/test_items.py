"""The items file keeps all that is known of a pair, and any file of pairs can be labelled."""

import json
from collections import Counter
from pathlib import Path

import pytest

from selfreward.errors import DataError
from selfreward.judge_quality.verdicts import Verdicts
from selfreward.labels.items import Label, read_items, read_judge, write_items
from selfreward.labels.returned_gold import labelled_by, write_labels
from tests.labels.tools import pair, replace_labelled

JUDGE = Verdicts(
    id="a", preference=0.25, flipped=True, first_score=1.5, second_score=None, first_shown=0.5, outcome="scored"
)


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_items_come_back_as_they_were(tmp_path: Path) -> None:
    known = replace_labelled(
        pair("a", "x\n", " y", judge=JUDGE, disagreement=0.5, kind="trees", rubric="r@1:abc"),
        verdicts=("first", "tie"),
        first_author="m",
        second_rating=2.0,
    )
    items = [known, pair("b", "x", "y")]
    write_items(tmp_path / "items.jsonl", items)
    assert read_items(tmp_path / "items.jsonl") == (items, Counter())


def test_labels_can_be_exported_again(tmp_path: Path) -> None:
    item = labelled_by(pair("a", "x", "y", rubric="r@1:abc"), [Label(labeller="ann", margin=-1)])
    write_labels(tmp_path / "labels.jsonl", [item])
    assert read_items(tmp_path / "labels.jsonl") == ([item], Counter())


def test_an_item_needs_no_more_than_an_id_a_question_and_two_answers(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.jsonl", {"id": "a", "question": "Why?", "first": "x", "second": "y"})
    ((item,), _) = read_items(path)
    assert (item.labelled.messages[0].content, item.labelled.source, item.judge) == ("Why?", "mine.jsonl", None)


def test_any_file_of_pairs_can_be_labelled(tmp_path: Path) -> None:
    path = written(
        tmp_path / "pairs.jsonl",
        {"prompt": "p", "chosen": "x", "rejected": "y"},
        {"prompt": "p", "chosen": "x", "rejected": "y", "labels": 1},
        {"prompt": "q", "answers": ["x", "y"]},
        {"prompt": "r", "answers": ["x", "y", "z"], "ratings": [1, 3, 3]},
        {"prompt": "s", "right": "x", "wrong": " "},
    )
    items, left_out = read_items(path)
    told = [(one.labelled.messages[0].content, one.labelled.first, one.labelled.verdicts) for one in items]
    assert told == [("p", "x", ("first",)), ("q", "x", ()), ("r", "y", ("first",)), ("r", "z", ("first",))]
    assert left_out == {"repeated": 1, "equal_ratings": 1, "no_answer": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p"}, "has no two answers; it has 'prompt': name them first and second, or chosen and rejected"),
        ({"id": "a", "first": "x", "second": "y"}, "has no column for the prompt"),
        ({"question": "q", "first": "x", "second": "y"}, "has a wrong 'id'"),
        ({"id": "a", "question": " ", "first": "x", "second": "y"}, "asks nothing"),
        ({"id": "a", "question": "q", "first": 1, "second": "y"}, "has no text in column 'first'"),
        ({"id": "a\ud800", "question": "q", "first": "x", "second": "y"}, "has a wrong 'id'"),
        ({"id": "a", "question": "q", "first": "x\ud800", "second": "y"}, "half a surrogate pair"),
        ({"id": "a", "question": "q", "first": "x", "second": "y", "kind": "\ud800"}, "half a surrogate pair"),
        ({"id": "a", "question": "q", "first": "x", "second": "y", "verdicts": ["A"]}, "has a wrong 'verdicts.0'"),
        ({"id": "a", "question": "q", "first": "x", "second": "y", "judge": {}}, "has a wrong 'judge.outcome'"),
        (
            {"id": "a", "question": "q", "first": "x", "second": "y", "judge": {"outcome": "scored", "preference": 3}},
            "preference 3.0 of a is no probability",
        ),
        ({"id": "a", "question": "q", "answers": ["x"], "labels": []}, "not two texts in column 'answers'"),
        (
            {"id": "a", "question": "q", "answers": ["x", "y"], "labels": [{"labeller": "b", "margin": 3}]},
            "has a wrong 'labels.0.margin'",
        ),
    ],
)
def test_a_row_that_is_no_pair_is_told_in_one_line(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(DataError, match=message) as told:
        read_items(written(tmp_path / "items.jsonl", row))
    assert "items.jsonl:1" in str(told.value) and "\n" not in str(told.value)


def test_two_rows_with_one_id_are_refused_and_an_empty_file_too(tmp_path: Path) -> None:
    row = {"id": "a", "question": "q", "first": "x", "second": "y"}
    with pytest.raises(DataError, match="items.jsonl:2 has the id 'a' of another row"):
        read_items(written(tmp_path / "items.jsonl", row, row | {"first": "z"}))
    with pytest.raises(DataError, match="holds no pair of answers"):
        read_items(written(tmp_path / "none.jsonl"))


def test_verdicts_stand_alone_or_in_items(tmp_path: Path) -> None:
    alone = written(tmp_path / "v.jsonl", {"id": "a", "preference": 0.5, "outcome": "scored", "disagreement": 0.25})
    judge, disagreement = read_judge(alone)["a"]
    assert (judge.preference, judge.flipped, disagreement) == (0.5, None, 0.25)
    write_items(tmp_path / "items.jsonl", [pair("a", "x", "y", judge=JUDGE)])
    assert read_judge(tmp_path / "items.jsonl") == {"a": (JUDGE, None)}


def test_a_thought_before_an_answer_is_not_shown(tmp_path: Path) -> None:
    thought = "<think>x or y?</think>\n\n"
    rows = [
        {"id": "a", "question": "Why?", "first": f"{thought}x", "second": "y"},
        {"prompt": "Why?", "chosen": f"{thought}x", "rejected": "y"},
    ]
    for row in rows:
        ((item,), _) = read_items(written(tmp_path / "mine.jsonl", row))
        assert (item.labelled.first, item.labelled.second) == ("x", "y")
