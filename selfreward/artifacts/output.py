"""The folder that a stage writes into, while it writes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from selfreward.artifacts.atomic_files import write_json
from selfreward.artifacts.columns import table_of
from selfreward.artifacts.manifest import TableEntry, shard_name
from selfreward.artifacts.parquet import digest_file, read_records, write_shard
from selfreward.artifacts.row_lines import lines_of
from selfreward.spec import Json

Advance = Callable[[int], None]
SHARD_ROWS = 4096
Record = TypeVar("Record")


class Reporter(Protocol):
    """Where a store tells what it does: a line, or progress towards a total."""

    def say(self, line: str) -> None:
        """Tells one line."""

    def progress(self, title: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Shows progress inside a block; the function it gives says that n more units are done."""


class Table(Generic[Record]):
    """Writes one table shard by shard; shards finished before a crash are kept and count as written.

    Shards are asked for in order, so the digest of the rows is at hand when the last one is done.
    """

    def __init__(self, folder: Path, name: str, record_type: type[Record]) -> None:
        """Writes `<name>-00000.parquet`, `<name>-00001.parquet` ... in `folder`."""
        self._folder, self._name, self._type = folder, name, record_type
        self._digest = hashlib.sha256()
        self._rows = 0
        self._shards = 0
        self._waiting: list[Record] = []

    def shard(self, make: Callable[[], list[Record]], advance: Advance | None = None) -> list[Record]:
        """The records of the next shard: those on disk if an earlier process finished it, else what `make` makes.

        Records taken from disk are told to `advance`; `make` tells of its own progress.
        """
        path = self._path()
        if not path.exists():
            records = make()
            self.write(records)
            return records
        records = read_records(path, self._type)
        if advance is not None:
            advance(len(records))
        self._take(table_of(records, self._type))
        return records

    def whole(self, shards: int) -> bool:
        """Whether so many shards are on disk."""
        return all((self._folder / shard_name(self._name, number)).exists() for number in range(shards))

    def written(self, number: int) -> list[Record]:
        """The records of a shard that was written."""
        return read_records(self._folder / shard_name(self._name, number), self._type)

    def delete(self) -> None:
        """Deletes every shard that is on disk."""
        for path in sorted(self._folder.glob(f"{self._name}-*.parquet")):
            path.unlink()
            digest_file(path).unlink()

    def write(self, records: Sequence[Record]) -> None:
        """Writes the next shard, whole or not at all."""
        rows = table_of(records, self._type)
        write_shard(self._path(), rows)
        self._take(rows)

    def write_all(self, records: Iterable[Record]) -> None:
        """Writes `records` in shards of `SHARD_ROWS`; none where there are none."""
        for record in records:
            self.add(record)
        self.flush()

    def add(self, *records: Record) -> None:
        """Takes records that are written as by `write_all` when there are enough of them, or at the end."""
        for record in records:
            self._waiting.append(record)
            if len(self._waiting) == SHARD_ROWS:
                self.flush()

    def flush(self) -> None:
        """Writes what was added and is not written yet."""
        if self._waiting:
            self.write(self._waiting)
            self._waiting = []

    def entry(self) -> TableEntry:
        """The table as the manifest lists it."""
        return TableEntry(name=self._name, shards=self._shards, rows=self._rows, row_digest=self._digest.hexdigest())

    def _path(self) -> Path:
        return self._folder / shard_name(self._name, self._shards)

    def _take(self, rows: pa.Table) -> None:
        self._digest.update(lines_of(rows))
        self._rows += rows.num_rows
        self._shards += 1


@dataclass
class Output:
    """What a stage may write: tables, JSON files, folders below `path`, and counts for the manifest.

    `counts` are facts about the work (tokens, rows dropped) that are kept in the manifest and are no part of the
    content; what later stages or people should rely on belongs in a table or a JSON file.
    """

    path: Path
    title: str
    reporter: Reporter
    counts: dict[str, int | float] = field(default_factory=dict)
    tables: list[TableEntry] = field(default_factory=list)

    @contextmanager
    def table(self, record_type: type[Record], name: str = "rows") -> Iterator[Table[Record]]:
        """A table to write; it is listed in the manifest when the block ends without an error."""
        table = Table(self.path, name, record_type)
        yield table
        table.flush()
        self.tables.append(table.entry())

    @contextmanager
    def draft(self, record_type: type[Record], name: str) -> Iterator[Table[Record]]:
        """A table that another one is made of: it outlives a crash and is deleted when the block ends without an error.

        The other one is whole by then. No artifact has it.
        """
        table = Table(self.path, name, record_type)
        yield table
        table.delete()

    def write_table(self, record_type: type[Record], records: Iterable[Record], name: str = "rows") -> int:
        """Writes a whole table in shards of `SHARD_ROWS`; how many records it holds."""
        with self.table(record_type, name) as table:
            table.write_all(records)
        return table.entry().rows

    def write_json(self, name: str, value: Json) -> None:
        """Writes `<name>.json`."""
        write_json(self.path / f"{name}.json", value)

    def progress(self, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """A progress bar for this stage."""
        return self.reporter.progress(self.title, total, unit)

    def say(self, line: str) -> None:
        """Tells a line below the title of this stage."""
        self.reporter.say(f"  {line}")

    def count(self, **counts: int | float) -> None:
        """Adds to the counts of the manifest."""
        for name, value in counts.items():
            self.counts[name] = self.counts.get(name, 0) + value
