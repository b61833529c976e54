"""What a part of the bench found, as rows, and the same as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. `passed` is None where nothing is asked of it."""

    name: str
    cells: tuple[Cell, ...]
    passed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table, headed by how to read it. `columns` name the cells after the first one."""

    title: str
    reading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def markdown(sections: Iterable[Section]) -> str:
    """The sections one below the other: figures with four digits, `-` where there is none."""
    return "\n".join(_section(section) for section in sections)


def failures(sections: Iterable[Section]) -> list[str]:
    """One line for each row that does not hold, named by its table."""
    return [f"{one.title}: {row.name}" for one in sections for row in one.rows if row.passed is False]


def _section(section: Section) -> str:
    asked = any(row.passed is not None for row in section.rows)
    columns = ("", *section.columns, *(("holds",) if asked else ()))
    lines = [f"## {section.title}", "", section.reading, "", _line(columns), _line(["---"] * len(columns))]
    for row in section.rows:
        verdict = {None: "", True: "yes", False: "**no**"}[row.passed]
        lines.append(_line([row.name, *map(_text, row.cells), *((verdict,) if asked else ())]))
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    # What rounding leaves of 0 differs from machine to machine.
    return f"{cell if abs(cell) > 1e-9 else 0.0:.4g}" if isinstance(cell, float) else str(cell)
