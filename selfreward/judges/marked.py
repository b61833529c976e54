"""Verdicts that a reply marks: by a pattern, as `[[A]]`, or as a value in JSON. The strict rules are those of lines.

The last verdict counts, another one before it contradicts it, and nothing counts that is quoted, thought, or the
judged answer's. A judge that is trained to mark its verdict may announce it as it likes: what is unclear is its own.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import regex

from selfreward.errors import ConfigError
from selfreward.judges.json_values import literals
from selfreward.judges.own_words import Span, answer_part, bare, lead_in, lines_of, quoted_spans, tagged_spans
from selfreward.judges.parts import Stated, settle
from selfreward.spec import Json
from selfreward.thought import split_thought

Value = TypeVar("Value")

_SECONDS = 5.0
_SEEN = 200
_FINAL = re.compile(r"\b(?:final|overall|total|revised|corrected|updated)\b", re.IGNORECASE)
_SAYS = re.compile(
    r"\b(?:answer|response|candidate|assistant|student|author|text|reply|output|it)(?:\s[a-b\d])?"
    r"\s(?:itself\s)?(?:even\s)?(?:say|claim|end|state|contain|conclude|write|read)s?(?:\s(?:with|that|in))?:?\s?$",
    re.IGNORECASE,
)
_QUOTES = tuple("\"'`“„«「『")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a text, where it begins, and whether it, or what stands at its beginning, is somebody else's."""

    start: int
    text: str
    foreign: bool
    led_in: bool


def read_pattern(
    reply: str, pattern: str, convert: Callable[[str, re.Match[str]], Value | None], answer: str = ""
) -> Value | None:
    """What the last match of `pattern` states, by `convert`, or None. ConfigError where that takes five seconds."""
    text = answer_part(reply)
    lines = _lines_of(text, answer)
    spans = quoted_spans(text)
    verdicts = []
    for found in _matches(pattern, text):
        ahead = _ahead(lines, found.start())
        if ahead is not None and not _within(spans, found.start()):
            final = _FINAL.search(re.split(r"[.!?]\s", ahead)[-1]) is not None
            verdicts.append(Stated(value=convert(text, found), final=final))
    return settle(verdicts)


def read_json(reply: str, pick: Callable[[Json], tuple[bool, Value | None]], answer: str = "") -> Value | None:
    """What the last list or object of `reply` states that `pick` finds a verdict in; None where it states nothing."""
    _, text = split_thought(reply)
    lines = _lines_of(text, answer)
    spans = tagged_spans(text)
    verdicts = []
    for found in literals(text):
        there, value = (True, None) if found.broken else pick(found.value)
        if there and _is_own(text, lines, spans, found.start) and text[found.start : found.end] not in answer:
            verdicts.append(Stated(value=value))
    return settle(verdicts)


def _is_own(text: str, lines: Sequence[_Line], spans: Sequence[Span], start: int) -> bool:
    """Whether JSON is the judge's own: neither led in as somebody else's, nor in tags, nor behind a quotation mark."""
    quoted = text[max(0, start - 1) : start] in _QUOTES and not text.startswith("```", max(0, start - 3))
    return not quoted and _ahead(lines, start) is not None and not _within(spans, start)


def _matches(pattern: str, text: str) -> list[re.Match[str]]:
    try:
        return list(compiled(pattern).finditer(text, timeout=_SECONDS))
    except TimeoutError:
        raise ConfigError(
            f"reads.pattern {pattern!r} took more than {_SECONDS:g} seconds on a reply of {len(text):,} characters: "
            "write it without a repeat within a repeat"
        ) from None


@lru_cache
def compiled(pattern: str) -> Any:
    """The pattern, compiled. Raises ValueError where it is none."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


def _lines_of(text: str, answer: str) -> list[_Line]:
    foreign = lines_of(answer)
    lines = []
    start, before = 0, ""
    for line in text.split("\n"):
        alone = bare(line)
        quoted = line.lstrip().startswith(">") or (alone in foreign and bool(alone))
        lines.append(_Line(start, line, quoted, lead_in(before, "\n") == "quotation"))
        start += len(line) + 1
        before = alone if alone and not alone.startswith("```") else before
    return lines


def _ahead(lines: Sequence[_Line], place: int) -> str | None:
    """What stands before `place` in its line, the end of it; None where somebody else's words follow."""
    line = lines[bisect_right(lines, place, key=lambda one: one.start) - 1]
    offset = place - line.start
    ahead = line.text[max(0, offset - _SEEN) : offset]
    if line.foreign or _SAYS.search(ahead) or (line.led_in and offset < _SEEN and not bare(ahead)):
        return None
    return ahead


def _within(spans: Sequence[Span], place: int) -> bool:
    """Whether `place` lies in a quotation that begins before it; one that a verdict begins is the verdict."""
    number = bisect_right(spans, place, key=lambda span: span[1])
    return number < len(spans) and spans[number][0] < place
