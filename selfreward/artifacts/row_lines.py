"""Rows as canonical JSON lines, made column by column in Arrow: byte for byte what `canonical` makes of each row."""

from collections.abc import Mapping
from json.encoder import JSONEncoder
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfreward.artifacts.atomic_files import canonical
from selfreward.artifacts.columns import MANY, plain_values

_SPECIAL = r'["\\\x00-\x1f]'
# An encoded value has no line break of its own, so a list of them can be split there.
_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=("\n", ":")).encode


def lines_of(table: pa.Table) -> memoryview:
    """A canonical JSON line for each row, in bytes; the row digest of a table is the SHA-256 of all its lines.

    Raises ValueError for NaN and infinity.
    """
    if table.num_rows < MANY:
        return memoryview(b"".join(canonical(row) + b"\n" for row in table.to_pylist()))
    return lines_by_column(table)


def lines_by_column(table: pa.Table) -> memoryview:
    """The lines of a table with one row or more, made by columns."""
    columns = {name: _texts(table[name].combine_chunks()) for name in table.column_names}
    lines = _objects(columns, "}\n")
    # The texts of a new array lie one after the other.
    return memoryview(lines.buffers()[2])[: pc.sum(pc.binary_length(lines)).as_py()]


def _objects(columns: Mapping[str, pa.Array], end: str) -> pa.Array:
    """A JSON object for each row, its names in order."""
    pieces: list[Any] = []
    for place, name in enumerate(sorted(columns)):
        pieces += [f"{',' if place else '{'}{_encode(name)}:", columns[name]]
    return pc.binary_join_element_wise(*pieces, end, "")


def _texts(column: pa.Array) -> pa.Array:
    """The JSON of each value of a column."""
    if pa.types.is_list(column.type):
        inner = pa.ListArray.from_arrays(column.offsets, _texts(column.values))
        texts = pc.binary_join_element_wise("[", pc.binary_join(inner, ","), "]", "")
        return pc.if_else(column.is_null(), "null", texts) if column.null_count else texts
    if pa.types.is_struct(column.type):
        inner_columns = zip((one.name for one in column.type), column.flatten(), strict=True)
        return _objects({name: _texts(inner) for name, inner in inner_columns}, "}")
    if pa.types.is_string(column.type):
        texts = pc.binary_join_element_wise('"', _escaped(column), '"', "")
    elif pa.types.is_floating(column.type):
        texts = _floats(column)
    else:
        texts = column.cast(pa.string())
    return texts.fill_null("null") if column.null_count else texts


def _escaped(column: pa.Array) -> pa.Array:
    """Texts with what JSON escapes; few have any of it."""
    held = column.buffers()[2]
    if held is None or not _needs_escapes(np.frombuffer(held, np.uint8)):
        return column
    wanting = pc.match_substring_regex(column, _SPECIAL).fill_null(False)
    escaped = [one[1:-1] for one in _encoded(plain_values(column.filter(wanting)))]
    return pc.replace_with_mask(column, wanting, pa.array(escaped, pa.string()))


def _needs_escapes(held: "np.typing.NDArray[np.uint8]") -> bool:
    return bool(((held < 0x20) | (held == ord('"')) | (held == ord("\\"))).any())


def _floats(column: pa.Array) -> pa.Array:
    """Floats as Python writes them, each distinct one once; by their bits, so that -0.0 is not 0.0."""
    found = column.view(pa.int64()).dictionary_encode()
    distinct = found.dictionary.view(pa.float64()).to_pylist()
    return pa.array(_encoded(distinct), pa.string()).take(found.indices)


def _encoded(values: list[Any]) -> list[str]:
    return _encode(values)[1:-1].split("\n") if values else []
