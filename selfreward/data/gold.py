"""A pair of answers that people compared as gold: what each person said, and who wrote the answers."""

from typing import Any, cast, get_args

from selfreward.data.columns import Cells, Columns, RowError, find, get_all
from selfreward.data.prompts import text_of
from selfreward.data.roles import HumanPair, Role
from selfreward.records import SWAPPED, GoldPair, Verdict, digest_of, majority


def gold_pair(role: Role, pair: HumanPair, row: Cells, columns: Columns) -> GoldPair:
    """`pair` with the verdicts and authors of its `row`, without thoughts; the id is that of its texts alone.

    Raises RowError.
    """
    right_author, wrong_author = _authors(pair, row, columns)
    return GoldPair(
        id=digest_of("gold", pair.prompt.id, pair.chosen, pair.rejected),
        messages=pair.prompt.messages,
        right=pair.chosen,
        wrong=pair.rejected,
        source=role,
        verdicts=_verdicts(pair, row, columns),
        right_author=right_author,
        wrong_author=wrong_author,
    )


def _verdicts(pair: HumanPair, row: Cells, columns: Columns) -> tuple[Verdict, ...]:
    """One verdict a person, `first` for the chosen answer; a row without any says as much as one person."""
    names = find(columns, "verdicts", row)
    there = [] if names is None else [value for value in get_all(row, names) if value not in (None, "")]
    if names is None or not there:
        return ("first",)
    said = tuple(_verdict(value, names[0]) for value in there)
    if pair.answers != 2:
        raise RowError(f"has verdicts in {names[0]!r} on {pair.answers} answers: give each two answers a row")
    if pair.places == (1, 0):
        said = tuple(SWAPPED[verdict] for verdict in said)
    if majority(said) != "first":
        raise RowError(
            f"has verdicts in {names[0]!r} of which most are not for the answer that is chosen or rated higher: leave "
            "the row out, or chosen and rejected are the wrong way round (`first` is chosen)"
        )
    return said


def _verdict(value: Any, column: str) -> Verdict:
    if value not in get_args(Verdict):
        raise RowError(f"has {str(value)[:40]!r} in column {column!r}, which is none of {', '.join(get_args(Verdict))}")
    return cast(Verdict, value)


def _authors(pair: HumanPair, row: Cells, columns: Columns) -> tuple[str | None, str | None]:
    """Who wrote the chosen answer and the rejected one."""
    names = find(columns, "authors", row)
    if names is None:
        return None, None
    values = get_all(row, names)
    if len(values) != pair.answers:
        raise RowError(f"has {pair.answers} answers and {len(values)} authors in {names[0]!r}: set columns.authors")
    chosen, rejected = (text_of(values[place], names[0], "authors") or None for place in pair.places)
    return chosen, rejected
