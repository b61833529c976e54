"""The choices that a question lists, so that "(B)", "B) Paris" and "Paris" are one answer."""

import re
from collections.abc import Mapping

from selfreward.answers.words import normalise, trimmed

_MARKER = re.compile(r"(?:^[ \t]*\(?([A-Ja-j])[).:]|(?<!\w)\(([A-Ja-j])\)|(?<!\w)([A-Ja-j])\))[ \t]*", re.MULTILINE)
_BRACKETED = re.compile(r"\(\s?([A-Ja-j])\s?\)")


def choices_of(question: str) -> Mapping[str, str]:
    """The letters of the choices in `question` and their texts, normalised; empty unless they run from A to B or on."""
    found = list(_MARKER.finditer(question))
    letters = [(one[1] or one[2] or one[3]).lower() for one in found]
    first = next((place for place, one in enumerate(letters) if one == "a"), len(letters))
    found, letters = found[first:], letters[first:]
    if len(letters) < 2 or letters != [chr(ord("a") + place) for place in range(len(letters))]:
        return {}
    ends = [one.start() for one in found[1:]] + [len(question)]
    texts = [question[one.end() : end].split("\n", 1)[0] for one, end in zip(found, ends, strict=True)]
    return {letter: normalise(text) for letter, text in zip(letters, texts, strict=True)}


def bare_letters(text: str) -> str:
    """`text` with (B) as B), which is no aside."""
    return _BRACKETED.sub(r" \1) ", text)


def choice(piece: str, choices: Mapping[str, str]) -> str | None:
    """The letter of the choice that `piece` names by its letter, its text or both; None where it names none."""
    said = {normalise(piece), trimmed(piece) or ""}
    for letter, text in choices.items():
        if said & {letter, text, f"{letter} {text}", f"option {letter}"} - {""}:
            return letter
    return None
