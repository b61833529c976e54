"""What numbers in a data set mean, where all its values together leave one meaning and one row does not."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from selfreward.data.columns import Cells, Columns, RowError, first_of
from selfreward.data.question import shown_choices
from selfreward.data.roles import PROMPT_ROLES, Role
from selfreward.data.winners import numbered_verdicts, values_of

FIRST_ROWS = 1000
"""How many rows are looked at for a number that needs all of them."""
Found = TypeVar("Found")


def settled(role: Role, columns: Columns, first: Sequence[Cells], rows: Callable[[], Iterable[Cells]]) -> Columns:
    """`columns` with `winner_values` or `first_choice`, where the values of all `rows` settle them.

    Where the `first` rows have no such number, no more are looked at.
    """

    def union(found_in: Callable[[Cells, Columns], set[Found]]) -> set[Found]:
        if not any(found_in(row, columns) for row in first):
            return set()
        return {one for row in rows() for one in found_in(row, columns)}

    if role in PROMPT_ROLES and columns.first_choice is None:
        # The number 0 is none of 1 to n, the number n is none of 0 to n - 1.
        ends = union(_choice_at_an_end)
        return columns.model_copy(update={"first_choice": ends.pop()}) if len(ends) == 1 else columns
    if role not in PROMPT_ROLES and role != "human" and columns.winner_values is None:
        return columns.model_copy(update={"winner_values": values_of(union(numbered_verdicts))})
    return columns


def _choice_at_an_end(row: Cells, columns: Columns) -> set[int]:
    """The number of the first option, where the answer of a row is a number that tells it."""
    try:
        value = first_of(columns, "answer", row)[1]
        if not isinstance(value, int) or isinstance(value, bool) or not (choices := shown_choices(row, columns)):
            return set()
    except RowError:
        return set()
    return {0} if value == 0 else {1} if value == len(choices) else set()
