"""Patterns that users write, held to a time: what backtracks without end stops the run with one line."""

from collections.abc import Callable
from typing import Any

import regex

from selfreward.errors import DataError

SECONDS = 2.0


class PatternTooSlow(DataError):
    """A pattern that takes too long on a text."""


def cut_in_time(pattern: str, text: str) -> str | None:
    """What the one group of `pattern` holds where it first matches in `text`; None where there is nothing.

    Raises PatternTooSlow after two seconds.
    """
    found = _in_time(regex.search, pattern, text, flags=0)
    return None if found is None else found[1]


def matches_in_time(pattern: str, text: str) -> bool:
    """Whether `pattern` matches all of `text`, in any case. Raises PatternTooSlow after two seconds."""
    return _in_time(regex.fullmatch, pattern, text, flags=regex.IGNORECASE) is not None


def _in_time(find: Callable[..., Any], pattern: str, text: str, *, flags: int) -> Any:
    try:
        return find(pattern, text, flags=flags, timeout=SECONDS)
    except TimeoutError as error:
        raise PatternTooSlow(
            f"the pattern {pattern[:80]!r} takes more than {SECONDS:g} s on {len(text)} characters ({text[:40]!r}): "
            "write it without a repeat inside a repeat, as in (.*,)+"
        ) from error
