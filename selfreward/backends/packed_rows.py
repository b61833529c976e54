"""Rows of tokens laid side by side for one call of a model, what several begin with held once.

Wang and Hegde 2024 (2410.20305) hold the prompt of a preference pair once; here any rows do, whatever they begin with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from selfreward.backends.shared_prefixes import common_length

_WIDTHS = 16
"""How many widths of a table are tried."""

_WORTH = 0.95
"""The share of the padded places that is worth a table of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of each row are: `paths[row]` numbers their places in a table of `height` lines of `width`.

    A token is to see those of its own row before it and nothing else, whatever else the line holds.
    """

    paths: list[np.ndarray]
    height: int
    width: int

    @property
    def places(self) -> int:
        """All places of the table, those that no row uses among them."""
        return self.height * self.width

    def inputs(self, rows: Sequence[Sequence[int]], known: int = 0) -> dict[str, np.ndarray]:
        """What a model reads the tokens of `rows` by, each behind `known` tokens that it has computed before."""
        seen = np.ones((self.height, 1, self.width, known), dtype=bool)
        return {
            "input_ids": self.filled(rows, empty=0),
            "attention_mask": np.concatenate([seen, self.sees()], axis=-1),
            "position_ids": known + self.filled([range(len(path)) for path in self.paths], empty=0),
        }

    def padded(self, rows: Sequence[Sequence[int]], known: int, pad: int) -> dict[str, np.ndarray]:
        """The same for a model that reads one row a line, and is told how long each is."""
        held = np.array([len(path) for path in self.paths])
        mask = (np.arange(known + self.width) < known + held[:, None]).astype(np.int64)
        return {"input_ids": self.filled(rows, empty=pad), "attention_mask": mask}

    def sees(self) -> np.ndarray:
        """Height x 1 x width x width: whether one place sees another. A place without a token sees itself."""
        found = np.zeros((self.height, self.width, self.width), dtype=bool)
        found[:, np.arange(self.width), np.arange(self.width)] = True
        for path in self.paths:
            own = path % self.width
            found[path[0] // self.width][np.ix_(own, own)] |= np.tri(len(path), dtype=bool)
        return found[:, None]

    def filled(self, rows: Sequence[Sequence[int]], empty: int) -> np.ndarray:
        """Height x width: the numbers of all `rows`, in which places that are shared agree."""
        found = np.full(self.places, empty, dtype=np.int64)
        for path, row in zip(self.paths, rows, strict=True):
            found[path] = row
        return found.reshape(self.height, self.width)


def one_a_line(rows: Sequence[Sequence[int]]) -> Layout:
    """The layout of `rows`, none of them empty, in which each has a line of its own."""
    width = max(map(len, rows))
    paths = [line * width + np.arange(len(row)) for line, row in enumerate(rows)]
    return Layout(paths=paths, height=len(rows), width=width)


def packed(rows: Sequence[list[Any]], hidden: int) -> Layout | None:
    """The layout of `lay_out`, or None where it spares less than a twentieth of what padding would make of `rows`.

    A mask of its own costs attention its fastest kernels, so rows that lie well beside each other are left so.
    """
    layout = lay_out(rows, hidden)
    return layout if layout.places <= _WORTH * len(rows) * max(map(len, rows)) else None


def lay_out(rows: Sequence[list[Any]], hidden: int) -> Layout:
    """The layout of `rows`, none of them empty, that costs a model of this hidden size the least of those tried.

    Rows lie in the order of their tokens, so that those that begin alike are neighbours. Tables of several widths are
    tried, from that of the longest row to one line. A decoder layer multiplies 12 x `hidden`^2 numbers for a token, and
    its attention 2 x `hidden` more for each place in the line, which take three times as long each.
    """
    order = sorted(range(len(rows)), key=lambda row: rows[row])
    lengths = [len(rows[row]) for row in order]
    known = [0, *(common_length(rows[one], rows[other]) for one, other in pairwise(order))]
    longest, together = max(lengths), sum(lengths) - sum(known)
    widths = {int(width) for width in np.geomspace(longest, max(longest, together), _WIDTHS).round()}
    tables = [_lines(lengths, known, width) for width in sorted(widths)]
    lines = min(tables, key=lambda table: len(table) * _width(table) * (6 * hidden + 3 * _width(table)))
    return _layout(order, lengths, known, lines)


def _lines(lengths: Sequence[int], known: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Each line of at most `width` places: the first of the rows in it, and how many places they take."""
    lines = [(0, lengths[0])]
    for place in range(1, len(lengths)):
        first, taken = lines[-1]
        more = lengths[place] - known[place]
        if taken + more <= width:
            lines[-1] = first, taken + more
        else:
            lines.append((place, lengths[place]))
    return lines


def _width(lines: Sequence[tuple[int, int]]) -> int:
    return max(taken for _, taken in lines)


def _layout(
    order: Sequence[int], lengths: Sequence[int], known: Sequence[int], lines: Sequence[tuple[int, int]]
) -> Layout:
    """The layout in which rows lie in this `order`, each behind what it has in common with the one before it."""
    width = _width(lines)
    paths: dict[int, np.ndarray] = {}
    ends = [first for first, _ in lines[1:]] + [len(order)]
    for line, ((first, _), end) in enumerate(zip(lines, ends, strict=True)):
        free = line * width
        path = np.arange(0)
        for place in range(first, end):
            kept = path[: known[place] if place > first else 0]
            new = np.arange(free, free + lengths[place] - len(kept))
            free += len(new)
            path = paths[order[place]] = np.concatenate([kept, new])
    return Layout(paths=[paths[row] for row in range(len(order))], height=len(lines), width=width)
