"""Expressions have one form, and boxes balanced braces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.answers import extract_answer, is_right
from selfreward.answers.latex import boxes, expression
from tests.answers.asking import asking

SAME = [
    (r"\frac{3}{4}", [r"\dfrac{3}{4}", r"\tfrac34", "3/4", "$3/4$", r"\(\frac{3}{4}\)", r"\frac{ 3 }{ 4 }", "¾"]),
    (r"-\frac{1}{2}", [r"\frac{-1}{2}", "-1/2"]),
    (r"1\frac{1}{2}", ["1 1/2", "1½"]),
    (r"\frac{x+1}{2}", ["(x+1)/2", r"\dfrac{x + 1}{2}"]),
    (r"\frac{\sqrt{3}}{3}", [r"\frac{\sqrt3}{3}", "√3/3"]),
    (r"2\sqrt{3}", [r"2\sqrt3", "2√3", "2 sqrt(3)"]),
    (r"\left( 3, \frac{\pi}{2} \right)", [r"(3, \pi/2)", "(3,π/2)"]),
    ("[0,1)", [r"\left[0, 1\right)", "[0, 1)"]),
    (r"x^2+1", ["x^{2} + 1", "x² + 1", "$x^2+1$"]),
    (r"(-\infty, 2) \cup (3, \infty)", [r"(-\infty,2)\cup(3,\infty)"]),
    (r"6 - 5i", ["6-5i", "6 − 5i"]),  # noqa: RUF001
    (r"90^\circ", ["90", r"90^{\circ}", "90°"]),
    (r"10,\!080", ["10080", "10,080"]),
    (r"\$18.90", ["18.90", "$18.90"]),
    (r"50\%", ["50", "50%"]),
    (r"5\text{ cm}", ["5", r"5 \mbox{ cm}^2"]),
    ("x=5", ["5", "x = 5"]),
    (r"y = 2x + 3", ["2x+3", "y=2x+3"]),
    (r"\text{Evelyn}", ["Evelyn", "evelyn"]),
    (r"\text{(A)}", ["A", "(A)", r"\textbf{(A)}"]),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", [r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"]),
    ("1, 2, 3", ["1,2,3"]),
    ("21.0", ["21", "21.00"]),
]


@pytest.mark.parametrize(("reference", "others"), SAME)
def test_one_expression_has_one_form(reference: str, others: list[str]) -> None:
    for one in (reference, *others):
        prompt = asking("What is the value?", one)
        for other in (reference, *others):
            assert is_right(prompt, f"Well.\n\\boxed{{{other}}}") is True, (one, other)


@pytest.mark.parametrize("reference", [reference for reference, _ in SAME if "=" not in reference])
@pytest.mark.parametrize("form", ["@", "$@$", "The answer is $@$.", "Final answer: \\(@\\)"])
def test_an_expression_is_read_without_a_box(reference: str, form: str) -> None:
    assert is_right(asking("What is the value?", reference), form.replace("@", reference)) is True


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        (r"\frac{3}{4}", r"\frac{4}{3}"),
        (r"\frac{3}{4}", "3"),
        (r"\frac{3}{4}", "34"),
        ("(0,1)", "[0,1]"),
        ("(1,2)", "(2,1)"),
        ("x^2", "x2"),
        ("x+1", "1+x"),
        (r"2\frac{1}{2}", r"\frac{21}{2}"),
        (r"\sqrt{3}", "3"),
        (".5", "5"),
    ],
)
def test_another_expression_is_another(reference: str, other: str) -> None:
    assert is_right(asking("What is the value?", reference), f"\\boxed{{{other}}}") is False


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (r"\boxed{\frac{3}{4}}", [r"\frac{3}{4}"]),
        (r"\boxed{a} and \boxed{b}", ["a", "b"]),
        (r"\boxed{\boxed{a}}", [r"\boxed{a}"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"{ \fbox {a} }", ["a"]),
        (r"\boxed{ \boxed{a}", ["a"]),
        (r"$\boxed 5$", ["5"]),
        (r"\boxed{a", []),
        ("no box", []),
    ],
)
def test_a_box_ends_where_its_braces_do(text: str, held: list[str]) -> None:
    assert [content for *_, content in boxes(text)] == held


@pytest.mark.parametrize("text", ["Paris", "the day", "and/or", "10 days", "red, yellow", "", "...", ":)", "**bold**"])
def test_words_are_no_expression(text: str) -> None:
    assert expression(text) is None


ATOMS = st.sampled_from(["1", "2", "12", "x", "y", r"\pi", "0.5", r"\alpha"])
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda a, b: rf"\frac{{{a}}}{{{b}}}", inner, inner),
        st.builds(lambda a: rf"\sqrt{{{a}}}", inner),
        st.builds(lambda a, b: f"{a} + {b}", inner, inner),
        st.builds(lambda a, b: f"{a}^{{{b}}}", ATOMS, inner),
        st.builds(lambda a, b: rf"\left({a}, {b}\right)", inner, inner),
    ),
    max_leaves=5,
)


@given(FORMULAS)
def test_a_formula_is_read_alike_in_every_frame_and_is_its_own_answer(formula: str) -> None:
    prompt = asking("Which is it?", formula)
    frames = ["@", "$@$", r"\[ @ \]", r"\boxed{@}", r"So: $\boxed{@}$.", "The answer is $@$.", "Well.\n#### $@$"]
    read = {extract_answer(frame.replace("@", formula), prompt) for frame in frames}
    assert len(read) == 1
    (answer,) = read
    assert answer is not None
    assert extract_answer(answer, prompt) == answer
    assert is_right(prompt, formula) is True


@given(st.integers(-999, 999), st.integers(1, 999))
def test_a_fraction_is_compared_exactly(over: int, under: int) -> None:
    prompt = asking("How much is left?", f"{over}/{under}", match="numeric")
    sign = "-" if over < 0 else ""
    assert is_right(prompt, f"\\boxed{{{sign}\\frac{{{abs(over)}}}{{{under}}}}}") is True
    assert is_right(prompt, f"\\boxed{{\\frac{{{3 * over}}}{{{3 * under}}}}}") is True
    assert is_right(prompt, f"The answer is {over}/{under + 1}.") is (over == 0)
