"""JSON as judges write it in the midst of a reply, and Python's way of writing the same; where a value stands in it.

Trailing commas, line breaks in strings and single quotes pass. Time is in proportion to the text: what was read once
is not tried again from another bracket. A path is `score`, `result.score`, `0` or `[model=model_1].rank`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from selfreward.spec import Json

_DEEPEST = 40
_LONGEST_NUMBER = 20
_OPENER = re.compile(r"[\[{]")
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*+")|(?P<single>'(?:[^'\\]|\\.)*+')
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(?P<word>true|false|null|True|False|None)\b""",
    re.VERBOSE | re.DOTALL,
)
_STEP = re.compile(r"\[([^\]=]+)=([^\]]*)\]|([^.\[\]=]+)")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


@dataclass(frozen=True, slots=True)
class Found:
    """A list or an object between two places of a text; `broken` where it begins as one and does not end as one."""

    start: int
    end: int
    value: Json
    broken: bool = False


class _Broken(Exception):
    """The text is no value from `place` on; `in_object` says whether a name of an object was read before."""

    def __init__(self, place: int, *, in_object: bool) -> None:
        super().__init__(place)
        self.place = place
        self.in_object = in_object


def literals(text: str) -> Iterator[Found]:
    """The outermost lists and objects of `text`, in order; nothing follows a broken object, whose end nobody knows."""
    place = 0
    while (opener := _OPENER.search(text, place)) is not None:
        start = opener.start()
        try:
            value, place = _value(text, start, 0)
        except _Broken as broken:
            if broken.in_object:
                yield Found(start, len(text), None, broken=True)
                return
            place = max(start + 1, broken.place)
        else:
            yield Found(start, place, value)


def _value(text: str, place: int, depth: int) -> tuple[Json, int]:
    """The value at `place`, and the place behind it."""
    if depth > _DEEPEST:
        raise _Broken(place, in_object=False)
    match text[place : place + 1]:
        case "{":
            return _object(text, _behind_space(text, place + 1), depth)
        case "[":
            return _list(text, _behind_space(text, place + 1), depth)
        case _:
            return _scalar(text, place)


def _object(text: str, place: int, depth: int) -> tuple[Json, int]:
    values: dict[str, Json] = {}
    while text[place : place + 1] != "}":
        named, place = _scalar(text, place, in_object=bool(values))
        place = _behind_space(text, place)
        if text[place : place + 1] != ":":
            raise _Broken(place, in_object=bool(values))
        try:
            value, place = _value(text, _behind_space(text, place + 1), depth + 1)
        except _Broken as broken:
            raise _Broken(broken.place, in_object=True) from broken
        # A name that is given two values has none.
        name = str(named)
        values[name] = value if values.get(name, value) == value else None
        place = _behind_comma(text, place, "}", in_object=True)
    return values, place + 1


def _list(text: str, place: int, depth: int) -> tuple[Json, int]:
    values: list[Json] = []
    in_object = False
    while text[place : place + 1] != "]":
        value, place = _value(text, place, depth + 1)
        in_object = in_object or isinstance(value, dict)
        values.append(value)
        place = _behind_comma(text, place, "]", in_object=in_object)
    return values, place + 1


def _behind_comma(text: str, place: int, closing: str, *, in_object: bool) -> int:
    """Where the next element, or the `closing` bracket, begins."""
    place = _behind_space(text, place)
    if text[place : place + 1] == ",":
        return _behind_space(text, place + 1)
    if text[place : place + 1] != closing:
        raise _Broken(place, in_object=in_object)
    return place


def _scalar(text: str, place: int, *, in_object: bool = False) -> tuple[Json, int]:
    found = _TOKEN.match(text, place)
    if found is None:
        raise _Broken(place, in_object=in_object)
    token = found[0]
    if found["word"]:
        return _WORDS[token], found.end()
    if found["number"]:
        long = len(token) > _LONGEST_NUMBER
        return token if long else float(token) if set(token) & set(".eE") else int(token), found.end()
    if found["single"]:
        return token[1:-1].replace("\\'", "'"), found.end()
    try:
        return str(json.loads(token, strict=False)), found.end()
    except ValueError:
        return token[1:-1], found.end()


def _behind_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None, "the pattern matches nothing too"
    return found.end()


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
    for found in _STEP.finditer(path):
        name, wanted = found[1] or found[3], found[2]
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
