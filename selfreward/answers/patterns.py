"""Patterns that users write, held to a time: what backtracks without end stops the run with one line."""

from typing import Any

import regex

from selfreward.errors import DataError

SECONDS = 2.0


class PatternTooSlow(DataError):
    """A pattern that takes too long on a text."""


def found_in_time(pattern: str, text: str, *, whole: bool = False) -> Any:
    """The first match of `pattern` in `text`, or with `whole` of all of it in any case. Raises PatternTooSlow."""
    find, flags = (regex.fullmatch, regex.IGNORECASE) if whole else (regex.search, 0)
    try:
        return find(pattern, text, flags=flags, timeout=SECONDS)
    except TimeoutError as error:
        raise PatternTooSlow(
            f"the pattern {pattern[:80]!r} takes more than {SECONDS:g} s on {len(text)} characters ({text[:40]!r}): "
            "write it without a repeat inside a repeat, as in (.*,)+"
        ) from error
