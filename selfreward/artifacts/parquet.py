"""Records as Parquet, shard by shard: the schema of a record type, rows to disk and back, digests of rows and files.

Each shard is written with a digest beside it, and believed after a crash only with that. The digest covers the bytes
and the place: stage, key and file name. Only files that were written here are read.
"""

import functools
import hashlib
import shutil
import typing
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from selfreward.artifacts.atomic_files import canonical, sha256_of, sync
from selfreward.errors import CorruptArtifact

Record = TypeVar("Record")
Item = TypeVar("Item")
Row = dict[str, Any]

_PRIMITIVES: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@functools.cache
def schema_of(record_type: type) -> pa.Schema:
    """The Arrow schema of a record type, field by field."""
    return pa.schema(
        [pa.field(name, _arrow_type(inner), nullable=nullable) for name, inner, nullable in _columns(record_type)]
    )


def _columns(record_type: type) -> list[tuple[str, Any, bool]]:
    """The name of each field, its type apart from None, and whether it may be None."""
    hints = typing.get_type_hints(record_type)
    columns = []
    for field in fields(record_type):
        hint = hints[field.name]
        nullable = type(None) in typing.get_args(hint)
        columns.append((field.name, typing.get_args(hint)[0] if nullable else hint, nullable))
    return columns


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if typing.get_origin(hint) is typing.Literal:
        return pa.string()
    if typing.get_origin(hint) is tuple:
        return pa.list_(_arrow_type(typing.get_args(hint)[0]))
    if is_dataclass(hint):
        return pa.struct(list(schema_of(typing.cast(type, hint))))
    raise TypeError(f"{hint} has no Arrow type: use str, int, float, bool, a tuple or a record")


@functools.cache
def _writer(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a value of the type `hint` plain; None where it is already."""
    if is_dataclass(hint):
        plans = [(name, _writer(inner)) for name, inner, _ in _columns(typing.cast(type, hint))]

        def write(record: Any) -> Row:
            row: Row = {}
            for name, convert in plans:
                value = getattr(record, name)
                row[name] = value if convert is None or value is None else convert(value)
            return row

        return write
    if typing.get_origin(hint) is tuple:
        inner = _writer(typing.get_args(hint)[0])
        return list if inner is None else lambda values: [inner(value) for value in values]
    return float if hint is float else None


def rows_of(records: Iterable[object], record_type: type) -> list[Row]:
    """`records` as plain rows, ready for Arrow or JSON."""
    write = _writer(record_type)
    assert write is not None
    return [write(record) for record in records]


def lines_of(rows: Iterable[Row]) -> bytes:
    """Canonical JSON lines; the row digest of a table is the SHA-256 of all its lines, however it is cut."""
    return b"".join(canonical(row) + b"\n" for row in rows)


def count_and_digest(shards: Iterable[Path]) -> tuple[int, str]:
    """How many rows a table has, and their digest, taken anew from its shards in order."""
    digest, count = hashlib.sha256(), 0
    for path in shards:
        rows = read_rows(path)
        count += len(rows)
        digest.update(lines_of(rows))
    return count, digest.hexdigest()


def write_parquet(path: Path, rows: list[Row], record_type: type) -> None:
    """Writes rows to a Parquet file; not atomic by itself."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema_of(record_type)), path, compression="zstd")


def read_rows(path: Path) -> list[Row]:
    """The rows of a shard. Raises CorruptArtifact, naming the folder to delete, for a file that is not whole."""
    try:
        # read_table() looks for a data set first, and threads cost more than they save on a shard.
        with pq.ParquetFile(path) as file:
            rows: list[Row] = file.read(use_threads=False).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptArtifact(f"{path} cannot be read ({error}): delete the folder {path.parent}") from error
    return rows


def read_records(path: Path, record_type: type[Record]) -> list[Record]:
    """The records of one Parquet shard, in order."""
    records: list[Record] = _reader(typing.cast(type, record_type)).validate_python(read_rows(path))
    return records


@functools.cache
def _reader(record_type: type) -> TypeAdapter[list[Any]]:
    return TypeAdapter(list[record_type])  # type: ignore[valid-type]


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`, the last one perhaps shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def write_shard(path: Path, rows: list[Row], record_type: type) -> None:
    """Writes a shard, whole or not at all, behind the digest that it is believed by; without that it is made again."""
    scratch = path.with_suffix(".tmp")
    write_parquet(scratch, rows, record_type)
    sync(scratch)
    digest_file(path).write_text(f"{_digest(scratch, path)}\n")
    scratch.replace(path)


def digest_file(shard: Path) -> Path:
    """Where the digest of a shard lies."""
    return shard.with_suffix(".sha256")


def is_whole(shard: Path) -> bool:
    """Whether a shard has the bytes that were written in this place."""
    try:
        return digest_file(shard).read_bytes().strip() == _digest(shard, shard).encode()
    except OSError:  # missing, a folder, or unreadable: made again
        return False


def clear_unfinished(folder: Path, keep: Collection[str], say: Callable[[str], None]) -> None:
    """Deletes what a crash left behind in `folder`, but whole shards and the files named in `keep`; tells of others.

    One table may be concluded from another, shard by shard: those of the same number as an altered one go with it.
    """
    shards = [path for path in sorted(folder.glob("*.parquet")) if path.is_symlink() or not path.is_dir()]
    altered = {_number(path) for path in shards if path.is_symlink() or not is_whole(path)}
    for shard in shards:
        if _number(shard) in altered:
            say(f"{shard.name} or a shard beside it is not what was written: made again")
            shard.unlink()
    whole = {name for path in folder.glob("*.parquet") for name in (path.name, digest_file(path).name)}
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in whole and path.name not in keep:
            path.unlink()


def _number(shard: Path) -> str:
    return shard.stem.rpartition("-")[2]


def _digest(content: Path, place: Path) -> str:
    """The digest of the bytes of `content` as the shard at `place`."""
    folder = place.parent
    return hashlib.sha256(canonical([folder.parent.name, folder.name, place.name, sha256_of(content)])).hexdigest()
