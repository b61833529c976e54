"""What numbers in a data set mean, where all its values together leave one meaning and one row does not."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from selfreward.data.columns import Cells, Columns, RowError, find, get
from selfreward.data.question import choices_of, shows_choices
from selfreward.data.roles import PROMPT_ROLES, Role
from selfreward.data.winners import numbered_verdicts, values_of

FIRST_ROWS = 1000
"""How many rows are looked at for a number that needs all of them."""
Found = TypeVar("Found")


def settled(role: Role, columns: Columns, first: Sequence[Cells], rows: Callable[[], Iterable[Cells]]) -> Columns:
    """`columns` with `winner_values` or `first_choice`, where the values of all `rows` settle them.

    Where the `first` rows have no such number, no more are looked at.
    """
    if role in PROMPT_ROLES:
        if columns.first_choice is not None:
            return columns
        # The number 0 is none of 1 to n, the number n is none of 0 to n - 1.
        ends = _union(_choice_at_an_end, columns, first, rows)
        return columns.model_copy(update={"first_choice": ends.pop()}) if len(ends) == 1 else columns
    if role == "human" or columns.winner_values is not None:
        return columns
    verdicts = _union(numbered_verdicts, columns, first, rows)
    return columns.model_copy(update={"winner_values": values_of(verdicts)})


def _union(
    found_in: Callable[[Cells, Columns], set[Found]],
    columns: Columns,
    first: Sequence[Cells],
    rows: Callable[[], Iterable[Cells]],
) -> set[Found]:
    if not any(found_in(row, columns) for row in first):
        return set()
    return {one for row in rows() for one in found_in(row, columns)}


def _choice_at_an_end(row: Cells, columns: Columns) -> set[int]:
    """The number of the first option, where the answer of a row is a number that tells it."""
    try:
        names = find(columns, "answer", row)
        value = None if names is None else get(row, names[0])
        if not isinstance(value, int) or isinstance(value, bool) or not shows_choices(row, columns):
            return set()
        return {0} if value == 0 else {1} if value == len(choices_of(row, columns)) else set()
    except RowError:
        return set()
