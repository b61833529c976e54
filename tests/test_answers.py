"""A reply is judged by what it commits to, not by the words it mentions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.answers import extract_answer, is_right
from selfreward.answers.latex import expression
from selfreward.answers.words import normalise
from selfreward.records import Match, Prompt, make_prompt


def _prompt(question: str, *references: str, match: Match | None = "exact") -> Prompt:
    return make_prompt(
        question, system="Be brief.", stratum="closed", source="test", references=references, match=match
    )


CAPITAL = _prompt("What is the capital of France?", "Paris")
OPPOSITE = _prompt('What is the opposite of "hot"?', "cold")
PLURAL = _prompt("What is the plural of mouse?", "mice")
SHEEP = _prompt("What is the plural of sheep?", "sheep")
PENGUIN = _prompt("Is a penguin a fish, a bird or a mammal?", "bird")
YOUNG = _prompt("What is a young dog called?", "puppy", "pup")
LANGUAGE = _prompt("What is the main language spoken in France?", "French")
CONTINENT = _prompt("Which continent is South Africa in?", "Africa")
FRUIT = _prompt("What colour is an orange?", "orange")
MEXICO = _prompt("What is the capital of Mexico?", "Mexico City")
UNITED_STATES = _prompt("What is the capital of the United States?", "Washington", "Washington, D.C.")
WORD = _prompt("How do you write the number 4 as a word?", "four")
DAY = _prompt("What day comes right after Monday?", "Tuesday")
SUM = _prompt("What is 3 + 5?", "8", match="numeric")
SAME = _prompt("What is 10 - 5?", "5", match="numeric")
LEGS = _prompt("How many legs does a spider have?", "8", match="numeric")
SECONDS = _prompt("How many seconds are in one minute?", "60", match="numeric")
WEEK = _prompt("How long is a week?", "7 days")
METRES = _prompt("How many metres are in a kilometre?", "1000", match="numeric")
COLOURS = _prompt("Name the three primary colours of paint.", "red", "yellow", "blue", match="set")
WEEKEND = _prompt("Which two days are the weekend?", "Saturday", "Sunday", match="set")

RIGHT = [
    (CAPITAL, "Paris"),
    (CAPITAL, "PARIS."),
    (CAPITAL, "**Paris**"),
    (CAPITAL, "The capital of France is Paris."),
    (CAPITAL, "Paris is the capital of France."),
    (CAPITAL, "Paris is the capital city of France. It lies on the Seine."),
    (CAPITAL, "Sure! The capital of France is **Paris**, which lies on the Seine."),
    (CAPITAL, "The capital of France is:\n\nParis"),
    (CAPITAL, "Paris, France"),
    (CAPITAL, "Paris (France)."),
    (CAPITAL, "It's Paris."),
    (CAPITAL, "What is the capital of France? The capital of France is Paris."),
    (CAPITAL, "Let me think about cities. The answer is Paris."),
    (CAPITAL, "1. Paris"),
    (MEXICO, "The capital of Mexico is Mexico City."),
    (UNITED_STATES, "The capital is Washington, D.C. It lies on the Potomac."),
    (UNITED_STATES, "Washington, D.C. is the capital of the United States."),
    (OPPOSITE, 'The opposite of "hot" is "cold".'),
    (OPPOSITE, "The opposite of “hot” is ‘cold’."),  # noqa: RUF001
    (OPPOSITE, "Cold, which means a low temperature."),
    (OPPOSITE, "It is **cold** because hot means warm."),
    (OPPOSITE, "Cold - the feeling of low temperature"),
    (OPPOSITE, "cold, not warm"),
    (OPPOSITE, "The opposite of hot would be the word cold."),
    (OPPOSITE, "I think it is cold."),
    (PLURAL, "Mice."),
    (PLURAL, "mice\nmouses\nmeese"),
    (PLURAL, "The plural of mouse is mice."),
    (YOUNG, "A young dog is called a puppy."),
    (YOUNG, "A pup."),
    (LANGUAGE, "French is spoken in France."),
    (LANGUAGE, "The language which is spoken in France is French, which is lovely."),
    (LANGUAGE, "In France, French is spoken."),
    (LANGUAGE, "The French language"),
    (CONTINENT, "South Africa is located on the continent of Africa."),
    (SHEEP, "The plural form of sheep is also sheep."),
    (PENGUIN, "A penguin is a bird that cannot fly."),
    (PENGUIN, "A penguin is a bird, not a fish."),
    (FRUIT, "An orange is orange."),
    (FRUIT, "Orange in color."),
    (WORD, 'The number 4 is written as "four".'),
    (DAY, "Tuesday comes right after Monday."),
    (DAY, "Tuesday comes next."),
    (DAY, "The day that comes right after Monday is Tuesday."),
    (DAY, "The day right after Monday is Tuesday."),
    (SUM, "8"),
    (SUM, "8."),
    (SUM, "eight"),
    (SUM, "3 + 5 = 8"),
    (SUM, "3 plus 5 equals 8, so the sum is 8."),
    (SUM, "If you add 3 and 5 you get 8."),
    (SUM, "The sum of 3 and 5 is **8**."),
    (SUM, "3 + 5 = 9? Let me see. The answer is 8.0"),
    (SAME, "10 - 5 = 5"),
    (SAME, "10 minus 5 is 5."),
    (LEGS, "A spider has eight legs."),
    (LEGS, "8 legs is what a spider has."),
    (SECONDS, "60 seconds is one minute."),
    (SECONDS, "There are sixty seconds in one minute."),
    (METRES, "There are 1,000 metres in a kilometre."),
    (METRES, "A thousand."),
    (WEEK, "7 days"),
    (WEEK, "The answer is 7 days."),
    (COLOURS, "Red, yellow, and blue."),
    (COLOURS, "The three primary colors of paint are blue, red and yellow."),
    (COLOURS, "Red, yellow and blue are the three primary colours."),
    (COLOURS, "The primary colours are:\n\n1. **Red**\n2. Blue\n3. Yellow: like the sun"),
    (COLOURS, "red\nblue\nyellow"),
    (WEEKEND, "Saturday & Sunday, because nobody works then."),
]

WRONG = [
    (CAPITAL, ""),
    (CAPITAL, "..."),
    (CAPITAL, "Lyon"),
    (CAPITAL, "Paris?"),
    (CAPITAL, "France is a country with many cities such as Paris, Lyon and Nice."),
    (CAPITAL, "1. Paris\n2. Lyon\n3. Nice"),
    (CAPITAL, "The capital of France is:\n- Paris\n- Lyon"),
    (CAPITAL, "The capital of France is one of Paris or Lyon."),
    (CAPITAL, "The answer is Paris. On reflection, the answer is Lyon."),
    (CAPITAL, "The capital of France is Lyon.\nParis"),
    (CAPITAL, "I cannot say that it is Paris."),
    (OPPOSITE, "not cold"),
    (OPPOSITE, "The opposite of hot is not cold."),
    (OPPOSITE, "The opposite of hot isn't cold."),
    (OPPOSITE, "Hot."),
    (OPPOSITE, "The word hot can be used in many ways, cold, warm, and so on."),
    (OPPOSITE, "cold, warm, freezing"),
    (OPPOSITE, "cold or warm"),
    (OPPOSITE, "It might be cold."),
    (OPPOSITE, "I don't know if it is cold."),
    (OPPOSITE, "The opposite of hot is warm, which is less than cold."),
    (PLURAL, "The plural of mouse is mouses. Some say mice."),
    (PENGUIN, "A fish, a bird or a mammal."),
    (PENGUIN, "A penguin is a fish that resembles a bird."),
    (SUM, "9"),
    (SUM, "3 + 5"),
    (SUM, "The answer is 8 or 9."),
    (SUM, "7, 8, 9"),
    (SUM, "Adding is fun. 8 is a number."),
    (SUM, "3 + 5 is not 8."),
    (SAME, "10 - 5 = 4"),
    (LEGS, "A spider has many legs."),
    (LEGS, "eighty"),
    (LEGS, "-8"),
    (METRES, "one hundred"),
    (COLOURS, "Red and yellow."),
    (COLOURS, "Red, yellow, blue and green."),
    (COLOURS, "Colours are lovely. Red, yellow, blue."),
    (COLOURS, "The three primary colours are not red, yellow and blue."),
    (WEEKEND, ""),
]


@pytest.mark.parametrize(("prompt", "text"), RIGHT)
def test_a_committed_right_answer_counts(prompt: Prompt, text: str) -> None:
    assert is_right(prompt, text) is True, extract_answer(text, prompt)


@pytest.mark.parametrize(("prompt", "text"), WRONG)
def test_a_wrong_or_missing_commitment_does_not(prompt: Prompt, text: str) -> None:
    assert is_right(prompt, text) is False, extract_answer(text, prompt)


@pytest.mark.parametrize(
    ("prompt", "text", "answer"),
    [
        (CAPITAL, "The capital of France is Lyon.", "lyon"),
        (CAPITAL, "France is a lovely country with many old cities.", None),
        (OPPOSITE, "It is not cold.", None),
        (SUM, "3 + 5 = 1,234.50", "1234.5"),
        (SUM, "twenty-one", "21"),
        (SUM, "no idea", None),
        (COLOURS, "Green, Blue", "blue, green"),
    ],
)
def test_the_extracted_answer(prompt: Prompt, text: str, answer: str | None) -> None:
    assert extract_answer(text, prompt) == answer


def test_without_a_match_there_is_no_verdict() -> None:
    assert is_right(_prompt("Tell me a story.", match=None), "Once upon a time.") is None


def test_a_pattern_must_cover_the_whole_answer() -> None:
    prompt = _prompt("Name a month with the letter J.", "Ju(ne|ly)", match="regex")
    assert is_right(prompt, "The month is July.") is True
    assert is_right(prompt, "Julius") is False


def test_the_references_play_no_part_in_the_extraction() -> None:
    other = _prompt("What is the capital of France?", "Lyon")
    for _, text in RIGHT + WRONG:
        assert extract_answer(text, other) == extract_answer(text, CAPITAL)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  The  **Mexico City**. ", "mexico city"),
        ("“Brasília”", "brasilia"),
        ("Washington, D.C.", "washington dc"),
        ("twenty-one", "twenty one"),
        ("1,000", "1000"),
        ("A", "a"),
        ("don’t", "don't"),  # noqa: RUF001
    ],
)
def test_the_normal_form(text: str, form: str) -> None:
    assert normalise(text) == form


PIECES = [
    *("the", "a", "capital", "of", "France", "Paris", "cold", "word", "city", "D.C.", "red,", "yellow,", "(hot)"),
    *("is", "are", "it's", "called", "answer", "not", "which", "because", "and", "Sure!"),
    *("three", "3", "+", "5", "=", "8", "1,000", "-", "-4", "1.", ",", ".", ":", ";", "?", "\n", "*", "**"),
]
replies = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))


@given(replies)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(replies, st.sampled_from([CAPITAL, OPPOSITE, SUM]))
def test_an_extracted_answer_is_its_own_answer(text: str, prompt: Prompt) -> None:
    answer = extract_answer(text, prompt)
    if answer is not None:
        assert extract_answer(answer, prompt) == answer


def test_letters_with_signs_are_whole_words() -> None:
    capital = _prompt("भारत की राजधानी क्या है?", "नई दिल्ली")
    assert is_right(capital, "राजधानी: नई दिल्ली")
    assert extract_answer("ना = भारत की राजधानी", capital) == "ना", "made of the question's letters, it is another word"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2), st.integers(0, 3))
def test_one_value_has_one_form(value: Decimal, zeros: int) -> None:
    longer = f"{value:f}{'0' * zeros}"
    answer = extract_answer(longer, SUM)
    assert answer == extract_answer(f"{value:f}", SUM) is not None
    assert Decimal(answer) == value
    assert "." not in answer or not answer.endswith("0")


def test_whole_numbers_are_written_without_a_point() -> None:
    said = [
        extract_answer(text, SUM) for text in ("8.0", "It is 8.", "eight", "-0", "123456789012345678901234567890.0")
    ]
    assert said == ["8", "8", "8", "0", "123456789012345678901234567890"]


@given(st.lists(st.sampled_from(["red", "light blue", "a", "green", "5"]), min_size=1))
def test_a_set_is_its_own_answer_in_any_order(members: list[str]) -> None:
    answer = extract_answer(", ".join(members), COLOURS)
    assert answer == ", ".join(sorted(set(members)))
    assert extract_answer(answer, COLOURS) == answer


@given(replies)
def test_an_exact_answer_is_short_and_normal(text: str) -> None:
    answer = extract_answer(text, CAPITAL)
    if answer is not None:
        assert answer in (normalise(answer), expression(answer))
        assert 1 <= len(answer.split()) <= 4
