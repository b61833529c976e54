"""Records as Arrow columns and back, column by column: a row at a time is ten times slower in Python.

A record type is a frozen dataclass of str, int, float, bool, literals, tuples and other records.
"""

import functools
import typing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import accumulate, chain, repeat
from operator import attrgetter
from typing import Any, TypeVar, cast

import pyarrow as pa

Record = TypeVar("Record")

MANY = 1000
"""Rows from which Arrow's own functions pay: the first call of one loads pandas, which takes a third of a second."""

_PRIMITIVES: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@functools.cache
def schema_of(record_type: type) -> pa.Schema:
    """The Arrow schema of a record type, field by field."""
    return pa.schema(
        [pa.field(one.name, _arrow_type(inner), nullable=nullable) for one, inner, nullable in _fields(record_type)]
    )


@functools.cache
def _fields(record_type: type) -> list[tuple["Field[Any]", Any, bool]]:
    """Each field, its type apart from None, and whether it may be None."""
    hints = typing.get_type_hints(record_type)
    found = []
    for field in fields(record_type):
        hint = hints[field.name]
        nullable = type(None) in typing.get_args(hint)
        found.append((field, typing.get_args(hint)[0] if nullable else hint, nullable))
    return found


@functools.cache
def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if typing.get_origin(hint) is typing.Literal:
        return pa.string()
    if typing.get_origin(hint) is tuple:
        return pa.list_(_arrow_type(typing.get_args(hint)[0]))
    if is_dataclass(hint):
        return pa.struct(list(schema_of(cast(type, hint))))
    raise TypeError(f"{hint} has no Arrow type: use str, int, float, bool, a tuple or a record")


def table_of(records: Sequence[object], record_type: type) -> pa.Table:
    """`records` as a table with the schema of their type."""
    columns = [_column(list(map(attrgetter(one.name), records)), hint) for one, hint, _ in _fields(record_type)]
    return pa.Table.from_arrays(columns, schema=schema_of(record_type))


def _column(values: list[Any], hint: Any) -> pa.Array:
    if typing.get_origin(hint) is tuple:
        missing = pa.array([one is None for one in values]) if None in values else None
        held = [() if one is None else one for one in values] if missing is not None else values
        ends = pa.array(accumulate(map(len, held), initial=0), pa.int32())
        inner = _column([*chain.from_iterable(held)], typing.get_args(hint)[0])
        return pa.ListArray.from_arrays(ends, inner, mask=missing)
    if is_dataclass(hint) and None not in values:
        record_type = cast(type, hint)
        inner = [_column(list(map(attrgetter(one.name), values)), of) for one, of, _ in _fields(record_type)]
        return pa.StructArray.from_arrays(inner, fields=list(schema_of(record_type)))
    if is_dataclass(hint):
        raise TypeError(f"{hint} cannot be None in a table")
    return pa.array(values, _arrow_type(hint))


def records_of(table: pa.Table, record_type: type[Record]) -> list[Record]:
    """The rows of `table` as records.

    A column that is not there has the field's default. Raises ValueError for values that the type does not allow.
    """
    return _records(lambda name: table[name] if name in table.column_names else None, table.num_rows, record_type)


def _records(
    column: Callable[[str], "pa.Array | pa.ChunkedArray | None"], count: int, record_type: type[Record]
) -> list[Record]:
    # Field by field over all records: a frozen class sets its fields one by one in Python, which is most of the time.
    made = list(map(object.__new__, repeat(record_type, count)))
    for field, hint, nullable in _fields(cast(type, record_type)):
        found = column(field.name)
        values = repeat(_default(field, record_type)) if found is None else _values(found, hint, nullable, field.name)
        deque(map(getattr(record_type, field.name).__set__, made, values), maxlen=0)
    if hasattr(record_type, "__post_init__"):
        for one in made:
            one.__post_init__()  # type: ignore[attr-defined]
    return made


def _default(field: "Field[Any]", record_type: type) -> Any:
    if field.default is MISSING:
        raise ValueError(f"there is no column {field.name} of {record_type.__name__}")
    return field.default


def _values(found: "pa.Array | pa.ChunkedArray", hint: Any, nullable: bool, name: str) -> list[Any]:
    """The values of a column as a record has them."""
    column = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    if column.type != _arrow_type(hint):
        column = column.cast(_arrow_type(hint))
    if column.null_count and not nullable:
        raise ValueError(f"{name} is missing in a row")
    if typing.get_origin(hint) is tuple:
        inner = _values(column.flatten(), typing.get_args(hint)[0], nullable=False, name=name)
        rows: Iterator[Any] = _slices(inner, column)
        return [None if one is None else tuple(one) for one in rows]
    if is_dataclass(hint):
        record_type = cast(type, hint)
        by_name = dict(zip(schema_of(record_type).names, column.flatten(), strict=True))
        return _records(by_name.get, len(column), record_type)
    values = plain_values(column)
    if typing.get_origin(hint) is typing.Literal and not set(values) <= {*typing.get_args(hint), None}:
        raise ValueError(f"{name} is none of {', '.join(map(str, typing.get_args(hint)))}")
    return values


def _slices(inner: list[Any], column: pa.ListArray) -> Iterator[list[Any] | None]:
    lengths = column.value_lengths().to_pylist()
    start = 0
    for length in lengths:
        yield None if length is None else inner[start : (start := start + length)]


def plain_values(column: pa.Array) -> list[Any]:
    """The values of a column of text, numbers or truths; what is missing is None."""
    if len(column) < MANY or not pa.types.is_string(column.type):
        return cast("list[Any]", column.to_pylist())
    # Of text this takes a third of the time, and it keeps None.
    return cast("list[Any]", column.to_numpy(zero_copy_only=False).tolist())
