"""Bad rows: one stops the run and says what to do, or is left out and counted where that is asked for."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.backends.base import Unfit
from selfreward.config import validate
from selfreward.data.own import OwnData
from selfreward.data.roles import ColumnsSeen, Kept, LeftOut, Role, prompt_of
from selfreward.errors import DataError

HI = {"role": "user", "content": "Hi"}


def said(text: Any, who: str = "assistant") -> dict[str, Any]:
    return {"role": who, "content": text}


PART = {"chosen": [HI, said("Hello"), HI, said("a")], "rejected": [HI, said("Hey"), HI, said("b")]}
GOOD: dict[str, dict[str, Any]] = {
    "train": {"prompt": "Why?"},
    "human": {"prompt": "Why?", "answer": "So."},
    "human_pairs": {"prompt": "Why?", "chosen": "So.", "rejected": "No."},
    "feedback": {"prompt": "Why?", "answer": "So.", "label": False},
    "gold_gate": {"prompt": "Why?", "right": "So.", "wrong": "No."},
}
IMAGE = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": "x"}]

BAD: list[tuple[Role, dict[str, Any], str]] = [
    ("human_pairs", PART, "conversations_part_early"),
    ("gold_gate", PART, "conversations_part_early"),
    ("train", {"question": None, "messages": [HI, said(None), HI]}, "turn_without_text"),
    ("train", {"messages": [said("x", "tool"), HI]}, "turn_by_another_role"),
    ("train", {"messages": [said("x", "developer"), HI]}, "turn_by_another_role"),
    ("train", {"messages": [said(IMAGE, "user")]}, "turn_without_text"),
    ("train", {"text": "x"}, "without_prompt"),
    ("human", {"prompt": "Why?"}, "without_answer"),
    ("feedback", {"prompt": "Why?", "answer": "So."}, "without_liked"),
    ("feedback", {"prompt": "Why?", "answer": "So.", "label": 4}, "thumb_not_told"),
    ("human_pairs", {"prompt": "Why?", "chosen": "So."}, "without_rejected"),
    ("human_pairs", {"prompt": "Why?", "answers": ["a", "b"], "winner": "x"}, "winner_not_told"),
    ("train", {"messages": [HI, said("x", "system")]}, "last_turn_not_of_the_user"),
    ("train", {"prompt": "many words " * 40}, "prompt_too_long"),
    ("human_pairs", {**GOOD["human_pairs"], "prompt": "many words " * 40}, "prompt_too_long"),
]


def why_unfit(row: Kept) -> Unfit | None:
    words = sum(len(turn.content.split()) for turn in prompt_of(row)[0])
    return Unfit("prompt_too_long", f"its {words} tokens leave no room") if words > 50 else None


def source(folder: Path, role: Role, rows: list[dict[str, Any]], **settings: Any) -> OwnData:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    one = {"train": "other.jsonl", "split": {"held_out": 0, "probe": 0}, role: path, **settings}
    return OwnData.model_validate(one)


def counts(data: OwnData, role: Role) -> Counter[str]:
    rows = [row for row in data.rows(role, why_unfit) if not isinstance(row, ColumnsSeen)]
    return Counter(row.reason if isinstance(row, LeftOut) else "kept" for row in rows)


@pytest.mark.parametrize(("role", "bad", "reason"), BAD)
def test_a_bad_row_stops_the_run_or_is_counted(tmp_path: Path, role: Role, bad: dict[str, Any], reason: str) -> None:
    rows = [GOOD[role], bad]
    with pytest.raises(DataError, match=rf"rows\.jsonl:2 \({role}\) ") as told:
        counts(source(tmp_path, role, rows), role)
    assert "\n" not in str(told.value)
    assert counts(source(tmp_path, role, rows, on_bad_row="skip"), role) == {"kept": 1, reason: 1}


@pytest.mark.parametrize("rating", ["N/A", float("nan"), "good"])
def test_a_rating_that_is_no_number_costs_its_own_pairs_alone(tmp_path: Path, rating: Any) -> None:
    rows = [{"prompt": "Why?", "answers": ["a", "b", "c"], "ratings": [1, rating, 3]}]
    with pytest.raises(DataError, match="no number: mend it, or set data.on_bad_row=skip"):
        counts(source(tmp_path, "human_pairs", rows), "human_pairs")
    skipped = source(tmp_path, "human_pairs", rows, on_bad_row="skip")
    assert counts(skipped, "human_pairs") == {"kept": 1, "unrated": 2}


def test_parts_that_are_all_text_are_a_text(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "Name"}, {"type": "text", "text": "a bay."}]
    data = source(tmp_path, "train", [{"messages": [said(parts, "user")]}])
    (one, _) = data.rows("train")
    assert not isinstance(one, LeftOut | ColumnsSeen)
    assert prompt_of(one)[0][0].content == "Name\na bay."


def test_a_file_without_a_row_that_can_be_read_stops_all_the_same(tmp_path: Path) -> None:
    rows = [{"text": "x"}, {"text": "y"}]
    with pytest.raises(DataError, match=r"no row can be read; the first: .*rows\.jsonl:1 \(human\) has no column"):
        counts(source(tmp_path, "human", rows, on_bad_row="skip"), "human")


@pytest.mark.parametrize(
    ("name", "lines", "line"),
    [
        ("rows.jsonl", ['{"prompt": "a"}', '{"prompt": "b', '{"prompt": "c"}'], 2),
        ("rows.jsonl", ['{"prompt": "a"}', '"b"', '{"prompt": "c"}'], 2),
        ("rows.csv", ["prompt,id", "a,1", "b", "c,3"], 3),
        ("rows.tsv", ["prompt\tid", "a\t1", "b\t2\t3", "c\t3"], 3),
    ],
)
def test_a_broken_line_stops_the_run_or_is_counted(tmp_path: Path, name: str, lines: list[str], line: int) -> None:
    (tmp_path / name).write_text("".join(f"{text}\n" for text in lines))
    one: dict[str, Any] = {"train": tmp_path / name, "split": {"held_out": 0, "probe": 0}}
    with pytest.raises(DataError, match=rf"rows\.\w+:{line} "):
        counts(OwnData.model_validate(one), "train")
    skipped = OwnData.model_validate(one | {"on_bad_row": "skip"})
    assert counts(skipped, "train") == {"kept": 2, "broken_line": 1}


def test_a_file_of_broken_lines_stops_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{\n{\n")
    data = OwnData.model_validate({"train": tmp_path / "rows.jsonl", "on_bad_row": "skip"})
    with pytest.raises(DataError, match=r"no row can be read; the first: .*rows\.jsonl:1 is not JSON"):
        counts(data, "train")


def test_a_long_prompt_that_falls_to_another_role_is_left_to_that_role(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    long = [{"prompt": f"Question {number} " + "many words " * 40} for number in range(30)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*long, {"prompt": "Why?"}]))
    data = OwnData.model_validate({"train": path, "on_bad_row": "skip", "split": {"held_out": 0.4, "probe": 0}})
    kept = {role: sum(not isinstance(row, LeftOut | ColumnsSeen) for row in data.rows(role)) for role in _SPLIT}
    assert sum(kept.values()) == 31


_SPLIT: tuple[Role, ...] = ("train", "held_out")


def test_the_settings_can_be_typed() -> None:
    typed = [
        "data=files",
        "data.train=a.jsonl",
        "mix.real_share=0",
        "data.on_bad_row=skip",
        "data.columns.winner=label",
        "data.columns.winner_values={1:first,2:second,0:tie}",
        "data.columns.order=best_first",
    ]
    data = validate(compose(typed)).data
    assert isinstance(data, OwnData)
    assert data.on_bad_row == "skip"
    assert data.columns.winner_values == {"1": "first", "2": "second", "0": "tie"}
