"""English is told from other languages by letters and common words; what cannot be told is let pass."""

import pytest

from selfreward.data.embedded import everyday_rows
from selfreward.writing.language import is_english


def test_every_everyday_question_is_english() -> None:
    assert [row["question"] for row in everyday_rows() if not is_english(row["question"])] == []


@pytest.mark.parametrize(
    "text",
    [
        "What is 3 + 5?",
        "17 * 4 =",
        "Summarize photosynthesis.",
        'Translate "où est la bibliothèque de la ville" into English.',
        "Explain what the German word «Schadenfreude» means and how it is used.",
        "Write a naïve résumé for a café owner.",
    ],
)
def test_english_passes(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Was ist die Hauptstadt von Frankreich?",
        "Wer war in dem Haus am See?",
        "Quelle est la capitale de l'Italie ?",
        "¿Cuál es la capital de España?",
        "Qual è la capitale della Francia?",
        "Qual é a capital do Brasil?",
        "Wat is de hoofdstad van Nederland?",
        "Какая столица Франции?",
        "法国的首都是什么",
        "ما هي عاصمة فرنسا؟",
        "Jaka jest największa rzeka płynąca przez Warszawę?",
    ],
)
def test_other_languages_do_not(text: str) -> None:
    assert not is_english(text)
