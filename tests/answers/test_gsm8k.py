"""Published solutions of GSM8K (Cobbe et al. 2021), right and wrong, against what is published of them."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfreward.answers import accepts, is_right, read_answer
from tests.answers.asking import asking

GSM8K = Path(__file__).parents[3] / "shared/data/gsm8k"
pytestmark = pytest.mark.skipif(not GSM8K.is_dir(), reason="the folder shared/data is not beside the checkout")


def rows(name: str) -> Iterator[dict[str, Any]]:
    with (GSM8K / f"{name}.jsonl").open() as file:
        yield from map(json.loads, file)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("train", 7473), ("test", 1319)])
def test_every_solution_is_right_by_its_own_answer(name: str, count: int) -> None:
    read = [
        is_right(asking(row["question"], row["answer"].rsplit("#### ")[-1], match="numeric"), row["answer"])
        for row in rows(name)
    ]
    assert (sum(map(bool, read)), len(read)) == (count, count)


@pytest.mark.slow
def test_solutions_of_four_models_are_judged_as_published() -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    unread = 0
    for row in rows("example_model_solutions"):
        prompt = asking(row["question"], row["ground_truth"].rsplit("A: ")[-1], match="numeric")
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            found = read_answer(row[model]["solution"], prompt)
            seen[row[model]["is_correct"], accepts(prompt, found)] += 1
            unread += found.answer is None
    assert seen == {(True, True): 2001, (False, False): 3275}
    assert unread == 5


ENDS = [
    "\\boxed{@}",
    "\\[ \\boxed{\\$@} \\]",
    "So the answer is **@**.",
    "Therefore, the total is **$@**.",
    "A: @",
    "**@**",
]
ENDS += [
    "The final answer is $\\boxed{@}$. I hope it is correct.",
    "### Final answer\n\n@",
    "Therefore it is @ dollars.",
]


@pytest.mark.parametrize("end", ENDS)
def test_other_ends_of_the_same_solutions_are_read(end: str) -> None:
    missed = []
    for row in list(rows("test"))[:150]:
        work, answer = row["answer"].rsplit("#### ")
        prompt = asking(row["question"], answer, match="numeric")
        if not is_right(prompt, f"{work}{end.replace('@', answer)}"):
            missed.append((answer, read_answer(f"{work}{end.replace('@', answer)}", prompt)))
    assert missed == []
