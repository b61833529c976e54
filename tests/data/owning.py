"""Rows in files of every form, and what data of your own gives of them."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selfreward.data.own import OwnData
from selfreward.data.roles import Role
from selfreward.records import Prompt

ROWS: list[dict[str, Any]] = [
    {"prompt": f"What is thing {number}?", "answer": f"It is {number}."} for number in range(6)
]


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        case ".json":
            path.write_text(json.dumps(rows))
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return path


def saved(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    from datasets import Dataset

    Dataset.from_list(rows).save_to_disk(str(folder), num_shards=2)
    return folder


def own(**settings: Any) -> OwnData:
    return OwnData.model_validate(settings)


def questions(data: OwnData, role: Role = "train") -> list[str]:
    return [row.messages[-1].content for row in data.rows(role) if isinstance(row, Prompt)]


NO_SPLIT = {"held_out": 0, "probe": 0}
