"""References that are cut out of worked answers, and numbers of a column."""

import json

import pytest

from selfreward.answers import is_right
from selfreward.data.columns import Columns, RowError
from selfreward.data.formats import read_row
from selfreward.data.row_prompts import cut_reference
from selfreward.records import Prompt


def prompt(row: dict[str, object], **columns: object) -> Prompt:
    (one,) = read_row("train", row, Columns.model_validate(columns), "")
    assert isinstance(one, Prompt)
    return one


@pytest.mark.parametrize(
    ("text", "pattern", "reference"),
    [
        (r"So $x = \boxed{\frac{3}{4}}$.", "boxed", r"\frac{3}{4}"),
        (
            r"\boxed{1}, then $\boxed{\left(2, \frac{1}{\sqrt{3}}\right)}$",
            "boxed",
            r"\left(2, \frac{1}{\sqrt{3}}\right)",
        ),
        (r"\fbox{ 7 }", "boxed", "7"),
        ("3 * 4 = <<3*4=12>>12\n#### 1,012", "hashes", "1,012"),
        ("#### Step 1\nCount.\n#### 12", "hashes", "12"),
        ("3 * 4\n#### 12", "#### (.*)", "12"),
    ],
)
def test_a_reference_is_cut_out(text: str, pattern: str, reference: str) -> None:
    assert cut_reference(text, pattern) == reference
    assert prompt({"problem": "How much?", "solution": text}, reference_pattern=pattern).references == (reference,)


@pytest.mark.parametrize(
    ("text", "pattern", "message"),
    [
        (r"So it is \boxed{3", "boxed", r"an answer without 'boxed' \('So it is .*change columns.reference_pattern"),
        ("It is 12.", "hashes", "an answer without 'hashes'"),
        ("It is 12.", "#### (.*)", "an answer without '#### "),
        (
            ",".join("1234567890" * 4),
            "(?:.*?,){16}(P)",
            "cannot be cut: the pattern .* set columns.reference_pattern to boxed or hashes",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_line(text: str, pattern: str, message: str) -> None:
    with pytest.raises(RowError, match=message) as caught:
        cut_reference(text, pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("match", ["numeric", "exact"])
def test_a_whole_float_of_a_column_is_a_whole_number(match: str) -> None:
    """The layout of SVAMP, whose answers are floats."""
    row = json.loads('{"question": "Each pack of dvds costs 76 dollars. What are 3 with 7 off?", "answer": 221.0}')
    one = prompt(row, match=match)
    assert one.references == ("221",)
    assert is_right(one, "They cost 221 dollars.\n#### 221") is True
    assert prompt({"question": "How much?", "answer": 2.5}, match=match).references == ("2.5",)
    assert is_right(prompt({"question": "How much?", "answer": "221.0"}, match=match), "The answer is 221.") is True


def test_a_reference_in_latex_is_a_number() -> None:
    one = prompt(
        {"problem": "How much?", "solution": r"\boxed{\frac{3}{4}}"}, reference_pattern="boxed", match="numeric"
    )
    assert [is_right(one, text) for text in ("0.75", "3/4", r"\boxed{\dfrac{6}{8}}", "0.7")] == [
        True,
        True,
        True,
        False,
    ]


def test_columns_know_their_named_cuts() -> None:
    assert Columns(reference_pattern="boxed").reference_pattern == "boxed"
    with pytest.raises(ValueError, match="has 0 groups: name boxed or hashes, or put parentheses"):
        Columns(reference_pattern="box")
