"""Verdicts that a reply marks: by a pattern, as `[[A]]`, or as a value in JSON. The strict rules are those of lines.

The last verdict counts, another one before it contradicts it, and nothing counts that is quoted, thought, or the
judged answer's. What is unclear is the judge's own.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
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


def read_pattern(
    reply: str, pattern: str, convert: Callable[[str, re.Match[str]], Value | None], answer: str = ""
) -> Value | None:
    """What the last match of `pattern` states, by `convert`, or None. ConfigError where that takes five seconds."""
    text = answer_part(reply)
    ahead_of = _own_places(text, answer, quoted_spans(text))
    try:
        matches = list(compiled(pattern).finditer(text, timeout=_SECONDS))
    except TimeoutError:
        raise ConfigError(
            f"reads.pattern {pattern!r} took more than {_SECONDS:g} seconds on a reply of {len(text):,} characters: "
            "write it without a repeat within a repeat"
        ) from None
    verdicts = []
    for found in matches:
        if (ahead := ahead_of(found.start())) is not None:
            final = _FINAL.search(re.split(r"[.!?]\s", ahead)[-1]) is not None
            verdicts.append(Stated(value=convert(text, found), final=final))
    return settle(verdicts)


def read_json(reply: str, pick: Callable[[Json], tuple[bool, Value | None]], answer: str = "") -> Value | None:
    """What the last list or object of `reply` states that `pick` finds a verdict in; None where it states nothing."""
    _, text = split_thought(reply)
    ahead_of = _own_places(text, answer, tagged_spans(text))
    verdicts = []
    for found in literals(text):
        start, (there, value) = found.start, (True, None) if found.broken else pick(found.value)
        quoted = text[max(0, start - 1) : start] in _QUOTES and not text.startswith("```", max(0, start - 3))
        if there and not quoted and ahead_of(start) is not None and text[start : found.end] not in answer:
            verdicts.append(Stated(value=value))
    return settle(verdicts)


@lru_cache
def compiled(pattern: str) -> Any:
    """The pattern, compiled. Raises ValueError where it is none."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


def _own_places(text: str, answer: str, spans: Sequence[Span]) -> Callable[[int], str | None]:
    """A function that says what stands before a place in its line, the end of it; None in somebody else's words.

    Those are the `spans`, a quoted line, one of the judged `answer`, and what is led in as what somebody said.
    """
    foreign = lines_of(answer)
    lines: list[tuple[int, str, bool, bool]] = []
    start, before = 0, ""
    for line in text.split("\n"):
        alone = bare(line)
        quoted = line.lstrip().startswith(">") or (alone in foreign and bool(alone))
        lines.append((start, line, quoted, lead_in(before, "\n") == "quotation"))
        start += len(line) + 1
        before = alone if alone and not alone.startswith("```") else before

    def ahead_of(place: int) -> str | None:
        start, line, quoted, led_in = lines[bisect_right(lines, place, key=lambda one: one[0]) - 1]
        offset = place - start
        ahead = line[max(0, offset - _SEEN) : offset]
        # A quotation that a verdict begins is the verdict.
        number = bisect_right(spans, place, key=lambda span: span[1])
        within = number < len(spans) and spans[number][0] < place
        if within or quoted or _SAYS.search(ahead) or (led_in and offset < _SEEN and not bare(ahead)):
            return None
        return ahead

    return ahead_of
