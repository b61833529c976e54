"""Which of two answers a row says is better, in whatever words, and what numbers mean in the data set as a whole.

A number that stands for an answer is read only where nothing else can be meant: 1 and 2 where 2 occurs in the data and
0 does not, or where the two answers are numbered so; 0 and 1 where the answers are numbered so, or where the column is
an index by its name and 0 occurs. A `label` of 0 and 1 may as well say whether the first answer won: it is refused.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from selfreward.data.columns import Cells, Columns, Name, RowError, find, first_of, get, get_all, key_of
from selfreward.data.question import shown_choices
from selfreward.data.roles import PROMPT_ROLES, Role
from selfreward.records import Verdict

FIRST_ROWS = 1000
"""How many rows are looked at for a number that needs all of them."""

ORDERING: tuple[Name, ...] = ("ratings", "ranks", "verdicts")
"""What may order answers beside a winner."""

Found = TypeVar("Found")

_TIES = ("tie", "tie bothbad", "tie both bad", "both", "both bad", "bothbad", "neither", "equal", "same", "draw")
_SPELT: dict[str, Verdict] = {
    **dict.fromkeys(("first", "a", "one"), "first"),
    **dict.fromkeys(("second", "b", "two"), "second"),
    **dict.fromkeys(_TIES, "tie"),
}
_NAMED = re.compile(r"^(?:the )?(?:model|response|answer|assistant|output|completion|candidate|option|conversation) ?")
_INDEX = re.compile(r"(?:^|_)(?:id|idx|index|winner|better|best)$", re.IGNORECASE)
# Only what these hold is asked for a verdict; the other usual names hold other things as often.
_SURE = ("winner", "winner_model_a", "better_response_id")


def winner_columns(row: Cells, columns: Columns, answers: Sequence[str]) -> tuple[str, ...] | None:
    """The columns that say which of `answers` won: those set, or usual ones; None where nothing does.

    Where something else orders the answers, `label` and the like are not asked; nor where their value names no answer.
    Raises RowError where a column that was set is not in the row.
    """
    names = find(columns, "winner", row)
    if columns.winner is not None or names is None or names[0].lower() in _SURE:
        return names
    if any(find(columns, name, row) is not None for name in ORDERING):
        return None
    try:
        return names if winner_of(row, names, columns, answers) is not None else None
    except RowError:
        return None


def winner_of(row: Cells, names: Sequence[str], columns: Columns, answers: Sequence[str]) -> Verdict | None:
    """Which of the two `answers`, given by the names of their columns, won; None where the row does not say.

    The author of an answer stands for it. Raises RowError for a value that cannot be told.
    """
    if len(names) == 1:
        value = get(row, names[0])
        try:
            authors = find(columns, "authors", row)
        except RowError:
            authors = None
        written = [] if authors is None else get_all(row, authors)
        if isinstance(value, str) and len(written) == 2 and written.count(value) == 1:
            return "first" if written[0] == value else "second"
        return verdict_of(value, names[0], columns, answers)
    sides: tuple[Verdict, ...] = ("first", "second", "tie")
    flags = [_flag(get(row, name), name) for name in names]
    won = [side for side, flag in zip(sides, flags, strict=False) if flag]
    if len(names) > len(sides) or len(won) > 1:
        raise RowError(
            f"has {len(won)} winners in {', '.join(map(repr, names))}: set columns.winner to one column, or to one "
            "that is true where the first answer won, one for the second and one for neither",
            "winner_not_told",
        )
    return won[0] if won else None


def verdict_of(value: Any, column: str, columns: Columns, answers: Sequence[str]) -> Verdict | None:
    """The answer that `value` of `column` names; None for a missing value. Raises RowError where it cannot be told."""
    if value is None or value == "" or value != value:
        return None
    key = key_of(value)
    given = columns.winner_values or {}
    if (found := given.get(key) or given.get(_sign(key)) or given.get(str(_number(key)))) is not None:
        return found
    if key in (lowered := [name.lower() for name in answers]) and len(answers) == 2:
        return "first" if lowered.index(key) == 0 else "second"
    if (spelled := _SPELT.get(_bare(key.replace("-", " ")))) is not None:
        return spelled
    number, numbers = _number(key), _numbers(answers)
    if number is not None and number in numbers and not any(_number(one) is not None for one in given):
        return "first" if number == numbers[0] else "second"
    raise RowError(
        f"has {str(value)[:40]!r} in column {column!r}, and nothing says which answer that means: set "
        f"columns.winner_values to what each value of {column!r} means, first, second or tie",
        "winner_not_told",
    )


def verdicts_of(row: Cells, columns: Columns, answers: Sequence[str]) -> tuple[Verdict, ...]:
    """Which of the two `answers` each person prefers, those left out who said nothing. Raises RowError as above."""
    names = find(columns, "verdicts", row)
    if names is None or get(row, names[0]) is None:
        return ()
    said = [verdict_of(one, names[0], columns, answers) for one in get_all(row, names)]
    return tuple(verdict for verdict in said if verdict is not None)


def settled(role: Role, columns: Columns, first: Sequence[Cells], rows: Callable[[], Iterable[Cells]]) -> Columns:
    """`columns` with `winner_values` or `first_choice` as all `rows` settle them, if the `first` hold such numbers."""

    def union(found_in: Callable[[Cells, Columns], set[Found]]) -> set[Found]:
        def found(row: Cells) -> set[Found]:
            try:
                return found_in(row, columns)
            except RowError:
                return set()

        return {one for row in rows() for one in found(row)} if any(map(found, first)) else set()

    if role in PROMPT_ROLES and columns.first_choice is None:
        # The number 0 is none of 1 to n, the number n is none of 0 to n - 1.
        ends = union(_choice_at_an_end)
        return columns.model_copy(update={"first_choice": ends.pop()}) if len(ends) == 1 else columns
    if role not in (*PROMPT_ROLES, "human", "feedback") and columns.winner_values is None:
        return columns.model_copy(update={"winner_values": _values_of(union(_numbered_verdicts))})
    return columns


def _numbered_verdicts(row: Cells, columns: Columns) -> set[tuple[int, bool]]:
    """The numbers that a row gives for verdicts on answers without numbers, and whether each is the place of one."""
    answers = find(columns, "answers", row)
    if answers is None or _numbers(answers):
        return set()
    won, voted = find(columns, "winner", row) or (), find(columns, "verdicts", row)
    sources = [won if len(won) == 1 else None, voted]
    keys = [(key_of(value), names[0]) for names in sources if names for value in get_all(row, names)]
    return {
        (number, not key.isdecimal() or _INDEX.search(column) is not None)
        for key, column in keys
        if (number := _number(key)) is not None
    }


def _values_of(verdicts: Collection[tuple[int, bool]]) -> dict[str, Verdict] | None:
    """What the numbers of all rows, as `_numbered_verdicts` finds them, mean where they can mean one thing alone."""
    numbers = {number for number, _ in verdicts}
    if numbers in ({1, 2}, {2}):
        return {"1": "first", "2": "second"}
    if numbers in ({0, 1}, {0}) and all(is_place for _, is_place in verdicts):
        return {"0": "first", "1": "second"}
    return None


def _choice_at_an_end(row: Cells, columns: Columns) -> set[int]:
    """The number of the first option, where the answer of a row is a number that tells it."""
    value = first_of(columns, "answer", row)[1]
    if not isinstance(value, int) or isinstance(value, bool) or not (choices := shown_choices(row, columns)):
        return set()
    return {0} if value == 0 else {1} if value == len(choices) else set()


def _number(key: str) -> int | None:
    """The number that a verdict gives an answer, as in `2` and in `response_2`."""
    said = _bare(key)
    return int(said) if re.fullmatch(r"\d{1,3}", said) else None


def _bare(key: str) -> str:
    """The words of a verdict without the "model" or "response" that they begin with."""
    return _NAMED.sub("", " ".join(re.sub(r"[^\w-]+|_", " ", key).split()))


def _numbers(answers: Sequence[str]) -> list[int]:
    """The numbers at the end of the names of two answers; empty where they have none."""
    found = [re.search(r"(\d+)$", name) for name in answers]
    return [int(one[1]) for one in found if one is not None] if len(answers) == 2 and all(found) else []


def _sign(key: str) -> str:
    try:
        number = float(key)
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    return "negative" if number < 0 else "positive" if number > 0 else "zero"


def _flag(value: Any, column: str) -> bool:
    key = key_of(value)
    if key not in ("1", "true", "0", "false", "none", ""):
        raise RowError(f"has {str(value)[:40]!r} in column {column!r}, which is neither 0 nor 1", "winner_not_told")
    return key in ("1", "true")
