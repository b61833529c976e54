"""The words, the expression or the choice that a reply commits to."""

import re
from collections.abc import Sequence

from selfreward.answers.asked import QuestionContent
from selfreward.answers.choices import choice
from selfreward.answers.latex import expression, plain
from selfreward.answers.marks import bold
from selfreward.answers.sentences import BULLET, Block, committed, first_statement, parts, without_clause
from selfreward.answers.words import clean, echoes, trimmed

_LETTER = re.compile(r"\b[a-j]\)")


def one_form(answer: str, asked: QuestionContent) -> str | None:
    """The form in which `answer`, a reference or what a mark holds, is compared; None where it is no short answer."""
    if asked.choices and (letter := choice(plain(answer), asked.choices)):
        return letter
    return expression(answer) or _short(plain(answer))


def phrase_in(statement: str, asked: QuestionContent) -> str | None:
    """The short answer of a cleaned `statement`: the last part that says more than the question, else the last.

    Pieces between commas that repeat the question go. Where the question lists choices, the last part that is one.
    """
    if asked.choices:
        letters = (choice(part, asked.choices) for part in reversed(parts(statement)))
        if letter := next((letter for letter in letters if letter is not None), None):
            return letter
        lettered = [letter for letter in asked.choices if f"{letter})" in _LETTER.findall(statement)]
        if len(lettered) == 1:
            return lettered[0]
    part = without_clause(chosen_part(statement, asked))
    pieces = re.split(r",(?=\s)", part)
    new = [piece for piece in pieces if not echoes(piece, asked.known)]
    return _short(" ".join(new or pieces))


def phrase_of(piece: str, asked: QuestionContent) -> str | None:
    """The short answer of a text that is an answer alone."""
    if asked.choices and (letter := choice(plain(piece), asked.choices)):
        return letter
    return expression(piece) or phrase_in(committed(clean(plain(piece))), asked)


def _short(said: str) -> str | None:
    """The words of `said`, or the expression that they are; None where it is neither short nor an expression."""
    answer = trimmed(said)
    return expression(said if answer is None else answer) or answer


def stated_phrase(lines: Sequence[str], found: Sequence[Block], asked: QuestionContent) -> str | None:
    """The short answer of a reply without a mark: of its first statement, or what alone is bold.

    A reply of one line that is an expression is one. A list of several bullets is no single answer.
    """
    if len(lines) == 1 and "=" not in lines[0] and (whole := expression(BULLET.sub("", lines[0]))):
        return whole
    marked = [line for line in lines if BULLET.match(line)]
    if len(marked) > 1 and (lines[0] == marked[0] or lines[0].rstrip(" *_").endswith(":")):
        return None
    first = committed(first_statement(found))
    answer = phrase_in(first, asked)
    strong = _bold(found, asked)
    if len(strong) == 1 and (answer is None or f" {strong[0]} " in f" {answer} "):
        return strong[0]
    return answer


def chosen_part(statement: str, asked: QuestionContent) -> str:
    """The last part of `statement` that says more than the question did; where none does, the last."""
    found = parts(statement)
    return next((part for part in reversed(found) if not echoes(part, asked.known)), found[-1])


def _bold(found: Sequence[Block], asked: QuestionContent) -> list[str]:
    """The distinct short answers in bold type, in sentences without a "not"."""
    said = [sentence for block in found for sentence in block.said if committed(sentence)]
    spans = [span for span in bold(found) if not echoes(span, asked.known) and any(span in one for one in said)]
    read = (phrase_in(span, asked) for span in spans)
    return [*dict.fromkeys(answer for answer in read if answer is not None)]
