"""The number that a reply commits to."""

import re
from collections.abc import Sequence

from selfreward.answers.asked import QuestionContent
from selfreward.answers.latex import plain
from selfreward.answers.marks import CONCLUDES, bold, is_bare_number
from selfreward.answers.numbers import numbers
from selfreward.answers.sentences import Block, committed, first_statement, parts
from selfreward.answers.words import clean

_DIGITS = re.compile(r"\d[\d.]*")


def number_in(statement: str, asked: QuestionContent) -> str | None:
    """The result of an equation that ends a cleaned `statement`, else the one number of its last part with a new one.

    A number is new where the question lacks it. Where no part holds a new one it is the only number of the last part;
    two numbers in a part are none.
    """
    if (result := _result(statement)) is not None:
        return result
    found = [numbers(part) for part in parts(statement)]
    for part in reversed(found):
        new = set(part) - asked.numbers
        if new:
            return new.pop() if len(new) == 1 else None
    return found[-1][0] if len(found[-1]) == 1 else None


def number_of(piece: str, asked: QuestionContent) -> str | None:
    """The number of a text that is an answer alone."""
    return number_in(committed(clean(plain(piece))), asked)


def stated_numbers(found: Sequence[Block], asked: QuestionContent) -> Sequence[str | None]:
    """The numbers that a reply without a mark commits to, and None for a statement of none; they may contradict.

    1. A last line that is a number and its unit, behind other lines; or the last sentence with a number, where it opens
       with "so", "therefore" or the like and others go before it.
    2. Numbers in bold type that the question lacks.
    3. The first statement and the results of all equations, which must be the same. A first statement that only repeats
       a number of the question is none where later ones bring new ones.
    """
    said = [sentence for block in found for sentence in block.said]
    telling = [sentence for sentence in said if numbers(sentence)]
    if len(found) > 1 and is_bare_number(found[-1].raw) and not is_bare_number(found[-2].raw):
        return [number_in(committed(sentence), asked) for sentence in found[-1].said[-1:]]
    strong = {
        span: number
        for span in bold(found)
        if (number := number_in(span, asked)) is not None and number not in asked.numbers
    }
    if len(telling) > 1 and CONCLUDES.match(telling[-1]):
        within = {number for span, number in strong.items() if span in telling[-1]}
        if len(within) == 1:
            return [*within]
        return [_computed(telling[-1]) or number_in(committed(telling[-1]), asked)]
    if strong:
        return [*strong.values()]
    first = first_statement(found)
    repeats = len(parts(first)) == 1 and set(numbers(first)) <= asked.numbers
    if repeats and any(not set(numbers(sentence)) <= asked.numbers for sentence in telling):
        return []
    return [number_in(committed(first), asked), *map(_computed, said)]


def _computed(sentence: str) -> str | None:
    """The result of the equation in `sentence`, in its trailing clause if it must be."""
    said = committed(sentence)
    return (_result(said) or _result(sentence)) if said else None


def _result(statement: str) -> str | None:
    """The number behind the last equals sign of a cleaned `statement`, where several stand before it."""
    left, equals, right = statement.replace("equals", "=").rpartition("=")
    result = numbers(right)
    return result[0] if equals and len(result) == 1 and len(_DIGITS.findall(parts(left)[-1])) > 1 else None
