"""Where a value stands in the JSON of a reply: `score`, `result.score`, `0`, `[model=model_1].rank`."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from selfreward.spec import Json

_STEP = re.compile(r"\[([^\]=]+)=([^\]]*)\]|([^.\[\]=]+)")


def _steps_of(path: str) -> list[tuple[str, str | None]]:
    return [(found[1] or found[3], found[2]) for found in _STEP.finditer(path)]


def _is_path(path: str) -> str:
    if not re.fullmatch(rf"(?:{_STEP.pattern})(?:\.(?:{_STEP.pattern}))*", path):
        raise ValueError(
            f"a path is names and places joined by dots, as in score, 0.rank or [model=x].rank, not {path!r}"
        )
    return path


Path = Annotated[str, AfterValidator(_is_path)]
"""Names of objects and places of lists, joined by dots; `[name=value]` is the one element whose `name` is `value`."""


def at_path(value: Json, path: str) -> tuple[bool, Json]:
    """Whether `value` has something at `path`, and what that is; None where it cannot be told."""
    there = True
    for name, wanted in _steps_of(path):
        if wanted is not None:
            there, value = _selected(value, name, wanted)
        elif isinstance(value, dict):
            there, value = _named(value, name)
        elif isinstance(value, list) and name.isdecimal():
            there, value = _placed(value, int(name))
        else:
            return False, None
        if value is None:
            return there, None
    return there, value


def _named(values: dict[str, Json], name: str) -> tuple[bool, Json]:
    """By its name, in another case if there is but one."""
    if name in values:
        return True, values[name]
    alike = [value for other, value in values.items() if other.strip().casefold() == name.casefold()]
    return bool(alike), alike[0] if len(alike) == 1 else None


def _placed(values: Sequence[Json], place: int) -> tuple[bool, Json]:
    """By its place; a ranking that names one thing twice says nothing."""
    plain = [str(value) for value in values if not isinstance(value, dict | list)]
    return place < len(values), values[place] if place < len(values) and len(set(plain)) == len(plain) else None


def _selected(value: Json, name: str, wanted: str) -> tuple[bool, Json]:
    """The one element whose `name` is `wanted`."""
    rows = [row for row in value if isinstance(row, dict) and _named(row, name)[0]] if isinstance(value, list) else []
    found = [row for row in rows if str(_named(row, name)[1]).strip().casefold() == wanted.casefold()]
    return bool(rows), found[0] if len(found) == 1 else None
