"""What the verdicts of one reply state together: the strict rules, whatever form they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(Generic[Value]):
    """One verdict of a reply.

    `value` is what it states, None where that is no plain value; `final` says that it calls itself final. `doubtful`
    verdicts may not be the judge's own: they can contradict another, and cannot be the verdict.
    """

    value: Value | None
    final: bool = False
    doubtful: bool = False


def settle(verdicts: Sequence[Stated[Value]]) -> Value | None:
    """The last verdict; None where it states nothing, or another one states something else.

    The last may differ from those before it where it alone calls itself final.
    """
    sure = [one for one in verdicts if not one.doubtful]
    if not sure:
        return None
    last = sure[-1]
    rivals = [one for one in verdicts if one.value is not None and one.value != last.value]
    settled = last.final and verdicts[-1].value == last.value and not any(one.final for one in rivals)
    return None if rivals and not settled else last.value
