"""Columns beside the prompt: kept where they are asked for, on their way to the judge, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from selfreward.artifacts.parquet import read_table
from selfreward.artifacts.runs import RunView
from selfreward.data.columns import Columns
from selfreward.errors import DataError
from selfreward.records import Prompt, RowPrompt
from tests.data.owning import own, write
from tests.support import run_scripted

ROWS = [{"prompt": f"What is {n} + 1?", "level": n, "tests": [f"f({n})"], "long": "x" * 50} for n in range(12)]
EXTRA = "data.columns={extra:[level,tests]}"
SETTINGS = ("data=files", "loop.iterations=1", "judge=likelihood", "mix.real_share=0", "mix.min_rows=1")


def run(folder: Path, rows: list[dict[str, Any]], *settings: str) -> RunView:
    train = write(folder / "train.jsonl", rows)
    held_out = write(folder / "held.jsonl", [{"prompt": "Is a whale a fish?"}])
    return run_scripted(folder, *SETTINGS, f"data.train={train}", f"data.held_out={held_out}", *settings)


def test_columns_that_are_asked_for_reach_the_prompts_of_a_round(tmp_path: Path) -> None:
    view = run(tmp_path, ROWS, EXTRA)
    asked = list(view.iterations[0]["prompts"].records(RowPrompt))
    assert asked
    for prompt in asked:
        row = next(row for row in ROWS if row["prompt"] == prompt.messages[-1].content)
        assert json.loads(prompt.columns or "") == {"level": row["level"], "tests": row["tests"]}


def test_a_prompt_that_overlaps_is_dropped_with_its_columns(tmp_path: Path) -> None:
    view = run(tmp_path, [*ROWS, {**ROWS[0], "prompt": "Is a whale a fish?", "level": 99}], EXTRA)
    levels = [json.loads(one.columns or "")["level"] for one in view.iterations[0]["prompts"].records(RowPrompt)]
    assert levels
    assert 99 not in levels


def test_without_them_prompts_are_written_as_ever_whatever_else_stands_in_a_row(tmp_path: Path) -> None:
    view = run(tmp_path / "a", ROWS)
    train = view.sources["train"]
    assert read_table(train.path / "rows-00000.parquet").column_names == list(Prompt.__dataclass_fields__)
    bare = run(tmp_path / "b", [{"prompt": row["prompt"]} for row in ROWS])
    assert bare.sources["train"].digest == train.digest
    assert {one.columns for one in train.records(RowPrompt)} == {None}


def test_what_a_row_lacks_or_what_is_no_json_is_told(tmp_path: Path) -> None:
    missing = own(train=write(tmp_path / "t.jsonl", ROWS), columns={"extra": "levl"})
    with pytest.raises(
        DataError, match=r"t\.jsonl:1 .*has no column 'levl' \(columns\.extra\); it has 'prompt', 'level'"
    ):
        list(missing.rows("train"))
    broken = tmp_path / "n.jsonl"
    broken.write_text('{"prompt": "Why?", "level": NaN}\n')
    with pytest.raises(DataError, match=r"level that is no JSON .*take it out of columns\.extra"):
        list(own(train=broken, columns={"extra": "level"}).rows("train"))
    with pytest.raises(ValidationError, match="completions is what a function is given of ours"):
        Columns(extra=("level", "completions"))
