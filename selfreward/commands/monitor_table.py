"""How the findings of the monitor are written in a terminal: percent, or nats per token for `nll`."""

from collections.abc import Mapping, Sequence

from selfreward.metrics.paired import Family


def amount(family: Family, value: float, sign: str = "") -> str:
    """A drop, a margin or a standard error; `sign` is a format's, `+` for one that is always shown."""
    return f"{value:{sign}.3f}" if family == "nll" else f"{value:{sign}.1%}"


def aligned(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A line with the names of the columns, then one for each row; the first column to the left."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([first.ljust(widths[0]), *(text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in lines
    ]
