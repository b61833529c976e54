"""Short answers: what a free reply commits to, and whether that is right.

A reply is judged by the answer it commits to, never by the words it mentions. The reading rules are few and
the accepted answers play no part in them, so a ramble cannot be right by luck.
"""

import re
import unicodedata
from decimal import Decimal

import regex

from selfreward.records import Prompt


def _words(text: str) -> frozenset[str]:
    return frozenset(regex.findall(r"(?:[\p{L}\p{N}]\p{M}*)+", text))


_LONGEST = 4
"""Words in the longest short answer."""

_ARTICLES = frozenset({"a", "an", "the"})
_LABELS = _words(
    "answer word letter number digit day month color colour language continent city country kind type form material"
)
_FILLER = _words("of in on from by with for to called made located found situated spoken written as usually also")
_POINTERS = _words("it this that there here i think so and next")
_PREAMBLE = _words("sure certainly okay ok yes hello hi of course great good question")

_MARKS = str.maketrans(
    {"’": "'", "‘": "'", "−": "-", "–": " - ", "—": " - "} | dict.fromkeys('*_`#"“”«»', "")  # noqa: RUF001
)
_BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+(?=\S)")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\.)+[A-Za-z]\b(?:\.(?=\s+[a-z]))?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_EDGES = " \t\n.,;:!?'()[]{}<>=~"
_DASHES = "-+•"
_COPULA = re.compile(
    r"=|:(?=\s|$)|\b(?:is|are|was|were|would be|will be|equals|becomes|called|known as|written as|means)\b"
    r"|\b(?:comes|follows|speaks?|uses)\b"
)
_CLAUSE = re.compile(
    r";|(?<=[^\W\d])\s+-+\s|,\s*(?:not|so|as|since|while|where|meaning|and\s+(?:it|is|the))\b|,?\s+(?:which|that|because)\b"
)
_NEGATION = re.compile(r"\b(?:not|cannot)\b|n't\b")
_SEPARATOR = re.compile(r"[,;&/\n]|\band\b")

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBER_WORDS = (
    {word: value for value, word in enumerate(_ONES)}
    | {word: 10 * place for place, word in enumerate(_TENS, 2)}
    | {f"{tens} {ones}": 10 * place + _ONES.index(ones) for place, tens in enumerate(_TENS, 2) for ones in _ONES[1:10]}
    | {"hundred": 100, "one hundred": 100, "thousand": 1000, "one thousand": 1000}
)
_NUMBER = re.compile(
    r"(?<![\w.])(?:(?<!\d)-)?\d+(?:\.\d+)?|\b(?:" + "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True)) + r")\b"
)


def normalise(text: str) -> str:
    """`text` in the form answers are compared in; normalising twice changes nothing.

    Case, accents, markdown, quotes, hyphens between letters, commas, thousands separators, the dots of
    initials, loose dashes, punctuation around words and leading articles go. A lone article stays: it may be a letter.
    """
    words = [word for word in (part.strip(_EDGES) for part in _clean(text).replace(",", " ").split()) if word]
    words = [word for word in words if word.strip(_DASHES)] or words[:1]
    while len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(words)


def extract_answer(text: str, prompt: Prompt) -> str | None:
    """The short answer that `text` commits to, normalised; None where it commits to none.

    1. One statement is read: the last sentence that says "answer is" or "answer:", else the first sentence. It
       never runs past its line, unless the line ends in a colon. Questions and a leading "Sure!" are skipped.
       A list of several bullets is no single answer.
    2. A trailing clause (" which ...", " that ...", " because ...", ", not ...", "; ...") is cut. A statement that
       still says "not" commits to nothing.
    3. The statement is split at is, are, called, =, colons and their like. The answer is the last part that
       says more than the question did, so that both "The capital of France is Paris" and "Paris is the capital of
       France" answer Paris; where no part does, it is the last.
    4. Pieces between commas that repeat the question go ("Paris, France"), then leading and trailing words
       like "the word" or "made of". What is left must be one to four words.

    A `numeric` answer is the one number of the last part holding one that the question lacks, else the last
    part's only number; two such numbers in a part commit to none. Words up to ninety-nine are numbers too, and one
    value has one form: "8.0" is 8.
    A `set` answer is the bullets, the short lines, or else the chosen part split at commas and "and"; its
    members come sorted, joined by ", ".
    """
    question = prompt.messages[-1].content
    if prompt.match == "numeric":
        return _numeric(text, question)
    if prompt.match == "set":
        return _members(text, question)
    return _phrase(text, question)


def is_right(prompt: Prompt, text: str) -> bool | None:
    """Whether the answer in `text` is an accepted one; False where it has none, None where `prompt.match` is."""
    if prompt.match is None:
        return None
    answer = extract_answer(text, prompt)
    if answer is None:
        return False
    if prompt.match == "numeric":
        return any(_numbers(_clean(reference)) == [Decimal(answer)] for reference in prompt.references)
    if prompt.match == "regex":
        return any(re.fullmatch(reference, answer, re.IGNORECASE) for reference in prompt.references)
    # An answer was trimmed when it was extracted: "10 days" is read as "10".
    accepted = {_trimmed(reference) for reference in prompt.references}
    return set(answer.split(", ")) == accepted if prompt.match == "set" else answer in accepted


def _clean(text: str) -> str:
    """`text` in lower case without accents, markdown, quotes, parentheses and the dots of initials."""
    text = _without_accents(text).translate(_MARKS)
    text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    text = _without_accents(text.casefold())
    text = _THOUSANDS.sub("", re.sub(r"\([^()]*\)", " ", text))
    text = re.sub(r"\b(it|that|there|here)'s\b", r"\1 is", text)
    return re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", " ", text)


def _without_accents(text: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


def _statement(text: str, *, bullets: bool) -> str:
    """The cleaned sentence that carries the answer, its trailing clause cut; empty where none does."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if bullets and _BULLET.match(line)]
    if len(marked) > 1 and (lines[0] == marked[0] or lines[0].rstrip(" *_").endswith(":")):
        return ""
    plain = [_clean(_BULLET.sub("", line) if bullets else line).strip() for line in lines]
    sentences: list[str] = []
    for number, line in enumerate(plain):
        if number and plain[number - 1].endswith(":"):
            sentences[-1:] = re.split(r"(?<=[.!?])\s+", f"{sentences[-1]} {line}")
        else:
            sentences += re.split(r"(?<=[.!?])\s+", line)
    said = [sentence for sentence in sentences if not sentence.endswith("?")]
    while len(said) > 1 and _words(said[0]) <= _PREAMBLE:
        said = said[1:]
    explicit = [sentence for sentence in said if re.search(r"\banswer(?: is\b|:)", sentence)]
    chosen = (explicit[-1:] or said[:1] or [""])[0]
    chosen = _without_clause(chosen)
    return "" if _NEGATION.search(chosen) else chosen


def _without_clause(statement: str) -> str:
    """`statement` up to its trailing clause, which does not start at the "that" of "the letter that follows A is"."""
    verb = _COPULA.search(statement)
    for clause in _CLAUSE.finditer(statement):
        if not verb or clause.start() >= verb.end() or clause[0].strip() not in ("which", "that"):
            return statement[: clause.start()]
    return statement


def _is_small(word: str) -> bool:
    return word in _FILLER or word.removesuffix("s") in _LABELS


def _echoes(part: str, question: str) -> bool:
    """Whether `part` says nothing that `question` did not, labels and small words aside."""
    known = _words(_clean(question)) | _ARTICLES | _POINTERS
    return all(word in known or _is_small(word) for word in _words(part))


def _chosen_part(statement: str, question: str) -> str:
    parts = _COPULA.split(statement)
    return next((part for part in reversed(parts) if not _echoes(part, question)), parts[-1])


def _trimmed(piece: str) -> str | None:
    """`piece` normalised without labels and small words at its ends; None where not one to four words remain."""
    words = normalise(piece).split()
    while len(words) > 1 and (words[0] in _ARTICLES or _is_small(words[0])):
        words = words[1:]
    while len(words) > 1 and words[-1] != "city" and _is_small(words[-1]):
        words = words[:-1]
    return " ".join(words) if 0 < len(words) <= _LONGEST else None


def _phrase(text: str, question: str) -> str | None:
    part = _without_clause(_chosen_part(_statement(text, bullets=True), question))
    pieces = re.split(r",(?=\s)", part)
    new = [piece for piece in pieces if not _echoes(piece, question)]
    return _trimmed(" ".join(new or pieces))


def _numeric(text: str, question: str) -> str | None:
    asked = set(_numbers(_clean(question)))
    parts = [_numbers(part) for part in _COPULA.split(_statement(text, bullets=False))]
    for numbers in reversed(parts):
        new = set(numbers) - asked
        if new:
            return _one_form(new.pop()) if len(new) == 1 else None
    return _one_form(parts[-1][0]) if len(parts[-1]) == 1 else None


def _one_form(number: Decimal) -> str:
    """`number` as it is written whatever form it was given in: "8.0" is 8, "-0" is 0."""
    # Not by `normalize`, which rounds to 28 digits.
    digits = f"{number if number else number.copy_abs():f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _numbers(text: str) -> list[Decimal]:
    found = (match[0] for match in _NUMBER.finditer(text))
    return [Decimal(_NUMBER_WORDS[word]) if word in _NUMBER_WORDS else Decimal(word) for word in found]


def _members(text: str, question: str) -> str | None:
    lines = [line for line in text.splitlines() if line.strip()]
    pieces = [_clean(_BULLET.sub("", line)) for line in lines if _BULLET.match(line)]
    if pieces:
        pieces = [re.split(r":|\s-+\s", piece)[0] for piece in pieces]
    elif len(lines) > 1 and all(len(line.split()) <= _LONGEST for line in lines):
        pieces = [_clean(line) for line in lines if not line.rstrip().endswith(":")]
    else:
        pieces = [_chosen_part(_statement(text, bullets=False), question)]
    members = [_trimmed(member) for piece in pieces for member in _SEPARATOR.split(piece) if normalise(member)]
    named = {member for member in members if member is not None}
    return ", ".join(sorted(named)) if named and None not in members else None


def distinct_key(prompt: Prompt, text: str) -> str:
    """What two answers to `prompt` must share to count as the same.

    That is the extracted answer for a closed prompt; the whole text for an open one, and where there is no answer.
    """
    answer = extract_answer(text, prompt) if prompt.stratum == "closed" else None
    return text if answer is None else answer
