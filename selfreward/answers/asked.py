"""What a question says already, which no answer to it is made of, and the choices that it lists."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from selfreward.answers.latex import plain
from selfreward.answers.numbers import numbers
from selfreward.answers.words import ARTICLES, clean, normalise, trimmed, words

_POINTERS = words("it this that there here i think so and next")
_MARKER = re.compile(r"(?:^[ \t]*\(?([A-Ja-j])[).:]|(?<!\w)\(([A-Ja-j])\)|(?<!\w)([A-Ja-j])\))[ \t]*", re.MULTILINE)
BRACKETED = re.compile(r"\(\s?([A-Ja-j])\s?\)")
"""The letter of a choice in brackets, which is no aside."""


@dataclass(frozen=True)
class QuestionContent:
    """The words and numbers of a question, and the choices that it lists; each is read when it is first asked for."""

    question: str

    @cached_property
    def known(self) -> frozenset[str]:
        """The words of the question, and those that say nothing."""
        return words(self._cleaned) | ARTICLES | _POINTERS

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers of the question."""
        return frozenset(numbers(self._cleaned))

    @cached_property
    def choices(self) -> Mapping[str, str]:
        """The texts of the choices by their letters, normalised."""
        return _choices_of(self.question)

    @cached_property
    def _cleaned(self) -> str:
        return clean(plain(self.question))

    def choice(self, piece: str) -> str | None:
        """The letter of the choice that `piece` names, so that "(B)", "B) Paris" and "Paris" are one; None for none."""
        said = {normalise(piece), trimmed(piece) or ""} if self.choices else set()
        for letter, text in self.choices.items():
            if said & {letter, text, f"{letter} {text}", f"option {letter}"} - {""}:
                return letter
        return None


@lru_cache(maxsize=256)
def asked_by(question: str) -> QuestionContent:
    """What `question` says; kept, as all candidates of a prompt share it."""
    return QuestionContent(question)


def _choices_of(question: str) -> Mapping[str, str]:
    """The letters of the choices in `question` and their texts, normalised; empty unless they run from A to B or on."""
    found = list(_MARKER.finditer(question))
    letters = "".join(one[1] or one[2] or one[3] for one in found).lower()
    first = max(letters.find("a"), 0)
    found, letters = found[first:], letters[first:]
    if len(letters) < 2 or not "abcdefghij".startswith(letters):
        return {}
    ends = [one.start() for one in found[1:]] + [len(question)]
    texts = [question[one.end() : end].split("\n", 1)[0] for one, end in zip(found, ends, strict=True)]
    return {letter: normalise(text) for letter, text in zip(letters, texts, strict=True)}
