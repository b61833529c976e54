"""Overlap: planted rewordings are caught, templates that ask something else are kept."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.data.embedded import load_everyday
from selfreward.data.overlap import find_overlaps, normal_form, slipped, wording_of

CASES = [json.loads(line) for line in Path(__file__).with_name("rewordings.jsonl").read_text().splitlines()]
REWORDED = [case for case in CASES if case["kind"] not in ("different", "deep")]
DIFFERENT = [case for case in CASES if case["kind"] == "different"]


def everyday(split: str) -> list[str]:
    return [prompt.messages[-1].content for prompt in load_everyday(split, "")]  # type: ignore[arg-type]


def caught(cases: list[dict[str, str]], beside: bool) -> set[int]:
    texts = [case["train"] for case in cases] + (everyday("train") if beside else [])
    protected = [case["held_out"] for case in cases] + (everyday("held_out") if beside else [])
    return {one.row for one in find_overlaps(texts, protected, 0.8) if one.row == one.other}


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside everyday questions"])
def test_rewordings_are_caught(beside: bool) -> None:
    hits = caught(REWORDED, beside)
    assert len(REWORDED) >= 50
    assert len(hits) / len(REWORDED) >= 0.95
    kinds, found = Counter(case["kind"] for case in REWORDED), Counter(REWORDED[row]["kind"] for row in hits)
    for kind in ("case", "punctuation", "contraction", "inflection", "politeness", "spelling", "number", "mixed"):
        assert found[kind] == kinds[kind], kind


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside everyday questions"])
def test_questions_that_differ_in_what_matters_are_kept(beside: bool) -> None:
    lost = [DIFFERENT[row]["train"] for row in sorted(caught(DIFFERENT, beside))]
    # Two words, one a slip of the other as far as anyone can tell without a dictionary.
    assert lost == ["What is the plural of dessert?", "Which county has the most lakes?"]


def test_of_the_everyday_templates_none_is_dropped() -> None:
    assert find_overlaps(everyday("train"), everyday("held_out"), 0.8) == []


def test_the_order_of_rows_changes_nothing() -> None:
    texts, protected = [case["train"] for case in CASES], [case["held_out"] for case in CASES]
    forward = {(texts[one.row], protected[one.other]) for one in find_overlaps(texts, protected, 0.8)}
    backward = find_overlaps(texts[::-1], protected[::-1], 0.8)
    assert {(texts[::-1][one.row], protected[::-1][one.other]) for one in backward} == forward


def test_without_near_only_equal_texts_count() -> None:
    (one,) = find_overlaps(["What's a lake?", "WHAT  is a lake"], ["What is a lake?"], None)
    assert (one.row, one.kind, one.similarity) == (1, "exact", 1.0)


@given(st.text(), st.text())
def test_any_text_can_be_compared(left: str, right: str) -> None:
    for one in find_overlaps([left], [right], 0.8):
        assert 0.8 <= one.similarity <= 1
    assert find_overlaps([left], [left], 0.8)[0].kind == "exact"


@pytest.mark.parametrize(
    ("left", "right"),
    [("3 + 4", "3 - 4"), ("3 * 4", "3 / 4"), ("कि", "की"), ("มา", "ม้า"), ("50%", "50")],
)
def test_signs_and_vowels_make_another_text(left: str, right: str) -> None:
    assert normal_form(left) != normal_form(right)
    assert find_overlaps([left], [right], 0.8) == []


def test_long_hostile_text_takes_no_long_time() -> None:
    for text in ("please " * 20_000, " " * 100_000 + "x", "can you " * 20_000, "-" * 100_000, "'" * 100_000):
        wording_of(text)
        normal_form(text)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("building", "bulding", True),
        ("person", "preson", True),
        ("insulin", "insullin", True),
        ("ireland", "iceland", False),
        ("gambia", "zambia", False),
        ("iran", "iraq", False),
        ("niger", "nigeria", False),
    ],
)
def test_a_slip_is_a_letter_lost_added_or_swapped(left: str, right: str, same: bool) -> None:
    assert slipped(left, right) is same
    assert slipped(right, left) is same
