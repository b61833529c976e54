"""Gold to calibrate a judge on, and the command that does."""

import json
import random
from pathlib import Path
from typing import Any

from selfreward.backends.scripted_policy import outcome_text
from tests.support import Done, selfreward

PAIRWISE = ["judge=pairwise", "judge.method=probability"]
SAMPLED = ["judge=pairwise", "judge.reasoning=false"]


def write_gold(folder: Path, pairs: int = 40, mark: str = "") -> None:
    """Sums with a right and a wrong answer, in a random order; three people, of whom the last may see a tie."""
    lot = random.Random(0)
    rows = []
    for n in range(pairs):
        question = f"What is {n} + {n % 7}? {'Say it in a song.' if n % 4 else 'Draw a tree.'}{mark}"
        answers, side = [outcome_text(question, 0), outcome_text(question, 1 + n % 5) + mark], "first"
        if n % 2:
            answers, side = answers[::-1], "second"
        row = {"id": f"{n}", "question": question, "first": answers[0], "second": answers[1], "source": "sums"}
        row["verdicts"] = [side, side, side if lot.random() < 0.7 else "tie"]
        row |= {"first_author": f"{'me' if n % 3 else 'you'}{mark}", "second_author": "you" if n % 3 else "me"}
        rows.append(row)
    (folder / "gold.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def calibrate(folder: Path, *settings: str) -> Done:
    arguments = ("judge", "calibrate", "experiment=scripted", "--gold", "gold.jsonl", "--out", "out", *settings)
    return selfreward(*arguments, cwd=folder)


def figures(folder: Path, out: str = "out") -> dict[str, Any]:
    return json.loads((folder / out / "measures.json").read_text())
