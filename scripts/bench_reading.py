#!/usr/bin/env python
"""How long replies of judges and of policies take to read: texts of 10,000, 30,000 and 100,000 hostile characters.

Policies write what is read, so time has to grow in proportion to it. A line for each reader: the piece whose repetition
took it longest, the times, and the slope, log time over log length between the last two: 1 is linear, 2 quadratic.

    python scripts/bench_reading.py
"""

import math
import time
from collections.abc import Callable
from functools import partial

from selfreward.__main__ import compose, conf_folder
from selfreward.answers import read_answer
from selfreward.config import validate
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.records import make_prompt

SIZES = (10_000, 30_000, 100_000)
WORDS = [
    "Score: ",
    "Score: 1. ",
    "Score: 1 (",
    "Score:\n",
    "Total: 1\n",
    "1+",
    "So the score is 2. ",
    "says:\nScore: 1\n",
]
WORDS += ["a:\n", "1. a. Score: 1\n", "**a**\n", "> ", "Final ", "Verdict: A tie ", "it ends with "]
MARKS = ["'a ", '"', "„", "«", "“a", "`\n", "```", "~~~", "**", "( ", "- ", " ", "\n\n ", "! ", "\ufffc", "<b", "<br  "]
TAGS = ["<answer>", "</answer>", "<answer_", "<think>", "<think></think>", "<score>", "<answer>9</answer><answer>"]
FORMS = [
    "[RESULT]   ",
    "[RESULT] 4 ",
    "[[A]] ",
    "[[",
    "\\boxed{",
    '{"score": ',
    '{"a":[',
    '["a",',
    "['a',",
    '{"\\',
    "{",
    "[",
]
ANSWERS = [
    "the answer is 8. ",
    "answer:\n",
    "#### 8\n",
    "**8** ",
    "\\frac{",
    "{a",
    "=8",
    "1/",
    "½",
    "is ",
    "the ",
    "-9 ",
    "(a) ",
]
PIECES = WORDS + MARKS + TAGS + FORMS + ANSWERS

Read = Callable[[str], object]


def readers() -> dict[str, Read]:
    """How each rubric and comparison reads an explained reply, and how answers are extracted, by name."""
    found: dict[str, Read] = {}
    for path in sorted((conf_folder() / "rubric").glob("*.yaml")):
        judge = validate(compose(["judge=rubric", f"rubric@judge.rubric={path.stem}"])).judge
        assert isinstance(judge, RubricSpec)
        found[path.stem] = judge.rubric.read
    for path in sorted((conf_folder() / "comparison").glob("*.yaml")):
        kind = "constitution" if path.stem == "by_principle" else "pairwise"
        judge = validate(compose([f"judge={kind}", f"comparison@judge.comparison={path.stem}"])).judge
        assert isinstance(judge, PairwiseSpec)
        found[path.stem] = partial(judge.comparison.read, explained=True)
    for match in ("exact", "numeric", "set"):
        prompt = make_prompt(
            "What is 3 + 5?", system="", stratum="closed", source="bench", references=("8",), match=match
        )
        found[f"answer, {match}"] = partial(read_answer, prompt=prompt)
    return found


def seconds(read: Read, piece: str, size: int) -> float:
    text = piece * (size // len(piece))
    started = time.perf_counter()
    read(text)
    return time.perf_counter() - started


def main() -> None:
    """Prints the table."""
    print(f"{'reader':<20} {'worst piece':<24} {'10k':>8} {'30k':>8} {'100k':>8}  slope")
    for name, read in readers().items():
        times = {piece: [seconds(read, piece, size) for size in SIZES] for piece in PIECES}
        worst = max(PIECES, key=lambda piece: times[piece][-1])
        slope = math.log(times[worst][2] / times[worst][1]) / math.log(SIZES[2] / SIZES[1])
        print(f"{name:<20} {worst!r:<24} {' '.join(f'{one:8.3f}' for one in times[worst])}  {slope:.2f}")


if __name__ == "__main__":
    main()
