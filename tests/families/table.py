"""The table of docs/models.md: `python -m tests.families.table` prints it."""

from tests.families import FAMILIES, Family

HEAD = "| in the shape of | what is special | to set | an answer ends with | system turn |\n|---|---|---|---|---|"


def row(family: Family) -> str:
    """The family's line: how it works, or why it is refused."""
    settings = " ".join(f"`model.{setting}`" for setting in family.settings)
    if family.refused is not None:
        return f"| {family.name} | {_cell(family.why)} | refused: {_cell(family.refused)} | | |"
    system = "its own" if family.system == "own" else "merged"
    return (
        f"| {family.name} | {_cell(family.why)} | {settings or 'nothing'} | `{_cell(family.end_of_turn)}` | {system} |"
    )


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main() -> None:
    """Prints the table."""
    print(HEAD, *map(row, FAMILIES), sep="\n")


if __name__ == "__main__":
    main()
