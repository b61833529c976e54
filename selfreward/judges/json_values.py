"""JSON as judges write it in the midst of a reply, and Python's way of writing the same; where a value stands in it.

Trailing commas, line breaks in strings and single quotes pass. Time is in proportion to the text: what was read once
is not tried again from another bracket. A path is `score`, `result.score`, `0` or `[model=model_1].rank`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from selfreward.spec import Json

Value = TypeVar("Value")

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
class FoundValue:
    """A list or an object between two places of a text; `broken` where it begins as one and does not end as one."""

    start: int
    end: int
    value: Json
    broken: bool = False


class _Broken(Exception):
    """The text is no value; `in_object` says whether a name of an object was read before."""

    def __init__(self, *, in_object: bool) -> None:
        super().__init__()
        self.in_object = in_object


def literals(text: str) -> Iterator[FoundValue]:
    """The outermost lists and objects of `text`, in order; nothing follows a broken object, whose end nobody knows."""
    place = 0
    while (opener := _OPENER.search(text, place)) is not None:
        start = opener.start()
        cursor = _Cursor(text, start)
        try:
            value = cursor.value(0)
        except _Broken as broken:
            if broken.in_object:
                yield FoundValue(start, len(text), None, broken=True)
                return
            place = max(start + 1, cursor.place)
        else:
            place = cursor.place
            yield FoundValue(start, place, value)


@dataclass(slots=True)
class _Cursor:
    """A text, and the place up to which it is read."""

    text: str
    place: int

    def passes(self, mark: str) -> bool:
        """Whether `mark` comes next, behind white space; if so it is read."""
        found = _SPACE.match(self.text, self.place)
        assert found is not None, "the pattern matches nothing too"
        here = self.text.startswith(mark, found.end())
        self.place = found.end() + len(mark) * here
        return here

    def value(self, depth: int) -> Json:
        """The value that comes next."""
        if depth > _DEEPEST:
            raise _Broken(in_object=False)
        if self.passes("{"):
            return self._object(depth)
        return self._list(depth) if self.passes("[") else self._scalar()

    def _object(self, depth: int) -> Json:
        values: dict[str, Json] = {}
        more = True
        while not self.passes("}"):
            if not more:
                raise _Broken(in_object=True)
            name = str(self._scalar(in_object=bool(values)))
            if not self.passes(":"):
                raise _Broken(in_object=bool(values))
            try:
                value = self.value(depth + 1)
            except _Broken:
                raise _Broken(in_object=True) from None
            # A name that is given two values has none.
            values[name] = value if values.get(name, value) == value else None
            more = self.passes(",")
        return values

    def _list(self, depth: int) -> Json:
        values: list[Json] = []
        more = True
        while not self.passes("]"):
            if not more:
                raise _Broken(in_object=any(isinstance(value, dict) for value in values))
            values.append(self.value(depth + 1))
            more = self.passes(",")
        return values

    def _scalar(self, *, in_object: bool = False) -> Json:
        self.passes("")
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            raise _Broken(in_object=in_object)
        self.place = found.end()
        token = found[0]
        if found["word"]:
            return _WORDS[token]
        if found["number"]:
            long = len(token) > _LONGEST_NUMBER
            return token if long else float(token) if set(token) & set(".eE") else int(token)
        if found["single"]:
            return token[1:-1].replace("\\'", "'")
        try:
            return str(json.loads(token, strict=False))
        except ValueError:
            return token[1:-1]


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
            there, value = named(value, name)
        elif isinstance(value, list) and name.isdecimal():
            # A ranking that names one thing twice says nothing.
            plain = [str(one) for one in value if not isinstance(one, dict | list)]
            there = int(name) < len(value)
            value = value[int(name)] if there and len(set(plain)) == len(plain) else None
        else:
            return False, None
        if value is None:
            return there, None
    return there, value


def named(values: Mapping[str, Value], name: str) -> tuple[bool, Value | None]:
    """Whether there is a value of this name, in another case if there is but one, and that value."""
    if name in values:
        return True, values[name]
    alike = [value for other, value in values.items() if other.strip().casefold() == name.casefold()]
    return bool(alike), alike[0] if len(alike) == 1 else None


def _selected(value: Json, name: str, wanted: str) -> tuple[bool, Json]:
    """The one element whose `name` is `wanted`."""
    rows = [row for row in value if isinstance(row, dict) and named(row, name)[0]] if isinstance(value, list) else []
    found = [row for row in rows if str(named(row, name)[1]).strip().casefold() == wanted.casefold()]
    return bool(rows), found[0] if len(found) == 1 else None
