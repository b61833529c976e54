"""scripts/gold_items.py: rows as they were published, by hand, become items that are read back."""

import csv
import json
import sys
from pathlib import Path

import pytest

from scripts import gold_items
from selfreward.judge_quality.verdicts import Labelled
from selfreward.labels.items import read_items


def converted(form: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Labelled]:
    out = path.parent / "items.jsonl"
    monkeypatch.setattr(sys, "argv", ["gold_items.py", form, str(path), str(out)])
    gold_items.main()
    return [item.labelled for item in read_items(out)[0]]


def test_pandalm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"idx": 7, "cmp_key": "bloom-7b_llama-7b", "instruction": "Is it so?", "input": "2 is even."}
    row |= {"response1": True, "response2": "It is.", "annotator1": 0, "annotator2": 1, "annotator3": 2}
    path = tmp_path / "testset.json"
    path.write_text(json.dumps([row, row | {"idx": 8, "input": ""}]))
    one, other = converted("pandalm", path, monkeypatch)
    assert (one.first, one.second, one.verdicts) == ("True", "It is.", ("tie", "first", "second"))
    assert (one.first_author, one.second_author) == ("bloom-7b", "llama-7b")
    assert [item.messages[0].content for item in (one, other)] == ["Is it so?\n\n2 is even.", "Is it so?"]


def test_llmbar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dataset.json"
    rows = [
        {"input": "Name a fruit.", "output_1": "Bread.", "output_2": "A pear.", "label": label} for label in (2, "1")
    ]
    path.write_text(json.dumps(rows))
    items = converted("llmbar", path, monkeypatch)
    assert [(item.first, item.second, item.verdicts) for item in items] == [
        ("Bread.", "A pear.", ("second",)),
        ("Bread.", "A pear.", ("first",)),
    ]
    assert items[0].first_author is None


def test_truthfulqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "questions.csv"
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["Question", "Best Answer", "Correct Answers", "Incorrect Answers"])
        writer.writerow(["What is the sky?", "Air, mostly", "Air", "A dome; A sea"])
    (item,) = converted("truthfulqa", path, monkeypatch)
    assert (item.first, item.second, item.verdicts) == ("Air, mostly", "A dome", ("first",))
