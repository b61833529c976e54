"""The words, the expression, the choice or the set that a reply commits to."""

import re
from collections.abc import Sequence

from selfreward.answers.asked import QuestionContent
from selfreward.answers.latex import expression, plain
from selfreward.answers.marks import bold
from selfreward.answers.sentences import (
    BULLET,
    Block,
    blocks,
    committed,
    explicit_statement,
    first_statement,
    lines_of,
    parts,
    without_clause,
)
from selfreward.answers.words import LONGEST, clean, echoes, normalise, trimmed

_LETTER = re.compile(r"\b[a-j]\)")
_SEPARATOR = re.compile(r"[,;&/\n]|\band\b")


def one_form(answer: str, asked: QuestionContent) -> str | None:
    """The form in which `answer`, a reference or what a mark holds, is compared; None where it is no short answer."""
    return asked.choice(plain(answer)) or expression(answer) or _short(plain(answer))


def phrase_in(statement: str, asked: QuestionContent) -> str | None:
    """The short answer of a cleaned `statement`: the last part that says more than the question, else the last.

    Pieces between commas that repeat the question go. Where the question lists choices, the last part that is one.
    """
    if asked.choices:
        letters = (asked.choice(part) for part in reversed(parts(statement)))
        lettered = [letter for letter in asked.choices if f"{letter})" in _LETTER.findall(statement)]
        if letter := next(filter(None, letters), lettered[0] if len(lettered) == 1 else None):
            return letter
    pieces = re.split(r",(?=\s)", without_clause(_chosen_part(statement, asked)))
    new = [piece for piece in pieces if not echoes(piece, asked.known)]
    return _short(" ".join(new or pieces))


def phrase_of(piece: str, asked: QuestionContent) -> str | None:
    """The short answer of a text that is an answer alone."""
    said = plain(piece)
    return asked.choice(said) or expression(piece) or phrase_in(committed(clean(said)), asked)


def stated_phrase(lines: Sequence[str], found: Sequence[Block], asked: QuestionContent) -> str | None:
    """The short answer of a reply without a mark: of its first statement, or what alone is bold.

    A reply of one line that is an expression is one. A list of several bullets is no single answer.
    """
    if len(lines) == 1 and "=" not in lines[0] and (whole := expression(BULLET.sub("", lines[0]))):
        return whole
    marked = [line for line in lines if BULLET.match(line)]
    if len(marked) > 1 and (lines[0] == marked[0] or lines[0].rstrip(" *_").endswith(":")):
        return None
    answer = phrase_in(committed(first_statement(found)), asked)
    read = (phrase_in(span, asked) for span in bold(found) if not echoes(span, asked.known))
    strong = [*{one for one in read if one is not None}]
    return strong[0] if len(strong) == 1 and (answer is None or f" {strong[0]} " in f" {answer} ") else answer


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
        pieces = [_chosen_part(committed(explicit_statement(blocks(lines, bullets=False))), asked)]
    members = {trimmed(member) for piece in pieces for member in _SEPARATOR.split(piece) if normalise(member)}
    known = [member for member in members if member is not None]
    return ", ".join(sorted(known)) if known and len(known) == len(members) else None


def members_of(piece: str, asked: QuestionContent) -> str | None:
    """The members of a text that is an answer alone."""
    return members_in(lines_of(plain(piece)), asked)


def _short(said: str) -> str | None:
    """The words of `said`, or the expression that they are; None where it is neither short nor an expression."""
    answer = trimmed(said)
    return expression(said if answer is None else answer) or answer


def _chosen_part(statement: str, asked: QuestionContent) -> str:
    """The last part of `statement` that says more than the question did; where none does, the last."""
    found = parts(statement)
    return next((part for part in reversed(found) if not echoes(part, asked.known)), found[-1])
