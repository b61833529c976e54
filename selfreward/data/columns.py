"""Where in a row of any data set the prompt, the answers and the ratings stand."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import regex
from pydantic import field_validator

from selfreward.records import Match, Verdict
from selfreward.spec import Spec, neutral

CUTS = ("boxed", "hashes")
"""The values of `reference_pattern` that name a way to cut and are no regular expression."""

Column = str | tuple[str, ...]
Cells = Mapping[str, Any]


class RowError(ValueError):
    """A row that cannot be read; the message says what to set, and `reason` is its kind, to count skipped rows by."""

    def __init__(self, message: str, reason: str = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


class Columns(Spec):
    """Columns by name, found by their usual names where null.

    `instances.0.output` and `completions.*.response` go into nested values.

    prompt: the question, or a list of messages; several columns are joined by a blank line, empty ones skipped.
    system: the system turn of the row.
    history: the turns before the prompt, as messages or as pairs of what the user and the assistant said.
    choices: the options of a question, shown below it behind their letters.
    first_choice: the number of the first option, where an answer is the number of one; null reads it from the data.
    answer: what a person answered; in prompt roles the references, one or a list.
    reference_pattern: `boxed`, `hashes` or a regular expression whose one group cuts the reference out of the answer.
    match: how an answer is compared with the references; a prompt with a match is closed unless `stratum` says else.
    stratum: `open`, `closed`, or the column that says which.
    liked: whether an answer was liked; one that was not is left out.
    chosen, rejected: the preferred answer and the other one, as text or as whole conversations.
    answers: several answers to one prompt, in one column or in several.
    ratings: how good each of `answers` is, or chosen and rejected; higher is better.
    ranks: the place of each of `answers`, the lowest is best.
    winner: which of two answers is better; or columns of which one is true: the first, the second, neither.
    winner_values: what the values of `winner` and `verdicts` mean, where their spelling does not say; `negative`,
        `zero` and `positive` stand for all numbers of that sign.
    strength: how much better the winner is; its size is the margin.
    verdicts: which of two answers each person prefers; chosen counts as the first.
    order: `best_first` where nothing but the place of `answers` says how good they are.
    turn: which answer of two conversations was compared, 1 the first; what follows it is dropped.
    authors: the model or person that wrote each answer, chosen before rejected.
    extra: what a judge that is a function of yours is given beside the prompt, each under its name.
    group: rows with the same value here are one row, with lists of what each of them says of its answer.
    """

    prompt: Column | None = None
    system: Column | None = neutral(None)
    history: Column | None = neutral(None)
    choices: Column | None = neutral(None)
    first_choice: Literal[0, 1] | None = neutral(None)
    answer: Column | None = None
    reference_pattern: str | None = None
    match: Match | None = None
    stratum: str | None = None
    liked: Column | None = neutral(None)
    chosen: Column | None = None
    rejected: Column | None = None
    answers: Column | None = None
    ratings: Column | None = None
    ranks: Column | None = None
    winner: Column | None = neutral(None)
    winner_values: dict[str, Verdict] | None = neutral(None)
    strength: Column | None = neutral(None)
    verdicts: Column | None = neutral(None)
    order: Literal["best_first"] | None = neutral(None)
    turn: Column | None = neutral(None)
    authors: Column | None = neutral(None)
    extra: Column | None = neutral(None)
    group: str | None = neutral(None)

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

    @field_validator("extra")
    @classmethod
    def _leaves_our_own_names(cls, extra: Column | None) -> Column | None:
        names = (extra,) if isinstance(extra, str) else extra or ()
        if taken := sorted({"prompts", "completions", "references"} & set(names)):
            raise ValueError(f"{taken[0]} is what a function is given of ours under that name: rename the column")
        return extra

    @field_validator("winner_values", mode="before")
    @classmethod
    def _values_as_text(cls, values: Any) -> Any:
        return {key_of(value): verdict for value, verdict in values.items()} if isinstance(values, Mapping) else values


def key_of(value: Any) -> str:
    """A value as verdicts are looked up by: without case and outer space, a whole number without its point."""
    text = str(value).strip().lower()
    return text.removesuffix(".0") if re.fullmatch(r"-?\d+\.0", text) else text


Name = Literal[
    "prompt", "system", "history", "choices", "answer", "liked", "chosen", "rejected", "answers", "ratings", "ranks",
    "winner", "strength", "verdicts", "turn", "authors", "extra",
]  # fmt: skip

_ANSWERS = ("response", "answer", "output", "completion", "conversation", "candidate")
_TWO_ANSWERS = [
    f"{name}{one}+{name}{two}"
    for pairs in ((("_a", "_b"), ("_1", "_2"), ("_0", "_1")), (("1", "2"), ("0", "1")))
    for name in _ANSWERS
    for one, two in pairs
]
# The usual names in the order in which they are looked for; columns that are read together are joined by a plus.
_USUAL: Mapping[Name, str] = {
    "prompt": "prompt instruction+input instruction+instances.0.input instruction+context instruction question problem "
    "query turns.0 input goal history",
    "system": "system system_prompt system_message",
    "history": "history",
    "choices": "choices options",
    "answer": "references reference answerkey answer output response completion instances.0.output answers.text "
    "answers solution",
    "liked": "label liked thumbs_up",
    "chosen": "chosen right preferred",
    "rejected": "rejected wrong dispreferred",
    "answers": " ".join(["answers responses completions candidates", *_TWO_ANSWERS]),
    "ratings": "ratings scores score_chosen+score_rejected chosen_score+rejected_score chosen_rating+rejected_rating",
    "ranks": "ranks ranking rank",
    "winner": "winner winner_model_a+winner_model_b+winner_tie better_response_id label preference choice",
    "strength": "",
    "verdicts": "verdicts",
    "turn": "turn",
    "extra": "",
    "authors": "chosen_author+rejected_author right_author+wrong_author chosen_model+rejected_model "
    "first_author+second_author model_a+model_b",
}
CONVERSATIONS = ("messages", "conversations", "conversation", "context")
"""Usual names of whole conversations, read before any other column of the prompt where they hold one."""


def find(columns: Columns, name: Name, row: Cells) -> tuple[str, ...] | None:
    """The columns of `row` that hold `name`: those set, which must be there, else the first usual ones, else None."""
    given: Column | None = getattr(columns, name)
    if given is None:
        return next((names for names in _usual(name, tuple(row)) if all(has(row, one) for one in names)), None)
    wanted = (given,) if isinstance(given, str) else given
    for column in wanted:
        if not has(row, column):
            raise RowError(f"has no column {column!r} (columns.{name}); it has {columns_held(row)}", f"without_{name}")
    return wanted


def spelt(row: Cells, usual: str) -> str | None:
    """The column of `row` that is called `usual`, whatever the case; None where there is none."""
    return _spellings(tuple(row)).get(usual)


@lru_cache(4096)
def _usual(name: Name, there: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The usual names of `name` whose first steps are among the columns that are `there`, as those spell them."""
    of = _spellings(there)
    paths = [[column.split(".", 1) for column in names.split("+")] for names in _USUAL[name].split()]
    return [
        tuple(".".join([of[head], *rest]) for head, *rest in names)
        for names in paths
        if all(head in of for head, *_ in names)
    ]


def _spellings(there: tuple[str, ...]) -> dict[str, str]:
    """The columns that are `there`, by their names in lower case and as they are."""
    return {str(column).lower(): column for column in there} | {column: column for column in there}


def first_of(columns: Columns, name: Name, row: Cells) -> tuple[str, Any]:
    """The first column that `find` finds and its value; an empty name and None where there is none."""
    names = find(columns, name, row)
    return ("", None) if names is None else (names[0], get(row, names[0]))


def need(columns: Columns, name: Name, row: Cells) -> tuple[str, ...]:
    """As `find`. Raises RowError where there is nothing usual either."""
    found = find(columns, name, row)
    if found is None:
        raise RowError(
            f"has no column for the {name}; it has {columns_held(row)}: set columns.{name}", f"without_{name}"
        )
    return found


def columns_held(row: Cells) -> str:
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
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise LookupError(step) from None
    if isinstance(value, Mapping):
        return _follow(value[step], rest)
    if isinstance(value, list) and step == "*":
        return [_follow(item, rest) for item in value]
    if isinstance(value, list) and step.isdecimal():
        return _follow(value[int(step)], rest)
    raise LookupError(step)
