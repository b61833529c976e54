"""How the answers of a row stand to each other: which of two is better, by how much, or why nobody can say."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selfreward.data.columns import Cells, Columns, Name, RowError, columns_held, find, first_of, get_all
from selfreward.data.question import is_explicit
from selfreward.data.roles import LeftOut
from selfreward.data.winners import ORDERING, verdicts_of, winner_columns, winner_of
from selfreward.records import Verdict, majority

# A column of such a name may say which answer is better: then the places of the answers need not.
_JUDGING = re.compile(
    r"winner|won|prefer|better|best|label|chosen|choice|verdict|vote|annotat|rank|rating|score|judg", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class StatedOrder:
    """What orders the answers of a row.

    `scores` says how good each is, higher is better, None for a missing one; None altogether where nobody rated.
    `winner` is the better of two, `missing` why there is none. `strength` is how much better the winner is. `ranked`
    scores say nothing of how much.
    """

    scores: tuple[float | None, ...] | None = None
    ranked: bool = False
    winner: Verdict | None = None
    missing: str | None = None
    strength: float | None = None

    def better(self, first: int, second: int) -> tuple[bool, float | None] | LeftOut:
        """Whether the first of two answers, given by their places, is better, and by how much; None if nobody said."""
        left, right = (None, None) if self.scores is None else (self.scores[first], self.scores[second])
        rated = None if left is None or right is None else left - right
        size = None if rated is None or self.ranked else abs(rated)
        if self.winner == "tie":
            return LeftOut("tie")
        if self.winner is not None:
            if rated and (rated > 0) != (self.winner == "first"):
                return LeftOut("rated_against")
            return self.winner == "first", size if self.strength is None else self.strength
        if self.scores is None:
            return LeftOut(self.missing or "no_winner")
        if not rated:
            return LeftOut("unrated" if rated is None else "equal_ratings")
        return rated > 0, size


def stated_order(row: Cells, columns: Columns, names: Sequence[str], count: int, *, skip: bool) -> StatedOrder:
    """What orders the `count` answers in the columns `names`.

    Raises RowError where nothing does or it cannot be read; with `skip`, a rating that is no number is a missing one.
    """
    ranked = columns.ratings is None and find(columns, "ranks", row) is not None
    scores = _scores(row, columns, count, "ranks" if ranked else "ratings", skip)
    if is_explicit(row, columns):
        return _explicit(columns, scores, ranked)
    voted = find(columns, "verdicts", row)
    won = winner_columns(row, columns, names)
    if columns.order is not None:
        said = [won, *(find(columns, name, row) for name in ORDERING)]
        if by := next(filter(None, said), None):
            raise RowError(
                f"is read best first (columns.order) and has {by[0]!r}, which says what is best: leave columns.order "
                "out",
                "two_orders",
            )
        return StatedOrder(scores=tuple(float(-place) for place in range(count)), ranked=True)
    if won is not None and (count == 2 or columns.winner is not None or scores is None):
        _check_two(count, won[0])
        winner = winner_of(row, won, columns, names)
        column, value = first_of(columns, "strength", row)
        strength = _number(value, column, skip)
        # Ratings that nobody named do not speak against a winner that somebody named.
        named = columns.winner is None or columns.ratings is not None or columns.ranks is not None
        size = None if strength is None else abs(strength)
        return StatedOrder(scores if named else None, ranked, winner, "no_winner", size)
    if scores is not None:
        return StatedOrder(scores, ranked)
    if voted is not None:
        verdicts = verdicts_of(row, columns, names)
        _check_two(count, voted[0])
        return StatedOrder(winner=majority(verdicts), missing="verdicts_are_split" if verdicts else "no_winner")
    raise RowError(_nothing_orders(row, names), "answers_not_ordered")


def _explicit(columns: Columns, scores: tuple[float | None, ...] | None, ranked: bool) -> StatedOrder:
    """Chosen beats rejected; ratings may say by how much, or that they are equal."""
    if columns.winner is not None:
        raise RowError(
            "has chosen and rejected beside columns.winner: set columns.answers to the two answers that the winner is "
            "one of, or leave columns.winner out",
            "two_orders",
        )
    if scores is not None and None in scores:
        return StatedOrder(missing="unrated")
    return StatedOrder(scores, ranked, "first" if scores is None or scores[0] != scores[1] else None)


def _nothing_orders(row: Cells, names: Sequence[str]) -> str:
    """What to say where answers have nothing that orders them; never that their places do where a column may."""
    others = [column for column in row if column not in {name.split(".")[0] for name in names}]
    judging = [column for column in others if _JUDGING.search(str(column))]
    shown = " and ".join(map(repr, names))
    if judging:
        return (
            f"has answers in {shown} and nothing that is known to say which is better; {', '.join(map(repr, judging))} "
            "may: set columns.winner (with columns.winner_values), columns.ratings or columns.ranks to it"
        )
    return (
        f"has answers in {shown} and no ratings or ranks; it has {columns_held(row)}: set columns.winner, "
        "columns.ratings or columns.ranks to the column that says which is better, or columns.order=best_first if each "
        "row has its best answer first"
    )


def _check_two(count: int, column: str) -> None:
    if count != 2:
        raise RowError(
            f"has {count} answers and a winner or verdicts in {column!r}, which are read of two answers: set "
            "columns.ratings or columns.ranks, or give each two answers a row",
            "winner_of_many",
        )


def _scores(row: Cells, columns: Columns, count: int, name: Name, skip: bool) -> tuple[float | None, ...] | None:
    """How good each answer is, higher is better; None for a missing rating, and altogether where nobody rated."""
    names = find(columns, name, row)
    if names is None:
        return None
    values = get_all(row, names)
    if len(values) != count:
        raise RowError(
            f"has {count} answers and {len(values)} {name} in {names[0]!r}: set columns.{name}", f"too_few_{name}"
        )
    numbers = [_number(value, names[0], skip) for value in values]
    return tuple(None if number is None else -number if name == "ranks" else number for number in numbers)


def _number(value: Any, column: str, skip: bool) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number):
        return number
    if skip:
        return None
    raise RowError(
        f"has {str(value)[:40]!r} in column {column!r}, which is no number: mend it, or set data.on_bad_row=skip to "
        "leave out what is compared with it",
        "rating_is_no_number",
    )
