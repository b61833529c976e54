"""Everyday questions with accepted answers, written for this project and shipped with it."""

from pathlib import Path
from typing import Literal, TypedDict, cast

from selfreward.data.readers import read_rows
from selfreward.records import Match, Prompt, digest_of, make_prompt

Split = Literal["train", "held_out"]
EVERYDAY = Path(__file__).with_name("everyday.jsonl")


class Row(TypedDict):
    """One line of the file. Questions about the same fact share their `item`."""

    kind: str
    item: str
    question: str
    answers: list[str]
    match: Match


def everyday_rows() -> list[Row]:
    """Every row of the file, in the order of the file."""
    return [cast(Row, row) for _, row in read_rows(EVERYDAY)]


def split_of(row: Row) -> Split:
    """The split that the row's item falls into: one third of all items are held out."""
    return "held_out" if int(_digest(row), 16) % 3 == 0 else "train"


def load_everyday(split: Split, system: str) -> list[Prompt]:
    """The questions of one split as closed prompts, `system` before each.

    No item is in both splits. The order follows the items' digests, so any first part is a fair mixture of kinds.
    """
    rows = [row for row in everyday_rows() if split_of(row) == split]
    rows.sort(key=lambda row: (_digest(row), row["question"]))
    return [
        make_prompt(
            row["question"],
            system=system,
            stratum="closed",
            source=f"everyday/{row['kind']}",
            references=tuple(row["answers"]),
            match=row["match"],
        )
        for row in rows
    ]


def _digest(row: Row) -> str:
    return digest_of("everyday", row["kind"], row["item"])
