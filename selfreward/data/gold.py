"""A pair of answers that people compared as gold: what each person said, and who wrote the answers."""

from selfreward.data.columns import Cells, Columns, RowError, find, get_all
from selfreward.data.prompts import text_of
from selfreward.data.roles import HumanPair, Role
from selfreward.records import GoldPair, digest_of


def gold_pair(role: Role, pair: HumanPair, row: Cells, columns: Columns) -> GoldPair:
    """`pair` with the authors of its `row`, without thoughts; the id is that of its texts alone.

    A row that does not say who said what is one person. Raises RowError.
    """
    right_author, wrong_author = _authors(pair, row, columns)
    return GoldPair(
        id=digest_of("gold", pair.prompt.id, pair.chosen, pair.rejected),
        messages=pair.prompt.messages,
        right=pair.chosen,
        wrong=pair.rejected,
        source=role,
        verdicts=pair.verdicts or ("first",),
        right_author=right_author,
        wrong_author=wrong_author,
    )


def _authors(pair: HumanPair, row: Cells, columns: Columns) -> tuple[str | None, str | None]:
    """Who wrote the chosen answer and the rejected one."""
    names = find(columns, "authors", row)
    if names is None:
        return None, None
    values = get_all(row, names)
    if len(values) != pair.answers:
        raise RowError(
            f"has {pair.answers} answers and {len(values)} authors in {names[0]!r}: set columns.authors",
            "too_few_authors",
        )
    chosen, rejected = (text_of(values[place], names[0], "authors") or None for place in pair.places)
    return chosen, rejected
