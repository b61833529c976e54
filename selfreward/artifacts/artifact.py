"""A committed result as it is read: the whole of it, or the part that a stage needs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

from selfreward.artifacts import manifest as manifests
from selfreward.artifacts.manifest import InputEntry, Manifest, TableEntry
from selfreward.artifacts.parquet import Only, read_records
from selfreward.errors import CollectedArtifact
from selfreward.spec import Json

Record = TypeVar("Record")


@dataclass(frozen=True)
class Artifact:
    """A committed result: its tables, JSON files and folders."""

    path: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        """The key it was made under."""
        return self.manifest.key

    @property
    def digest(self) -> str:
        """The digest of its content."""
        return self.manifest.digest

    @property
    def spec(self) -> dict[str, Json]:
        """The settings that are part of its key."""
        return cast("dict[str, Json]", self.manifest.identity["spec"])

    @property
    def seed(self) -> int | None:
        """The seed it was drawn with; None for a stage that draws nothing."""
        return cast("int | None", self.manifest.seed)

    @property
    def policy(self) -> InputEntry | None:
        """The policy that it was made with; None where there was none."""
        return self.manifest.inputs.get("policy")

    @property
    def money(self) -> float | None:
        """What servers that have prices were paid for it; None where none was."""
        return self.manifest.counts.get("money")

    @property
    def tokens(self) -> int | None:
        """Tokens drawn or read in making it; None for a stage that counts none."""
        counted = [int(count) for name, count in self.manifest.counts.items() if name.endswith("tokens")]
        return sum(counted) if counted else None

    def shards(
        self, record_type: type[Record], table: str = "rows", *, only: Only | None = None
    ) -> Iterator[list[Record]]:
        """The records of a table, one list a shard, in order; one shard is in memory at a time.

        Of the columns only those that `record_type` has are read, and of the rows those that hold a value of `only`.
        """
        if self.manifest.collected:
            raise self.emptied()
        return (read_records(path, record_type, only) for path in self._table(table).paths(self.path))

    def records(self, record_type: type[Record], table: str = "rows", *, only: Only | None = None) -> Iterator[Record]:
        """The records of a table, in order, as from `shards`."""
        return chain.from_iterable(self.shards(record_type, table, only=only))

    def has(self, table: str) -> bool:
        """Whether there is a table of this name."""
        return any(entry.name == table for entry in self.manifest.tables)

    def has_json(self, name: str) -> bool:
        """Whether there is a `<name>.json`."""
        return any(entry.path == f"{name}.json" for entry in self.manifest.files)

    def _table(self, name: str) -> TableEntry:
        return {entry.name: entry for entry in self.manifest.tables}[name]

    def rows(self, table: str = "rows") -> int:
        """The number of rows of a table."""
        return self._table(table).rows

    def json(self, name: str) -> dict[str, Any]:
        """The content of `<name>.json`; small files outlive `selfreward gc`."""
        content: dict[str, Any] = json.loads((self.path / f"{name}.json").read_text())
        return content

    def emptied(self) -> CollectedArtifact:
        """What to raise where its bytes are needed after `selfreward gc` deleted them."""
        return CollectedArtifact(
            f"{self.path} was emptied by `selfreward gc`: delete the folder and run again to make it anew"
        )

    def check(self) -> None:
        """Reads every byte back. Raises CorruptArtifact or CollectedArtifact."""
        if self.manifest.collected:
            raise self.emptied()
        manifests.check_bytes(self.path, self.manifest)

    def part(self, *names: str) -> "Part":
        """The tables and JSON files called `names`. Raises KeyError for one that is not there."""
        if manifests.part_digest(self.manifest, names) is None:
            raise KeyError(f"{self.path} has no {' and '.join(names)}")
        return Part(self.path, self.manifest, names)

    def holds(self, entry: InputEntry) -> bool:
        """Whether the content that was read as `entry` is here: all of this artifact, or the part that it names."""
        digest = manifests.part_digest(self.manifest, entry.part) if entry.part else self.digest
        return digest == entry.digest


@dataclass(frozen=True)
class Part(Artifact):
    """Some tables and JSON files of an artifact, for a stage that reads no more of it: only they count in its key."""

    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The one that an artifact with nothing else would have."""
        return str(manifests.part_digest(self.manifest, self.names))

    def json(self, name: str) -> dict[str, Any]:
        """The content of `<name>.json`. Raises KeyError where that is not in this part."""
        self._need(name)
        return super().json(name)

    def _table(self, name: str) -> TableEntry:
        self._need(name)
        return super()._table(name)

    def _need(self, name: str) -> None:
        if name not in self.names:
            raise KeyError(f"{name} is no part of what was asked for: {', '.join(self.names)}")


def part_of(artifact: Artifact | None, *names: str) -> Part | None:
    """`artifact.part(*names)`; None where there is no artifact."""
    return None if artifact is None else artifact.part(*names)
