"""Which words of a reply are the judge's own: not what it thinks before, and not what it quotes.

Everything here takes time in proportion to the text, whatever stands in it: policies write what is read.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

from selfreward.thought import split_thought

MARK = "\ufffc"
"""Stands for a quotation that was taken out."""

Lead = Literal["own", "quotation", "unclear"]
Span = tuple[int, int]

_CLOSED_BY = {
    opening: re.compile(closings)
    for opening, closings in {"`": "`", '"': '"', "„": "[“”]", "“": "”", "«": "»", "「": "」", "『": "』"}.items()
}
# The next single mark that closes, or that opens: apostrophes do neither.
_SINGLE = re.compile(r"(?P<closes>'(?!\w))|(?<!\w)'")
_TAG = re.compile(
    r"<(?P<tag>(?:answer|candidate|response)(?:_\w+)?|quote|blockquote|q|code|pre|think|thinking|thought|reasoning)>",
    re.IGNORECASE,
)
_OPENING = re.compile(
    rf"""
    (?P<fence>```|~~~) | {_TAG.pattern} | (?P<mark>[`"“„«「『]) | (?<!\w)(?P<single>')(?=\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OWN = re.compile(
    r"\b(?:verdict|score|scores|rating|conclusion|assessment|evaluation|judge?ment|grade|result|total|decision|points"
    r"|justification|explanation|reasoning|rationale|analysis|feedback|breakdown|summary|review|critique|overall|final"
    r"|therefore|thus|hence)\b",
    re.IGNORECASE,
)
_WRITINGS = r"(?:answer|response|candidate|assistant|student|author|text|reply|output)"
# The clause speaks of what somebody else said, or of how a verdict should look.
_OTHERS = re.compile(
    rf"\b(?:itself|himself|herself|its|their|says?|said|claim\w*|wr[io]te\w*|written|ends?|ended|ending|states?|stated"
    rf"|contains?|reads?|concludes?|gives?|gave|adds?|asks?|asked|tells?|told|form|format|template|example"
    rf"|instructions?|like|quot\w*|{_WRITINGS}['’]s|(?:in|from|by)\s+(?:the|this|that|its)\s+{_WRITINGS})\b",  # noqa: RUF001
    re.IGNORECASE,
)
_AS_ASKED = re.compile(
    r"\b(?:in|using|with|following|by|per|to)\s+(?:the|this|that|your)\s+(?:\w+\s+)?"
    r"(?:format|form|instructions?|template|rubric)\b",
    re.IGNORECASE,
)


def answer_part(reply: str) -> str:
    """What `reply` says behind its thoughts, in plain characters, up to a code fence that is never closed."""
    _, text = split_thought(plain(reply))
    return text.partition("```")[0] if text.count("```") % 2 else text


def own_words(reply: str, label: str) -> str:
    """What `reply` answers, with a mark for every quotation, and every thought in its midst, that names the verdict.

    A mark is followed by a full stop where the quotation ends a sentence.
    """
    text = answer_part(reply)
    if odd := _between_odd_quotes(text):
        text = text[: odd[0]] + MARK + text[odd[1] :]
    parts, place = [], 0
    for start, end in quotations(text):
        quoted = text[start:end]
        if label.casefold() in quoted.casefold():
            parts += [text[place:start], MARK, "." * (quoted[-2:-1] in tuple(".!?"))]
            place = end
    return re.sub(r"<br\s*/?>", "\n", "".join([*parts, text[place:]]), flags=re.IGNORECASE)


def quoted_spans(text: str) -> list[Span]:
    """Where `text` may be somebody else's words, in order; where a quotation mark is left over, all that may be is."""
    odd = _between_odd_quotes(text)
    if odd is None:
        return list(quotations(text))
    start, end = odd
    return sorted([odd, *quotations(text[:start] + " " * (end - start) + text[end:])])


def quotations(text: str) -> Iterator[Span]:
    """Stretches of `text` between quotation marks, in code and in tags, in order, none within another."""
    # The kinds that nothing closes any more are not looked for again.
    unclosed: set[str] = set()
    place = 0
    while (found := _OPENING.search(text, place)) is not None:
        end = _end_of(text, found, unclosed)
        if end is not None:
            yield found.start(), end
        place = found.end() if end is None else end


def tagged_spans(text: str) -> list[Span]:
    """Stretches of `text` between tags that hold somebody else's words, or a thought, in order."""
    spans: list[Span] = []
    for found in _TAG.finditer(text):
        if not spans or found.start() >= spans[-1][1]:
            spans.append((found.start(), _end_of_tag(text, found)))
    return spans


def _end_of(text: str, found: re.Match[str], unclosed: set[str]) -> int | None:
    """Behind the quotation that opens at `found`; None where it is none."""
    start, opening = found.end(), found[0]
    if found["fence"]:
        end = text.find(opening, start)
        return len(text) if end < 0 else end + len(opening)
    if found["tag"]:
        return _end_of_tag(text, found)
    if opening in unclosed:
        return None
    closing = (_SINGLE if found["single"] else _CLOSED_BY[opening]).search(text, start)
    if closing is None:
        unclosed.add(opening)
        return None
    if found["single"]:
        return closing.end() if closing["closes"] else None
    # A mark of code closes in its line, or it is none.
    return None if opening == "`" and "\n" in text[start : closing.start()] else closing.end()


def _end_of_tag(text: str, found: re.Match[str]) -> int:
    closing = re.compile(f"</{re.escape(found['tag'])}>", re.IGNORECASE).search(text, found.end())
    return len(text) if closing is None else closing.end()


def _between_odd_quotes(text: str) -> Span | None:
    """From the first to the last of an odd number of quotation marks: nobody can say which stretch is quoted."""
    first, last = text.find('"'), text.rfind('"')
    return (first, last + 1) if text.count('"') % 2 and first < last else None


def bare(line: str) -> str:
    """A line without what decorates its ends, in lower case."""
    return line.strip(" \t*_#>-").casefold()


def lines_of(answer: str) -> set[str]:
    """The bare lines of the judged answer: a verdict among them is the answer's, not the judge's."""
    return {bare(line) for line in plain(answer).splitlines()}


def lead_in(line: str, label: str) -> Lead:
    """Whose words follow the bare `line`: somebody's where its last clause ends in a colon and speaks of others.

    Unclear where it ends in a colon and speaks neither of others nor of a verdict.
    """
    if not line.endswith(":"):
        return "own"
    clause = _AS_ASKED.sub("", re.split(r"(?<=[.!?;])\s", line)[-1])
    if _OTHERS.search(clause):
        return "quotation"
    return "own" if _OWN.search(clause) or label.casefold() in clause else "unclear"


def plain(text: str) -> str:
    """`text` with the decimal digits of all scripts and full-width forms as ASCII, symbols and marks as spaces."""
    return re.sub(r"[^\x00-\x7f]", lambda found: _plain_character(found[0]), text)


@functools.cache
def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    if character in "‘’":  # noqa: RUF001
        return "'"
    if character == "−":  # noqa: RUF001
        return "-"
    return " " if character == "\ufe0f" or unicodedata.category(character) in ("Cf", "So", "Zs") else character
