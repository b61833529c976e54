"""How the answers of a row stand to each other: which of two is better, by how much, or why nobody can say."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selfreward.data.columns import Cells, Columns, Name, RowError, columns_held, find, get, get_all
from selfreward.data.roles import LeftOut
from selfreward.data.sides import is_explicit
from selfreward.data.winners import verdicts_of, winner_columns, winner_of
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

    def of(self, first: int, second: int) -> "Better | LeftOut":
        """Which of two answers, given by their places, is better."""
        rated = None if self.scores is None else _difference(self.scores[first], self.scores[second])
        size = None if rated is None or self.ranked else abs(rated)
        if self.winner == "tie":
            return LeftOut("tie")
        if self.winner is not None:
            if rated is not None and rated != 0 and (rated > 0) != (self.winner == "first"):
                return LeftOut("rated_against")
            return Better(self.winner == "first", size if self.strength is None else self.strength)
        if self.scores is None:
            return LeftOut(self.missing or "no_winner")
        if rated is None:
            return LeftOut("unrated")
        return LeftOut("equal_ratings") if rated == 0 else Better(rated > 0, size)


@dataclass(frozen=True, slots=True)
class Better:
    """Whether the first of two answers is the better one, and by how much; None where nobody said."""

    first: bool
    margin: float | None


def standing(row: Cells, columns: Columns, names: Sequence[str], count: int, *, skip: bool) -> StatedOrder:
    """What orders the `count` answers in the columns `names`.

    Raises RowError where nothing does, or what does cannot be read. Where bad rows are to `skip`, a rating that is no
    number is a missing one.
    """
    ranked = columns.ratings is None and find(columns, "ranks", row) is not None
    scores = _scores(row, columns, count, "ranks" if ranked else "ratings", skip)
    if is_explicit(row, columns):
        return _explicit(columns, scores, ranked)
    voted = find(columns, "verdicts", row) is not None
    ordered = scores is not None or voted
    won = winner_columns(row, columns, names, ordered=ordered)
    if columns.order is not None:
        if won is not None or ordered:
            raise RowError(
                f"is read best first (columns.order) and has {_said_by(row, columns, won)!r}, which says what is "
                "best: leave columns.order out",
                "two_orders",
            )
        return StatedOrder(scores=tuple(float(-place) for place in range(count)), ranked=True)
    if won is not None and (count == 2 or columns.winner is not None or scores is None):
        _check_two(count, won[0])
        winner = winner_of(row, won, columns, names)
        # Ratings that nobody named do not speak against a winner that somebody named.
        named = columns.winner is None or columns.ratings is not None or columns.ranks is not None
        return StatedOrder(scores if named else None, ranked, winner, "no_winner", _strength(row, columns, skip))
    if scores is not None:
        return StatedOrder(scores, ranked)
    if voted:
        said = verdicts_of(row, columns, names)
        _check_two(count, (find(columns, "verdicts", row) or ("",))[0])
        return StatedOrder(winner=majority(said), missing="verdicts_are_split" if said else "no_winner")
    raise RowError(_nothing_orders(row, names), "answers_not_ordered")


def _explicit(columns: Columns, scores: tuple[float | None, ...] | None, ranked: bool) -> StatedOrder:
    """Chosen beats rejected; ratings may say by how much, or that they are equal."""
    if columns.winner is not None:
        raise RowError(
            "has chosen and rejected beside columns.winner: set columns.answers to the two answers that the winner is "
            "one of, or leave columns.winner out",
            "two_orders",
        )
    if scores is None:
        return StatedOrder(winner="first")
    if None in scores:
        return StatedOrder(missing="unrated")
    return StatedOrder(scores, ranked) if scores[0] == scores[1] else StatedOrder(scores, ranked, "first")


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


def _said_by(row: Cells, columns: Columns, won: tuple[str, ...] | None) -> str:
    sources: tuple[Name, ...] = ("ratings", "ranks", "verdicts")
    return next(names[0] for names in (won, *(find(columns, name, row) for name in sources)) if names)


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


def _strength(row: Cells, columns: Columns, skip: bool) -> float | None:
    names = find(columns, "strength", row)
    number = None if names is None else _number(get(row, names[0]), names[0], skip)
    return None if number is None else abs(number)


def _number(value: Any, column: str, skip: bool) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        if skip:
            return None
        raise RowError(
            f"has {str(value)[:40]!r} in column {column!r}, which is no number: mend it, or set data.on_bad_row=skip "
            "to leave out what is compared with it",
            "rating_is_no_number",
        )
    return number


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
