"""Pairs of answers that people compared, read from a row of any data set.

A row holds chosen and rejected, or several answers with ratings, with ranks or best first. Every two answers make a
pair, equal ratings none. Answers are compared without the thoughts before them.
"""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, cast

from selfreward.data.columns import Cells, Columns, Name, RowError, find, get, get_all, need
from selfreward.data.messages import conversation, is_conversation, transcript, without_answer
from selfreward.data.prompts import asked_turns, said, says_something, stratum_of, text_of
from selfreward.data.roles import HumanPair, LeftOut
from selfreward.records import Message, make_prompt
from selfreward.thought import split_thought

_SIDES: tuple[Name, ...] = ("chosen", "rejected")
_ORDERS: tuple[Name, ...] = ("ratings", "ranks")


def read_pairs(row: Cells, columns: Columns, system: str) -> Iterator[HumanPair | LeftOut]:
    """The pairs of a row, and a LeftOut for each two answers that make none. Raises RowError."""
    explicit = find(columns, "chosen", row) is not None
    if explicit:
        turns, texts = _chosen_and_rejected(row, columns)
    else:
        turns, texts = asked_turns(row, columns)[0], _answers(row, columns)
    if not says_something(turns):
        yield LeftOut("empty")
        return
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source="human_pairs")
    # Ranks order answers and say nothing of how much better one is.
    ranked = _by_rank(columns, row)
    scores = _scores(row, columns, len(texts))
    thoughts, answers = zip(*map(split_thought, texts), strict=True)
    for (first, better), (second, worse) in combinations(enumerate(answers), 2):
        margin = None if scores is None else _difference(scores[first], scores[second])
        if not better.strip() or not worse.strip():
            yield LeftOut("no_answer")
        elif better == worse:
            yield LeftOut("same_answers")
        elif scores is not None and margin is None:
            yield LeftOut("unrated")
        elif margin == 0:
            yield LeftOut("equal_ratings")
        elif margin is not None and margin < 0 and explicit:
            yield LeftOut("rated_against")
        else:
            chosen, rejected = (first, second) if margin is None or margin > 0 else (second, first)
            yield HumanPair(
                prompt=prompt,
                chosen=answers[chosen],
                rejected=answers[rejected],
                margin=None if margin is None or ranked else abs(margin),
                places=(chosen, rejected),
                answers=len(texts),
                chosen_thought=thoughts[chosen],
                rejected_thought=thoughts[rejected],
            )


def _by_rank(columns: Columns, row: Cells) -> bool:
    return columns.ratings is None and find(columns, "ranks", row) is not None


def _chosen_and_rejected(row: Cells, columns: Columns) -> tuple[list[Message], list[str]]:
    """The prompt, set apart or shared by both conversations, and the two answers to it."""
    sides = []
    for name in _SIDES:
        column = need(columns, name, row)[0]
        value = get(row, column)
        turns = (
            conversation(value, column) if is_conversation(value) else transcript(text_of(value, column, name), column)
        )
        sides.append(without_answer(turns) if turns is not None else (None, text_of(value, column, name)))
    (chosen_turns, chosen), (rejected_turns, rejected) = sides
    answers = [chosen or "", rejected or ""]
    if find(columns, "prompt", row) is not None:
        return asked_turns(row, columns)[0], answers
    if not chosen_turns or not rejected_turns:
        need(columns, "prompt", row)
    if chosen_turns != rejected_turns:
        raise RowError("has chosen and rejected conversations that part before their last answer: set columns.prompt")
    return cast("list[Message]", chosen_turns), answers


def _answers(row: Cells, columns: Columns) -> list[str]:
    if find(columns, "answers", row) is None:
        raise RowError("has neither chosen and rejected nor several answers: set columns.chosen or columns.answers")
    names = need(columns, "answers", row)
    if columns.answers is None and not any(find(columns, name, row) for name in _ORDERS):
        raise RowError(
            f"has answers in {names[0]!r} and no ratings or ranks: set columns.answers if the best comes first"
        )
    values = get_all(row, names)
    if len(values) < 2:
        raise RowError(f"has fewer than two answers in {names[0]!r}: set columns.answers")
    return [said(value, names[0], "answers") for value in values]


def _scores(row: Cells, columns: Columns, count: int) -> list[float | None] | None:
    """How good each answer is, higher is better; None for a missing rating, and altogether where nobody rated."""
    name: Name = "ranks" if _by_rank(columns, row) else "ratings"
    names = find(columns, name, row)
    if names is None:
        return None
    values = get_all(row, names)
    if len(values) != count:
        raise RowError(f"has {count} answers and {len(values)} {name} in {names[0]!r}: set columns.{name}")
    numbers = [_number(value, names[0]) for value in values]
    return [None if number is None else -number for number in numbers] if name == "ranks" else numbers


def _number(value: Any, column: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RowError(f"has {str(value)[:40]!r} in column {column!r}, which is no number")
    return number


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
