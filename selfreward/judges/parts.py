"""What the verdicts of one reply state together; a score of a part, in a list of criteria, is none of them."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from selfreward.judges.own_words import bare, lead_in

Value = TypeVar("Value")

Part = Literal["part", "amid", "perhaps", "whole"]

_FEWEST_RUNS = 3
_ITEM = re.compile(r"\s*(?:[-+•*]\s|\(?\d{1,2}[.)]\s|\(?[a-h]\)\s)")
_NUMBERED = re.compile(r"\s*\(?(\d{1,2})[.)]\s")
_NAMED = re.compile(r"[\s*_#]*(?:\d{1,2}[.)]\s*)?[^\W\d_][^:.!?\n]{1,48}:")
_HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*[^*]{1,60}\*\*:?\s*$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(Generic[Value]):
    """One verdict of a reply.

    `value` is None where it states no plain one; `final` says that it calls itself final, `part` whether it is one of a
    part by where it stands. A `doubtful` one may not be the judge's own: it can contradict another, and no more.
    """

    value: Value | None
    final: bool = False
    doubtful: bool = False
    part: Part = "whole"
    line: int = 0


def settle(verdicts: Sequence[Stated[Value]]) -> Value | None:
    """The last verdict; None where another says something else, unless the last alone calls itself final."""
    sure = [one for one in verdicts if not one.doubtful]
    if not sure:
        return None
    last = sure[-1]
    rivals = [one for one in verdicts if one.value is not None and one.value != last.value]
    settled = last.final and verdicts[-1].value == last.value and not any(one.final for one in rivals)
    return None if rivals and not settled else last.value


def item_number(line: str) -> int:
    """The number of the list item that `line` begins; 0 where it begins none."""
    found = _NUMBERED.match(line)
    return int(found[1]) if found else 0


def is_amid(items: Set[int], below: Sequence[str]) -> bool:
    """Whether the next line goes on with a list whose `items` stand above."""
    following = item_number(below[0]) if below else 0
    return following > 1 and following - 1 in items


def part_of(line: str, before: str, *, inline: bool, several: bool, amid: bool, final: bool) -> Part:
    """What the place of a verdict in `line` says, `before` being the line before it.

    A part ends a list item, stands `amid` a list, or is one of `several` that end sentences of the line. It may be one
    behind a name and a colon, as a list item of its own, and below an item or a heading that speaks of no verdict.
    """
    if final:
        return "whole"
    if amid:
        return "amid"
    if inline:
        return "part" if several or _ITEM.match(line) else "perhaps" if _NAMED.match(line) else "whole"
    heading = _HEADING.match(before) is not None and lead_in(f"{bare(before).rstrip(':')}:", "\n") != "own"
    return "perhaps" if heading or _ITEM.match(before) or _ITEM.match(line) else "whole"


def without_parts(verdicts: Sequence[Stated[Value]]) -> list[Stated[Value]]:
    """The verdicts that are not about parts.

    Those that may be are where there are two, or one amid a list, and so are three or more, not called final, with
    other text between them.
    """
    listed = sum(one.part in ("perhaps", "amid") for one in verdicts)
    left = [one for one in verdicts if one.part == "whole" or (one.part == "perhaps" and listed == 1)]
    plain = {one.line for one in left if not one.final and not one.doubtful and one.value is not None}
    if sum(line - 1 not in plain for line in plain) >= _FEWEST_RUNS:
        left = [one for one in left if one.final or one.line not in plain]
    return left
