"""Answers that one process is to draw."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer to draw: the place of its prompt, its temperature (0 is greedy), its longest length in tokens.

    `stream` is what its random numbers are seeded by.
    """

    prompt: int
    temperature: float
    limit: int
    stream: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Answers to draw, `width` at once. All prompts begin with `prefix`, and are longer; the rows of one lie together.

    `stops` are the tokens that end an answer, `pad` is what stands beside shorter rows.
    """

    prompts: Sequence[list[int]]
    rows: Sequence[Row]
    width: int
    prefix: Sequence[int]
    top_p: float
    stops: list[int]
    pad: int

    @property
    def steps(self) -> int:
        """How many tokens the longest answer may have."""
        return max(row.limit for row in self.rows)
