"""What a question says already, which no answer to it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from selfreward.answers.choices import choices_of
from selfreward.answers.latex import plain
from selfreward.answers.numbers import numbers
from selfreward.answers.words import ARTICLES, clean, words

_POINTERS = words("it this that there here i think so and next")


@dataclass(frozen=True, slots=True)
class QuestionContent:
    """The words and numbers of a question, and the choices that it lists."""

    known: frozenset[str]
    numbers: frozenset[str]
    choices: Mapping[str, str]


@lru_cache(maxsize=256)
def asked_by(question: str) -> QuestionContent:
    """What `question` says; kept, as all candidates of a prompt share it."""
    cleaned = clean(plain(question))
    return QuestionContent(words(cleaned) | ARTICLES | _POINTERS, frozenset(numbers(cleaned)), choices_of(question))
