"""The final forms in which replies give their answer, and replies that give several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.answers import distinct_key, extract_answer, is_right, read_answer
from tests.answers.asking import EGGS, asking

JANET = asking(EGGS, "18", match="numeric")
CAPITAL = asking("What is the capital of France?", "Paris")
CHOICE = asking("Which is the capital of France?\n(A) Rome\n(B) Paris\n(C) Lyon", "B")
MONTHS = asking("Name a month with the letter J.", "ju(ne|ly)", match="regex")
PAINT = asking("Name the three primary colours of paint.", "red", "yellow", "blue", match="set")
WORK = "16-3-4=9 eggs.\n9 * 2 = 18 dollars.\n"

EIGHTEEN = [
    "16-3-4=9 eggs.\n#### 18",
    f"{WORK}#### 18",
    f"{WORK}#### $18.00",
    f"{WORK}#### **18**",
    f"{WORK}#### 18 dollars\n\nQuestion: What is 2 + 2?",
    f"{WORK}So Janet makes **$18**",
    "She has **9 eggs** left.\n\nSo Janet makes **$18** every day.",
    f"{WORK}\\boxed{{18}}",
    f"{WORK}$$\\boxed{{\\$18}}$$",
    f"{WORK}\\[ \\boxed{{18\\text{{ dollars}}}} \\]",
    f"{WORK}Therefore, the final answer is $\\boxed{{18}}$. I hope it is correct.",
    f"{WORK}\\fbox{{18}}",
    f"{WORK}The answer is 18.",
    f"{WORK}The answer is \\(18\\).",
    f"{WORK}The correct answer is (18).",
    f"{WORK}The answer to the question is $18 per day, because 9 * 2 = 18.",
    f"{WORK}**Answer: \\$18 per day.**",
    f"{WORK}**Answer:** 18",
    f"{WORK}### Final answer\n\n18",
    f"{WORK}Final Answer: 18 dollars",
    f"{WORK}A: 18",
    f"{WORK}Answer = 18",
    f"{WORK}18",
    f"{WORK}**$18**",
    f"{WORK}18 is the answer.",
    f"{WORK}Therefore, Janet makes 9 * 2 = $18 every day.",
    f"{WORK}Hence she makes eighteen dollars.",
    "1. Count the eggs: 16 - 3 - 4 = 9\n2. Sell them: 9 * 2 = 18\n\nSo she makes $18.",
    "Step 1: Find the eggs.\nStep 2: Sell them.\nThe answer is 18.",
    "If the answer is 9, she sells eggs. The answer is 18.",
    "Is the answer 9? The answer is not 9. The answer is 18.",
    "The answer is 9 eggs.\nThe final answer is 18.",
    "The answer is 9.\n\\boxed{18}",
]
UNREAD = [
    "It is \\boxed{9}, or \\boxed{18}.",
    "#### 9\n#### 18",
    "The answer is 9. On reflection, the answer is 18.",
    "\\boxed{18}\nNo, the answer is 9.",
    "The final answer is 9.\n#### 18",
    "She has **9 eggs** and makes **$18**.",
    WORK,
]
NO_ANSWER = [
    f"{WORK}\\boxed{{18",
    f"{WORK}\\boxed{{}}",
    "The answer is not 18.",
    "The answer is 18 or 19.",
    "#### Step 1: Count\nThere are eggs.\n#### Step 2: Sell 18 of them",
    "Janet's ducks lay 16 eggs per day. She sells 9.",
]


@pytest.mark.parametrize("text", EIGHTEEN)
def test_the_final_answer_is_read(text: str) -> None:
    assert extract_answer(text, JANET) == "18" and is_right(JANET, text) is True


@pytest.mark.parametrize("text", UNREAD)
def test_answers_at_odds_are_unread_and_told(text: str) -> None:
    found = read_answer(text, JANET)
    assert found.answer is None
    assert sorted(found.at_odds) == ["18", "9"]
    assert is_right(JANET, text) is False
    assert distinct_key(JANET, text) == text


@pytest.mark.parametrize("text", NO_ANSWER)
def test_a_reply_that_commits_to_nothing_has_no_answer(text: str) -> None:
    assert extract_answer(text, JANET) is None


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{Paris}",
        "\\boxed{\\text{Paris}}",
        "Let me think.\n#### Paris",
        "**Answer**: Paris",
        "France is a country in Europe with a long and lively history. Its capital is **Paris**.",
        "The capital of France, a country in Europe that many people visit, is **Paris**, on the Seine.",
        "The capital of France is the lovely **Paris**.",
        "It is not **Lyon**. It is **Paris**.",
        "Lyon is large, so the answer is Paris.",
        "1. Rome is in Italy.\n2. Lyon is no capital.\n\nThe answer is Paris.",
    ],
)
def test_words_are_read_in_the_same_forms(text: str) -> None:
    assert extract_answer(text, CAPITAL) == "paris"


@pytest.mark.parametrize(
    "text",
    [
        "The capital of France is Lyon. **Paris** is larger.",
        "It is not **Paris**.",
        "1. **Paris**\n2. Lyon",
        "\\boxed{Paris or Lyon}",
        "\\boxed{Lyon} but Paris is larger",
        "I don't think the answer is Paris.",
    ],
)
def test_a_text_that_only_mentions_the_reference_is_not_right(text: str) -> None:
    assert is_right(CAPITAL, text) is False, read_answer(text, CAPITAL)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "B",
            "(B)",
            "b.",
            "**B**",
            "[B]",
            "[[B]]",
            "$B$",
            "B) Paris",
            "(B) Paris",
            "**(B)** Paris",
            "Option B",
            "Paris",
        ),
        *("The answer is (B).", "The answer is (B) Paris.", "The correct option is B.", "Answer: B", "\\boxed{B}"),
        *(
            "\\boxed{\\text{(B)}}",
            "\\boxed{\\textbf{(B)}\\ Paris}",
            "(B) is the correct answer.",
            "I would choose (B).",
        ),
        *("Rome is in Italy, so the answer is B.", "The capital of France is Paris.", "#### B", "A: (B)"),
    ],
)
def test_a_choice_is_its_letter_or_its_text(text: str) -> None:
    for reference in ("B", "(B)", "Paris", "(B) Paris", "b)"):
        assert is_right(asking(CHOICE.messages[-1].content, reference), text) is True, read_answer(text, CHOICE)


@pytest.mark.parametrize("text", ["(A)", "Rome", "(A) or (B)", "The answer is (A). The answer is (B).", "not (B)", "C"])
def test_another_choice_or_several_are_wrong(text: str) -> None:
    assert is_right(CHOICE, text) is False


def test_a_letter_in_brackets_needs_no_list_of_choices() -> None:
    letter = asking("Which option is right?", "B")
    assert [is_right(letter, text) for text in ("(B)", "The answer is (B).", "[B]", "(C)")] == [True, True, True, False]
    assert extract_answer("Paris (B)", CAPITAL) == "paris"


def test_patterns_and_sets_are_read_from_marks_too() -> None:
    assert is_right(MONTHS, "Many have one.\n\\boxed{\\text{July}}") is True
    assert is_right(MONTHS, "The answer is June. The answer is July.") is False
    assert is_right(PAINT, "Of all colours:\n\\boxed{\\text{red, yellow and blue}}") is True
    assert is_right(PAINT, "Many.\n#### blue, red, yellow") is True
    assert is_right(PAINT, "\\boxed{red}\nred, yellow, blue") is False


FORMS = [
    *(
        "@",
        "**@**",
        "It is @.",
        "The answer is @.",
        "#### @",
        "\\boxed{@}",
        "$\\boxed{@}$",
        "Answer: @",
        "The sum is:\n@",
    ),
    *("Well.\n#### @", "Let me think.\nThe final answer is \\boxed{@}.", "So it is @.", "The correct answer is **@**."),
]


@given(st.decimals(-(10**7), 10**7, places=2), st.sampled_from(FORMS), st.booleans())
def test_an_echo_of_a_number_is_right(value: object, form: str, grouped: bool) -> None:
    written = f"{value:,}" if grouped else f"{value}"
    prompt = asking("What is the sum?", str(value), match="numeric")
    assert is_right(prompt, form.replace("@", written)) is True, read_answer(form.replace("@", written), prompt)


NAMES = st.text("bcdefghjklmnopqrstuvwxyz", min_size=4, max_size=9)
MENTIONS = [
    "The opposite is @ or ~.",
    "Not @.",
    "~. Some say @.",
    "The answer is ~. I was told @.",
    "\\boxed{~} as to @",
]


@given(NAMES, NAMES, st.sampled_from(FORMS), st.sampled_from(MENTIONS))
def test_an_echo_of_words_is_right_and_a_mention_is_not(name: str, other: str, form: str, mention: str) -> None:
    prompt = asking("What is it?", name)
    assert is_right(prompt, form.replace("@", name)) is True
    if name != other:
        assert is_right(prompt, mention.replace("@", name).replace("~", other)) is False


@given(st.lists(st.sampled_from(["9", "18", "27"]), min_size=2, max_size=4), st.sampled_from(["\\boxed{@}", "#### @"]))
def test_marks_are_read_exactly_where_all_agree(values: list[str], form: str) -> None:
    found = read_answer("\n".join(form.replace("@", value) for value in values), JANET)
    assert found.answer == (values[0] if len(set(values)) == 1 else None)
    assert set(found.at_odds) == (set() if found.answer else set(values))
