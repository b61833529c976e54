"""One value has one form; a sign that belongs to something else is no number."""

import pytest

from selfreward.answers import extract_answer, is_right
from tests.answers.asking import asking

VALUE = asking("What is the value?", "0", match="numeric")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("21.0", "21"),
        ("$1,234,567.50", "1234567.5"),
        ("€ 5", "5"),
        ("5 €", "5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("−5", "-5"),  # noqa: RUF001
        ("50%", "50"),
        ("50 %", "50"),
        (".5", "0.5"),
        ("-0.50", "-0.5"),
        ("007", "7"),
        ("3/4", "0.75"),
        ("48/2", "24"),
        ("2/6", "1/3"),
        ("-1/3", "-1/3"),
        ("2 1/2", "2.5"),
        ("2½", "2.5"),
        ("½", "0.5"),
        (r"\frac{3}{4}", "0.75"),
        (r"1\frac{1}{2}", "1.5"),
        ("$1.5 million", "1500000"),
        ("5 thousand", "5000"),
        ("two hundred", "200"),
        ("twenty-one", "21"),
        ("5 km²", "5"),
        ("5 km^2", "5"),
        ("(8)", "8"),
        ("<<9*2=18>>18", "18"),
        ("9 * 2 = 18", "18"),
        ("3 \\times 6 = 18", "18"),
        ("The total is $18.50.", "18.5"),
        ("٢١", "21"),
        ("1" * 5000 + ".0", "1" * 5000),
    ],
)
def test_the_form_of_a_number(text: str, value: str) -> None:
    assert extract_answer(text, VALUE) == value


@pytest.mark.parametrize("text", ["10^6", "10:30", "1/2/2024", "5/0", "two hundred fifty", "7, 8", "(3, 4)", "x2"])
def test_what_is_not_one_number(text: str) -> None:
    assert extract_answer(text, VALUE) is None


def test_three_quarters_are_equal_however_they_are_written() -> None:
    written = [r"\frac{3}{4}", "3/4", "0.75", "6/8", "¾", r"\boxed{\dfrac{3}{4}}"]
    assert all(
        is_right(asking("What is left?", one, match="numeric"), other) for one in written[:-1] for other in written
    )
    assert not is_right(asking("What is left?", "1/3", match="numeric"), "0.333")
