"""Where in a row of any data set the prompt, the answers and the ratings stand."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import regex
from pydantic import field_validator

from selfreward.records import Match
from selfreward.spec import Spec, neutral

CUTS = ("boxed", "hashes")
"""The values of `reference_pattern` that name a way to cut and are no regular expression."""

Column = str | tuple[str, ...]
Cells = Mapping[str, Any]


class RowError(ValueError):
    """A row that cannot be read; the message says the column, what was found and what to set."""


class Columns(Spec):
    """Columns by name, found by their usual names where null.

    `instances.0.output` and `completions.*.response` go into nested values.

    prompt: the question, or a list of messages; several columns are joined by a blank line, empty ones skipped.
    answer: what a person answered; in prompt roles the references, one or a list.
    reference_pattern: `boxed`, `hashes` or a regular expression whose one group cuts the reference out of the answer.
    match: how an answer is compared with the references; a prompt with a match is closed unless `stratum` says else.
    stratum: `open`, `closed`, or the column that says which.
    chosen, rejected: the preferred answer and the other one, as text or as whole conversations.
    answers: several answers to one prompt, best first, in one column or in several.
    ratings: how good each of `answers` is, or chosen and rejected; higher is better.
    ranks: the place of each of `answers`; 1 is best.
    verdicts: which of two answers each person prefers, `first`, `second` or `tie`; chosen counts as the first.
    authors: the model or person that wrote each answer, chosen before rejected.
    """

    prompt: Column | None = None
    answer: Column | None = None
    reference_pattern: str | None = None
    match: Match | None = None
    stratum: str | None = None
    chosen: Column | None = None
    rejected: Column | None = None
    answers: Column | None = None
    ratings: Column | None = None
    ranks: Column | None = None
    verdicts: Column | None = neutral(None)
    authors: Column | None = neutral(None)

    @field_validator("reference_pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None and pattern not in CUTS:
            try:
                groups = regex.compile(pattern).groups
            except regex.error as error:
                raise ValueError(f"is no regular expression ({error})") from error
            if groups != 1:
                raise ValueError(
                    f"has {groups} groups: name {' or '.join(CUTS)}, or put parentheses around the reference alone, as "
                    "in '#### (.*)'"
                )
        return pattern


Name = Literal["prompt", "answer", "chosen", "rejected", "answers", "ratings", "ranks", "verdicts", "authors"]

USUAL: Mapping[Name, Sequence[tuple[str, ...]]] = {
    "prompt": (
        ("prompt",),
        ("instruction", "input"),
        ("instruction", "instances.0.input"),
        ("instruction", "context"),
        ("instruction",),
        ("messages",),
        ("conversations",),
        ("conversation",),
        ("question",),
        ("problem",),
        ("query",),
        ("input",),
        ("goal",),
    ),
    "answer": (
        ("references",),
        ("reference",),
        ("answer",),
        ("output",),
        ("response",),
        ("completion",),
        ("instances.0.output",),
        ("answers.text",),
        ("answers",),
        ("solution",),
    ),
    "chosen": (("chosen",), ("right",), ("preferred",)),
    "rejected": (("rejected",), ("wrong",), ("dispreferred",)),
    "answers": (("answers",), ("responses",), ("completions",), ("candidates",)),
    "ratings": (
        ("ratings",),
        ("scores",),
        ("score_chosen", "score_rejected"),
        ("chosen_score", "rejected_score"),
        ("chosen_rating", "rejected_rating"),
    ),
    "ranks": (("ranks",), ("ranking",), ("rank",)),
    "verdicts": (("verdicts",),),
    "authors": (
        ("chosen_author", "rejected_author"),
        ("right_author", "wrong_author"),
        ("chosen_model", "rejected_model"),
        ("first_author", "second_author"),
    ),
}


def find(columns: Columns, name: Name, row: Cells) -> tuple[str, ...] | None:
    """The columns of `row` that hold `name`: those set, else the first usual ones that are there, else None.

    Raises RowError where a column that was set is not in the row.
    """
    given: Column | None = getattr(columns, name)
    if given is None:
        spelt = {column.lower(): column for column in row}
        named = (tuple(spelt.get(column, column) for column in usual) for usual in USUAL[name])
        return next((usual for usual in named if all(has(row, column) for column in usual)), None)
    wanted = (given,) if isinstance(given, str) else given
    for column in wanted:
        if not has(row, column):
            raise RowError(f"has no column {column!r} (columns.{name}); it has {told(row)}")
    return wanted


def need(columns: Columns, name: Name, row: Cells) -> tuple[str, ...]:
    """As `find`. Raises RowError where there is nothing usual either."""
    found = find(columns, name, row)
    if found is None:
        raise RowError(f"has no column for the {name}; it has {told(row)}: set columns.{name}")
    return found


def told(row: Cells) -> str:
    """The names of the columns of `row`, for messages."""
    return ", ".join(repr(str(name)[:40]) for name in list(row)[:12]) or "none"


def has(row: Cells, column: str) -> bool:
    """Whether `row` has `column`, or what the dotted path leads to."""
    try:
        get(row, column)
    except LookupError:
        return False
    return True


def get(row: Cells, column: str) -> Any:
    """The value of `column`, which may be a dotted path; `*` takes every item of a list. Raises LookupError."""
    return row[column] if column in row else _follow(row, column.split("."))


def get_all(row: Cells, names: Sequence[str]) -> list[Any]:
    """The items of the one column of `names` where it holds a list, else the values of all. Raises LookupError."""
    value = get(row, names[0])
    return value if len(names) == 1 and isinstance(value, list) else [get(row, name) for name in names]


def _follow(value: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        return _follow(value[step], rest)
    if isinstance(value, list) and step == "*":
        return [_follow(item, rest) for item in value]
    if isinstance(value, list) and step.isdecimal():
        return _follow(value[int(step)], rest)
    raise LookupError(step)
