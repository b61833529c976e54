"""Which columns of a row are read for a role, and which are not."""

from collections import Counter
from dataclasses import dataclass, field

from selfreward.data.columns import Cells, Columns, Name, find
from selfreward.data.formats import compares_conversations
from selfreward.data.prompts import says_whether_liked
from selfreward.data.question import prompt_columns, shows_choices
from selfreward.data.roles import PROMPT_ROLES, ColumnsSeen, Role
from selfreward.data.sides import answer_columns, is_explicit
from selfreward.data.winners import winner_columns


@dataclass
class Tally:
    """Counts columns over the rows of a source."""

    read: Counter[tuple[str, str]] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, role: Role, row: Cells, columns: Columns) -> None:
        """Counts the columns of a row that `formats.read_row` reads."""
        used = columns_read(role, row, columns)
        self.read.update(used.items())
        self.unread.update(str(column) for column in row if column not in used)

    def found(self) -> ColumnsSeen:
        """What was counted."""
        return ColumnsSeen(read=dict(self.read), unread=dict(self.unread))


def columns_read(role: Role, row: Cells, columns: Columns) -> dict[str, str]:
    """What each column of `row` is read as for `role`; a column that is not read is left out."""
    asks = role in PROMPT_ROLES
    compares = role != "human" and compares_conversations(row, columns)
    taken: list[tuple[str, tuple[str, ...] | None]] = []
    if not (asks and compares):
        taken.append(("prompt", prompt_columns(row, columns)))
    if not asks and role != "human":
        taken += _ordering(role, row, columns)
    if compares or (not asks and role != "human"):
        taken.append(("answers", answer_columns(row, columns)))
        taken.append(("turn", find(columns, "turn", row) if compares else None))
    elif says_whether_liked(row, columns):
        taken.append(("liked", find(columns, "liked", row)))
    if (asks and not compares) or role == "human":
        taken.append(("answer", find(columns, "answer", row)))
    if not compares and shows_choices(row, columns):
        taken.append(("choices", find(columns, "choices", row)))
    taken += [("system", find(columns, "system", row)), ("history", find(columns, "history", row))]
    taken.append(("stratum", (columns.stratum or "stratum",)))
    taken.append(("match", ("match",) if asks and columns.match is None else None))
    found: dict[str, str] = {}
    for name, names in taken:
        for column in names or ():
            top = column if column in row else column.split(".")[0]
            if top in row:
                found.setdefault(top, name)
    return found


def _ordering(role: Role, row: Cells, columns: Columns) -> list[tuple[str, tuple[str, ...] | None]]:
    """What orders the answers of a row, and who wrote them."""
    sources: tuple[Name, ...] = ("ratings", "ranks", "verdicts", "strength")
    taken: list[tuple[str, tuple[str, ...] | None]] = [(name, find(columns, name, row)) for name in sources]
    if not is_explicit(row, columns):
        ordered = any(names is not None for _, names in taken)
        won = winner_columns(row, columns, answer_columns(row, columns), ordered=ordered)
        taken.insert(0, ("winner", won))
    if role != "human_pairs":
        taken.append(("authors", find(columns, "authors", row)))
    return taken
