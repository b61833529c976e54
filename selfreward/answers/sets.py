"""The members that a reply commits to, where the answer is a set."""

import re
from collections.abc import Sequence

from selfreward.answers.asked import QuestionContent
from selfreward.answers.latex import plain
from selfreward.answers.phrase import chosen_part
from selfreward.answers.sentences import BULLET, blocks, committed, explicit_statement, lines_of
from selfreward.answers.words import LONGEST, clean, normalise, trimmed

_SEPARATOR = re.compile(r"[,;&/\n]|\band\b")


def members_in(lines: Sequence[str], asked: QuestionContent) -> str | None:
    """The bullets, the short lines, or else the chosen part of the statement split at commas and "and".

    Sorted and joined by ", "; None where a member is no short answer.
    """
    pieces = [clean(BULLET.sub("", line)) for line in lines if BULLET.match(line)]
    if pieces:
        pieces = [re.split(r":|\s-+\s", piece)[0] for piece in pieces]
    elif len(lines) > 1 and all(len(line.split()) <= LONGEST for line in lines):
        pieces = [clean(line) for line in lines if not line.rstrip().endswith(":")]
    else:
        pieces = [chosen_part(committed(explicit_statement(blocks(lines, bullets=False))), asked)]
    named = [normalise(member) for piece in pieces for member in _SEPARATOR.split(piece)]
    found = [trimmed(member) for member in named if member]
    members = {member for member in found if member is not None}
    return ", ".join(sorted(members)) if members and None not in found else None


def members_of(piece: str, asked: QuestionContent) -> str | None:
    """The members of a text that is an answer alone."""
    return members_in(lines_of(plain(piece)), asked)
