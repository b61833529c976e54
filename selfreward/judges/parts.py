"""Scores of parts: a judge that lists the criteria may name a score for each, and none of them is its verdict."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from selfreward.judges.quoting import bare, lead_in
from selfreward.judges.stated import Stated

Value = TypeVar("Value")

Part = Literal["part", "perhaps", "whole"]

_FEWEST_RUNS = 3
_ITEM = re.compile(r"\s*(?:[-+•*]\s|\(?\d{1,2}[.)]\s|\(?[a-h]\)\s)")
_NAMED = re.compile(r"[\s*_#]*(?:\d{1,2}[.)]\s*)?[^\W\d_][^:.!?\n]{1,48}:")
_HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*[^*]{1,60}\*\*:?\s*$)")


@dataclass(frozen=True, slots=True)
class Placed(Generic[Value]):
    """A verdict, the number of its line, and whether it is one of a part by where it stands."""

    part: Part
    line: int
    verdict: Stated[Value]


def part_of(line: str, before: str, *, inline: bool, several: bool, final: bool) -> Part:
    """What the place of a verdict in `line` says, `before` being the line before it.

    A part is a verdict that ends a list item, or is one of several that end sentences of the line. It may be one in a
    line that begins with a name and a colon, as a list item of its own, and below an item or a heading that speaks of
    no verdict.
    """
    if final:
        return "whole"
    if inline:
        return "part" if several or _ITEM.match(line) else "perhaps" if _NAMED.match(line) else "whole"
    heading = _HEADING.match(before) is not None and lead_in(f"{bare(before).rstrip(':')}:", "\n") != "own"
    return "perhaps" if heading or _ITEM.match(before) or _ITEM.match(line) else "whole"


def without_parts(placed: Sequence[Placed[Value]]) -> list[Stated[Value]]:
    """The verdicts that are not about parts.

    Those that may be are where there are two. So are three or more with other text between them, of those that are not
    called final.
    """
    perhaps = sum(one.part == "perhaps" for one in placed)
    left = [one for one in placed if one.part == "whole" or (one.part == "perhaps" and perhaps == 1)]
    plain = {
        one.line for one in left if not one.verdict.final and not one.verdict.doubtful and one.verdict.value is not None
    }
    if sum(line - 1 not in plain for line in plain) >= _FEWEST_RUNS:
        left = [one for one in left if one.verdict.final or one.line not in plain]
    return [one.verdict for one in left]
