"""Shards: tables as Parquet files, written and read back, with digests of rows and files.

Each shard is written with a digest beside it, and believed after a crash only with that. The digest covers the bytes
and the place: stage, key and file name. Only files that were written here are read.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from selfreward.artifacts.atomic_files import canonical, sha256_of, sync
from selfreward.artifacts.columns import records_of, schema_of
from selfreward.artifacts.row_lines import lines_of
from selfreward.errors import CorruptArtifact

Record = TypeVar("Record")
Item = TypeVar("Item")

LASTING = "unfinished"
"""The folder below an unfinished artifact that outlives a crash; the store deletes it before it commits."""

Only = tuple[str, Collection[str]]
"""A column of text and the values that are looked for."""


def count_and_digest(shards: Iterable[Path]) -> tuple[int, str]:
    """How many rows a table has, and their digest, taken anew from its shards in order."""
    digest, count = hashlib.sha256(), 0
    for path in shards:
        table = read_table(path)
        count += table.num_rows
        digest.update(lines_of(table))
    return count, digest.hexdigest()


def write_parquet(path: Path, table: pa.Table) -> None:
    """Writes a table to a Parquet file; not atomic by itself."""
    pq.write_table(table, path, compression="zstd")


def read_table(path: Path, columns: Collection[str] | None = None) -> pa.Table:
    """A shard, or those of the `columns` that it has. Raises CorruptArtifact, naming the folder, for a broken file."""
    try:
        # pq.read_table() looks for a data set first, and threads cost more than they save on a shard.
        with pq.ParquetFile(path) as file:
            return file.read(columns=None if columns is None else list(columns), use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise CorruptArtifact(f"{path} cannot be read ({error}): delete the folder {path.parent}") from error


def read_records(path: Path, record_type: type[Record], only: Only | None = None) -> list[Record]:
    """The records of one Parquet shard, in order; of its columns only those that `record_type` has are read."""
    table = read_table(path, schema_of(cast(type, record_type)).names)
    if only is not None:
        table = table.filter(pc.is_in(table[only[0]], pa.array([*only[1]], pa.string())))
    try:
        return records_of(table, record_type)
    except (ValueError, pa.ArrowNotImplementedError) as error:
        told = f"{path} holds no {record_type.__name__} ({error})"
        raise CorruptArtifact(f"{told}: delete the folder {path.parent} and run again") from error


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in lists of `size`, the last one perhaps shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def write_shard(path: Path, table: pa.Table) -> None:
    """Writes a shard, whole or not at all, behind the digest that it is believed by; without that it is made again."""
    scratch = path.with_suffix(".tmp")
    write_parquet(scratch, table)
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
    """Deletes what a crash left behind in `folder`, but whole shards, `LASTING` and the files named in `keep`.

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
            if path.name != LASTING:
                shutil.rmtree(path)
        elif path.name not in whole and path.name not in keep:
            path.unlink()


def _number(shard: Path) -> str:
    return shard.stem.rpartition("-")[2]


def _digest(content: Path, place: Path) -> str:
    """The digest of the bytes of `content` as the shard at `place`."""
    folder = place.parent
    return hashlib.sha256(canonical([folder.parent.name, folder.name, place.name, sha256_of(content)])).hexdigest()
