"""Rows that belong together, and trees of messages, as one row a prompt.

Open Assistant keeps a tree of messages: in a `.trees` file a row holds a tree, in a `.messages` file and on the hub one
message (2304.07327). Each message of a user's that was answered becomes a row with the turns up to it and its replies,
best first.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from selfreward.data.columns import Cells, Columns, Name, RowError, columns_held, find, get
from selfreward.data.readers import Rows
from selfreward.errors import DataError

_MESSAGE = ("message_id", "parent_id", "text", "role")
_OF_EACH: tuple[Name, ...] = ("answer", "answers", "ratings", "ranks", "authors")


def gathered(rows: Rows, columns: Columns) -> Rows:
    """`rows` with those of one group as one row, and each tree of messages as its prompts; other rows as they are."""
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if columns.group is not None:
        yield from _grouped(rows, columns.group, columns)
    elif set(_MESSAGE) <= first[1].keys():
        yield from _from_messages(rows)
    else:
        for place, row in rows:
            root = row.get("prompt")
            is_tree = isinstance(root, Mapping) and {"text", "role", "replies"} <= root.keys()
            yield from ((place, one) for one in (_prompts(row["prompt"], []) if is_tree else [row]))


def _grouped(rows: Rows, group: str, columns: Columns) -> Rows:
    """One row for each value of `group`: lists of what each row says of its answer, the rest as in the first row."""
    of: dict[str, list[tuple[str, Cells]]] = {}
    for place, row in rows:
        try:
            of.setdefault(repr(get(row, group)), []).append((place, row))
        except LookupError as error:
            raise DataError(
                f"{place} has no column {group!r} (columns.group); it has {columns_held(row)}; see docs/data.md"
            ) from error
    for members in of.values():
        place, first = members[0]
        try:
            named = {column for name in _OF_EACH for column in find(columns, name, first) or ()} - {group}
        except RowError as error:
            raise DataError(f"{place} {error}; see docs/data.md") from error
        lists = {column: [row.get(column) for _, row in members] for column in named if column in first}
        yield place, {**first, **lists}


def _from_messages(rows: Rows) -> Rows:
    """The prompts of trees whose messages are rows; a message whose parent is not there begins a tree."""
    nodes: dict[Any, dict[str, Any]] = {}
    for place, row in rows:
        if not set(_MESSAGE) <= row.keys():
            raise DataError(
                f"{place} is no message of a tree as the rows before it; it has {columns_held(row)}: mend the row"
            )
        nodes[row["message_id"]] = {**row, "replies": [], "place": place}
    roots: list[dict[str, Any]] = []
    for node in nodes.values():
        parent = nodes.get(node["parent_id"])
        (roots if parent is None else parent["replies"]).append(node)
    for root in roots:
        yield from ((root["place"], prompt) for prompt in _prompts(root, []))


def _prompts(node: Cells, before: Sequence[Cells]) -> Iterator[dict[str, Any]]:
    """A row for each message of a user's below `node`, itself included, whose turns so far are `before`."""
    if node.get("deleted"):
        return
    turns = [*before, {"role": node["role"], "content": node["text"]}]
    replies = [reply for reply in node.get("replies") or () if not reply.get("deleted")]
    if node["role"] == "prompter":
        replies = sorted(replies, key=_place)
        ranks = [None if _place(reply) == math.inf else reply["rank"] for reply in replies]
        answers = {"answers": [reply["text"] for reply in replies], "ranks": ranks}
        yield {"messages": turns, **(answers if replies else {})}
    for reply in replies:
        yield from _prompts(reply, turns)


def _place(reply: Cells) -> float:
    rank = reply.get("rank")
    return math.inf if rank is None or rank != rank else float(rank)
