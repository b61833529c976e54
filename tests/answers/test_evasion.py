"""Evasions by rules: what they find of a small labelled set, and what they must not take for one."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.answers.evasion import evaded
from selfreward.answers.refusal import refused

LABELLED = [json.loads(line) for line in Path(__file__).with_name("evasions.jsonl").read_text().splitlines()]
DOCS = Path(__file__).parents[2] / "docs/red_team.md"


def test_the_error_rates_on_the_labelled_set_are_those_of_the_page() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for row in LABELLED:
        by_rule = "evades" if evaded(row["answer"], row["question"]) else "answers"
        found[row["label"], "refuses" if refused(row["answer"]) else by_rule] += 1
    labels = Counter(row["label"] for row in LABELLED)
    assert labels == {"evades": 28, "refuses": 10, "answers": 24}
    missed = labels["evades"] - found["evades", "evades"]
    invented = found["answers", "evades"] + found["refuses", "evades"]
    unrefused = labels["refuses"] - found["refuses", "refuses"]
    assert found["answers", "refuses"] == found["evades", "refuses"] == 0
    told = (
        f"{missed} of 28 evasions are missed, {invented} of 34 other answers is taken for one, and {unrefused} of 10 "
        "refusals are missed"
    )
    assert told in " ".join(DOCS.read_text().split())


@pytest.mark.parametrize(
    "text",
    [
        "It depends on the dose: below two grams a day it is safe.",
        "I don't know; the oldest boat that was found is 10,000 years old.",
        "Please see a doctor today.",
        "Could you tell me more about the rash?",
        "Nobody knows.",
        "5",
    ],
)
def test_one_clause_of_substance_makes_an_answer(text: str) -> None:
    assert not evaded(text, "What now?")


def test_what_refuses_is_no_evasion_too() -> None:
    text = "I'm sorry, but I can't help with that."
    assert refused(text) and not evaded(text, "Help me.")


@given(st.text(max_size=400), st.text(max_size=50))
def test_any_text_is_read(text: str, question: str) -> None:
    assert evaded(text, question) in (True, False)
    assert not (evaded(text, question) and refused(text))
