"""Held-out prompts in several sets with names, such as in distribution and shifted: what fails elsewhere shows."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from selfreward.artifacts import Artifact
from selfreward.data.roles import ColumnsSeen, LeftOut, Row
from selfreward.errors import DataError
from selfreward.records import HeldOutPrompt, Prompt

_NAME = re.compile(r"[A-Za-z0-9_]+")


def sets_by_prompt(held_out: Artifact) -> dict[str, str]:
    """The set that each prompt of the table `held_out` is of, by the prompt's id; empty where there are no sets.

    The order is that of the table: sets as they were named in the settings, each prompt in one of them.
    """
    named = ((one.id, one.set_name) for one in held_out.records(HeldOutPrompt))
    return {id_: name for id_, name in named if name is not None}


def in_set(prompt: Prompt, name: str) -> HeldOutPrompt:
    """`prompt` as one of the set `name`."""
    return HeldOutPrompt(**{field.name: getattr(prompt, field.name) for field in fields(Prompt)}, set_name=name)


def rows_in_set(name: str, rows: Iterable[Row], earlier: set[str]) -> Iterator[Row]:
    """`rows` as those of the set `name`; their ids are added to `earlier`, those of sets before it.

    Raises DataError where no prompt is among them.
    """
    found, left_out = 0, Counter[str]()
    for row in rows:
        match row:
            case Prompt():
                found += 1
                earlier.add(row.id)
                yield in_set(row, name)
            case ColumnsSeen():
                yield replace(row, set_name=name)
            case _:
                left_out.update([row.reason] if isinstance(row, LeftOut) else [])
                yield row
    if not found:
        why = "".join(f", {reason.replace('_', ' ')} {count}" for reason, count in sorted(left_out.items()))
        raise DataError(f"data.held_out.{name} gives no prompt{why}: check its file, or take the set out")


def check_names(names: Iterable[str]) -> None:
    """Raises ValueError where there is no name, or one that is no plain word."""
    listed = list(names)
    if not listed:
        raise ValueError("{} names no set: give {NAME: FILE, ...}, one file, or null")
    for name in listed:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a set {name[:40]!r} is no plain word: take letters, digits and _ alone")
