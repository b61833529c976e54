"""Reads and compares mathematical answers with math-verify, in a process that a hard expression may end.

A line of standard input is a request, [reply, references] in JSON; a line of standard output is what came of it. The
kernel ends the process after so many seconds of processor time on one request, whatever is computed then: math-verify's
own limit cannot be told from a wrong answer. Nothing of the package is imported, so that it starts fast.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sympy
from math_verify import parse, verify

_LARGEST_POWER = 4000
# Outside LaTeX math-verify reads 2e3 as 2 and 2 \u00d7 10^3 as 10. In LaTeX it reads both well, 2e3 as a product.
_DELIMITERS = r"\$[^$]*\$|\\boxed\{[^{}]*\}|\\\(.*?\\\)|\\\[.*?\\\]"
_SCIENTIFIC = re.compile(
    rf"{_DELIMITERS}|(?<![\w.])(?P<digits>\d+(?:\.\d+)?)"
    r"(?:[eE](?P<power>[+-]?\d+)|\s?(?:[\u00d7\u00b7*]|\\times|\\cdot)\s?10\^(?:\{(?P<braced>[+-]?\d+)\}|(?P<bare>[+-]?\d+)))(?!\w)",
    re.DOTALL,
)


def compare(reply: str, references: Sequence[str]) -> dict[str, Any]:
    """The `answer` of `reply` and whether it is `right`, or why that is `undecided`."""
    found = _read(_written_out(reply))
    if not found:
        return {"right": False}
    answer, unread = _form(found[0]), None
    for reference in references:
        wanted = _read_reference(_written_out(reference))
        if not wanted:
            unread = reference
        elif verify(wanted, found, timeout_seconds=None, raise_on_error=True):
            return {"answer": answer, "right": True}
    if unread is not None:
        return {"answer": answer, "undecided": f"math-verify reads nothing in the reference {unread[:60]!r}"}
    return {"answer": answer, "right": False}


def _read(text: str) -> list[Any]:
    """The expression that `text` ends with; none where it cannot be read, rather than its characters."""
    found: list[Any] = parse(text, fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True)
    return found


def _read_reference(text: str) -> list[Any]:
    """A reference is an expression, whether or not it stands in the signs of LaTeX."""
    return (not re.search(_DELIMITERS, text) and _read(rf"\boxed{{{text}}}")) or _read(text)


def _written_out(text: str) -> str:
    """`text` with numbers such as 1.5e3, outside LaTeX, in digits alone."""
    return _SCIENTIFIC.sub(_digits, text)


def _digits(found: "re.Match[str]") -> str:
    power = found["power"] or found["braced"] or found["bare"]
    if power is None:
        return found[0]
    if len(power) > 6 or abs(int(power)) > _LARGEST_POWER:
        raise OverflowError(power)
    return format(Decimal(f"{found['digits']}e{power}"), "f")


def _form(expression: Any) -> str:
    """A form that equal numbers share."""
    exact = sympy.Rational(str(expression)) if getattr(expression, "is_Float", False) else expression
    return str(sympy.sstr(exact))


def main() -> None:
    """Answers requests until there are no more."""
    # What libraries print may not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        reply, references = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
        try:
            told = compare(reply, references)
        except Exception as error:  # noqa: BLE001 - sympy raises errors of many kinds, and none of them is a wrong answer
            told = {"undecided": f"math-verify raised {type(error).__name__}"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
