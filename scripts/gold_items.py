#!/usr/bin/env python
"""Published pairs of answers with human labels, as items that `bench judges --gold` and `labels export` read.

    python scripts/gold_items.py pandalm testset-v1.json pandalm.jsonl
    python scripts/gold_items.py llmbar Natural.json natural.jsonl
    python scripts/gold_items.py truthfulqa TruthfulQA.csv truthfulqa.jsonl

PandaLM's test set (2306.05087): three people a pair, and the models that wrote the answers. LLMBar (2310.07641): one
agreed label a pair. TruthfulQA (2109.07958): the best answer, always the first, against the first wrong one. Prompts of
PandaLM are those of self-instruct's user-oriented instructions: train on neither where you measure on the other.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selfreward.judge_quality.verdicts import Labelled
from selfreward.labels.items import Item, write_items
from selfreward.records import Message, Verdict

PANDALM: dict[int, Verdict] = {0: "tie", 1: "first", 2: "second"}
LLMBAR: dict[str, Verdict] = {"1": "first", "2": "second"}


def pandalm(path: Path) -> Iterator[Labelled]:
    """The pairs of PandaLM's test set; some answers there are true and false of JSON, here True and False."""
    for row in json.loads(path.read_text("utf-8")):
        first_author, second_author = row["cmp_key"].split("_")
        yield labelled(
            f"pandalm-{row['idx']}",
            "\n\n".join(part for part in (row["instruction"], row["input"]) if part.strip()),
            (str(row["response1"]), str(row["response2"])),
            tuple(PANDALM[row[f"annotator{person}"]] for person in (1, 2, 3)),
            first_author=first_author,
            second_author=second_author,
        )


def llmbar(path: Path) -> Iterator[Labelled]:
    """The pairs of one of LLMBar's files."""
    for number, row in enumerate(json.loads(path.read_text("utf-8"))):
        answers = (row["output_1"], row["output_2"])
        yield labelled(f"llmbar-{number}", row["input"], answers, (LLMBAR[str(row["label"])],))


def truthfulqa(path: Path) -> Iterator[Labelled]:
    """A right and a wrong answer to each question of TruthfulQA."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            answers = (row["Best Answer"].strip(), row["Incorrect Answers"].split(";")[0].strip())
            yield labelled(f"truthfulqa-{number}", row["Question"], answers, ("first",))


READERS: dict[str, Callable[[Path], Iterator[Labelled]]] = {
    "pandalm": pandalm,
    "llmbar": llmbar,
    "truthfulqa": truthfulqa,
}


def labelled(
    id_: str, question: str, answers: tuple[str, str], verdicts: tuple[Verdict, ...], **authors: Any
) -> Labelled:
    """Two answers to `question`, and what people said of them."""
    return Labelled(
        id=id_,
        messages=(Message(role="user", content=question),),
        first=answers[0],
        second=answers[1],
        verdicts=verdicts,
        source=id_.partition("-")[0],
        **authors,
    )


def main() -> None:
    """Writes the items and prints how many there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", choices=sorted(READERS))
    parser.add_argument("path", type=Path, help="the file as it was published")
    parser.add_argument("out", type=Path, help="a .jsonl file")
    parsed = parser.parse_args()
    items = [Item(labelled=one) for one in READERS[parsed.form](parsed.path)]
    write_items(parsed.out, items)
    print(f"{len(items):,} pairs in {parsed.out}")


if __name__ == "__main__":
    main()
