"""What others say (libraries, templates, processes), made fit for one line of a terminal."""

import re

FOREIGN_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What code that is not ours raises at input that it was not written for."""
_LONGEST = 300
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)


def without_escapes(text: str) -> str:
    """`text` without the codes by which it would move, colour or name a terminal."""
    return _ESCAPES.sub("", text)


def plain(text: str) -> str:
    """`text` in one line of at most 300 characters, without escape codes and without what cannot be printed."""
    words = "".join(letter if letter.isprintable() else " " for letter in without_escapes(text)).split()
    line = " ".join(words)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def one_line(error: BaseException) -> str:
    """What an exception says, as `plain`; with its name where that says less than a sentence."""
    said = plain(str(error))
    if not said or isinstance(error, LookupError | TypeError | AttributeError | ArithmeticError | AssertionError):
        return f"{type(error).__name__} {said}".strip()
    return said
