"""Scores of parts: a judge that lists the criteria may name a score for each, and none of them is its verdict."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from selfreward.judges.quoting import bare, lead_in
from selfreward.judges.stated import Stated

Value = TypeVar("Value")

Part = Literal["part", "amid", "perhaps", "whole"]

_FEWEST_RUNS = 3
_ITEM = re.compile(r"\s*(?:[-+•*]\s|\(?\d{1,2}[.)]\s|\(?[a-h]\)\s)")
_NUMBERED = re.compile(r"\s*\(?(\d{1,2})[.)]\s")
_NAMED = re.compile(r"[\s*_#]*(?:\d{1,2}[.)]\s*)?[^\W\d_][^:.!?\n]{1,48}:")
_HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*[^*]{1,60}\*\*:?\s*$)")


@dataclass(frozen=True, slots=True)
class Placed(Generic[Value]):
    """A verdict, the number of its line, and whether it is one of a part by where it stands."""

    part: Part
    line: int
    verdict: Stated[Value]


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

    A part is a verdict that ends a list item, stands `amid` a list, or is one of several that end sentences of the
    line. It may be one in a line that begins with a name and a colon, as a list item of its own, and below an item or a
    heading that speaks of no verdict.
    """
    if final:
        return "whole"
    if amid:
        return "amid"
    if inline:
        return "part" if several or _ITEM.match(line) else "perhaps" if _NAMED.match(line) else "whole"
    heading = _HEADING.match(before) is not None and lead_in(f"{bare(before).rstrip(':')}:", "\n") != "own"
    return "perhaps" if heading or _ITEM.match(before) or _ITEM.match(line) else "whole"


def without_parts(placed: Sequence[Placed[Value]]) -> list[Stated[Value]]:
    """The verdicts that are not about parts.

    Those that may be are where there are two, or one amid a list. So are three or more with other text between them, of
    those that are not called final.
    """
    listed = sum(one.part in ("perhaps", "amid") for one in placed)
    left = [one for one in placed if one.part == "whole" or (one.part == "perhaps" and listed == 1)]
    plain = {
        one.line for one in left if not one.verdict.final and not one.verdict.doubtful and one.verdict.value is not None
    }
    if sum(line - 1 not in plain for line in plain) >= _FEWEST_RUNS:
        left = [one for one in left if one.verdict.final or one.line not in plain]
    return [one.verdict for one in left]
