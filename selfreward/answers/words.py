"""The form that words are compared in. Every step takes time that grows with the length of the text alone."""

import re
import unicodedata
from functools import lru_cache
from itertools import dropwhile

import regex

LONGEST = 4
"""Words in the longest short answer."""

ARTICLES = frozenset({"a", "an", "the"})


_WORD = regex.compile(r"(?:[\p{L}\p{N}]\p{M}*)+")


def words(text: str) -> frozenset[str]:
    """The distinct words of `text`; a letter and the signs that it carries are one."""
    return frozenset(_WORD.findall(text))


_LABELS = words(
    "answer word letter number digit day month color colour language continent city country kind type form material "
    "option choice"
)
_FILLER = words(
    "of in on from by with for to called made located found situated spoken written as usually also correct"
)

_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_FRACTIONS = {
    ord(sign): unicodedata.normalize("NFKD", sign).replace("⁄", "/")  # noqa: RUF001
    for sign in map(chr, (*range(0xBC, 0xBF), *range(0x2150, 0x215F), 0x2189))
}
# 2½ is two and a half.
_MIXED = re.compile(rf"(?<=\d)(?=[{''.join(map(chr, _FRACTIONS))}])")
_TIMES = re.compile(r"(?<=[\d)])\s?\*\s?(?=[\d($])")
_MARKS = str.maketrans(
    {"’": "'", "‘": "'", "−": "-", "–": " - ", "—": " - ", "⁄": "/"} | dict.fromkeys('*_`#"“”«»', "")  # noqa: RUF001
)
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.)+[A-Za-z]\b(?:\.(?=\s+[a-z]))?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MONEY = re.compile(r"[$€£¥₹](?=\s?-?\.?\d)|(?<=\d)\s?[$€£¥₹%]")
_POINT = re.compile(r"(?<![\w.])\.(?=\d)")
_DEGREES = re.compile(r"(?<=\d)\s?°")
# "(B)" or "(8)" alone on a line, or as all that follows a verb or a colon, is no aside.
_ALONE = re.compile(
    r"(^\s*|\b(?:is|are|be|option|choice|answer|letter)\b[:\s]*|[:=]\s*)"
    r"\(\s?([a-z]|-?\d[\d.,/]*)\s?\)(?=[\s.,;:!?]*$)"
)
_ASIDE = re.compile(r"\([^()]*\)")
_CONTRACTION = re.compile(r"\b(it|that|there|here)'s\b")
_HYPHEN = re.compile(r"(?<=[^\W\d])-(?=[^\W\d])")
_EDGES = " \t\n.,;:!?'()[]{}<>=~"
_LOOSE = "-+•$"
_WHOLE = re.compile(r"(-?\d+)\.0+")


@lru_cache(maxsize=64)
def clean(text: str) -> str:
    """`text` in lower case without accents, markdown, quotes, asides, currency, the dots of initials, double spaces."""
    # Most patterns need a sign that most texts lack, and to look for a sign takes next to no time.
    text = plain_signs(text)
    if "*" in text:
        text = _TIMES.sub(" × ", text)  # noqa: RUF001
    text = text.translate(_MARKS)
    if "." in text:
        text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    text = _unaccented(text.casefold())
    if ")" in text:
        text = _ASIDE.sub(" ", _ALONE.sub(r"\1\2", text))
    if "," in text:
        text = _THOUSANDS.sub("", text)
    if "$" in text or "%" in text or not text.isascii():
        text = _DEGREES.sub(" ", _MONEY.sub("", text))
    if "." in text:
        text = _POINT.sub("0.", text)
    if "'" in text:
        text = _CONTRACTION.sub(r"\1 is", text)
    if "-" in text:
        text = _HYPHEN.sub(" ", text)
    return " ".join(text.split())


def normalise(text: str) -> str:
    """`text` in the form answers are compared in; normalising twice changes nothing.

    Case, accents, markdown, quotes, hyphens between letters, commas, thousands separators, currency and percent beside
    a number, the dots of initials, loose dashes and dollar signs, punctuation around words and leading articles go. A
    lone article stays: it may be a letter.
    """
    parts = (part.strip(_EDGES) for part in clean(text).replace(",", " ").split())
    found = [word for word in (part.strip(_EDGES + "$") or part for part in parts) if word]
    found = [word for word in found if word.strip(_LOOSE)] or found[:1]
    return " ".join([*dropwhile(ARTICLES.__contains__, found[:-1]), *found[-1:]])


def trimmed(piece: str) -> str | None:
    """`piece` normalised without labels and small words at its ends; None where not one to four words remain."""
    found = normalise(piece).split()
    found = [*dropwhile(lambda word: word in ARTICLES or is_small(word), found[:-1]), *found[-1:]]
    while len(found) > 1 and found[-1] != "city" and is_small(found[-1]):
        found.pop()
    if not 0 < len(found) <= LONGEST:
        return None
    answer = " ".join(found)
    # A whole number has one form.
    return whole[1] if (whole := _WHOLE.fullmatch(answer)) else answer


def is_small(word: str) -> bool:
    """Whether `word` is a label or a small word, which says nothing by itself."""
    return word in _FILLER or word.removesuffix("s") in _LABELS


def echoes(part: str, known: frozenset[str]) -> bool:
    """Whether `part` says nothing but `known` words, labels and small words."""
    return all(word in known or is_small(word) for word in words(part))


def plain_signs(text: str) -> str:
    """`text` without accents, each sign in its plain form: x² is x^2, ¾ is 3/4, wide letters are letters."""
    if text.isascii():
        return text
    text = _MIXED.sub(" ", text).translate(_FRACTIONS)
    return _unaccented(_POWER.sub(lambda found: "^" + found[0].translate(_POWERS), text))


def _unaccented(text: str) -> str:
    if text.isascii():
        return text
    # Signs go before the rest is decomposed too: Unicode sorts a run of signs in quadratic time.
    return _unsigned(unicodedata.normalize("NFKD", _unsigned(text)))


def _unsigned(text: str) -> str:
    return text.translate({ord(mark): None for mark in set(text) if unicodedata.combining(mark)})
