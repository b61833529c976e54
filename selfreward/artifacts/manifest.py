"""What was made, from what, and how to tell that it is still the same."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from selfreward.artifacts.files import canonical, sha256_of, write_json
from selfreward.errors import CorruptArtifact
from selfreward.spec import Json

NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of an artifact, as it was when the artifact was committed."""

    path: str
    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One table: its shards, its row count and the SHA-256 of its rows as canonical JSON lines."""

    name: str
    shards: int
    rows: int
    row_digest: str

    def paths(self, folder: Path) -> list[Path]:
        """The files of the table in the artifact's `folder`, in order."""
        return [folder / shard_name(self.name, number) for number in range(self.shards)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEntry:
    """One input as it was used: the key it was made under and the digest of its content.

    `part` names the tables and JSON files that were read, whose digest this is then; empty where all was.
    """

    key: str
    digest: str
    part: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The record of one artifact; it exists only if the artifact is whole.

    `digest` identifies the content: rows by value, other files by their bytes. `seconds` is wall time of all the
    work in the process that committed; `collected` is true once `selfreward gc` has deleted the bytes. `seal` is the
    digest of all that is said here and does not change later; None where an earlier version wrote none.
    """

    stage: str
    key: str
    digest: str
    identity: dict[str, Json]
    inputs: dict[str, InputEntry]
    tables: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...]
    counts: dict[str, int | float]
    seconds: float
    made: str
    versions: dict[str, str]
    commit: str | None
    collected: bool = False
    seal: str | None = None


def shard_name(table: str, number: int) -> str:
    """The file that holds one shard of a table."""
    return f"{table}-{number:05d}.parquet"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Commits the artifact in `folder`: the manifest is its last file, renamed into place."""
    write_json(folder / NAME, asdict(manifest))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None where nothing was committed."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        if newer := sorted(content.keys() - Manifest.__dataclass_fields__.keys()):
            raise CorruptArtifact(
                f"{path} was written by a newer version of selfreward (it has {newer[0]!r}): update selfreward, or "
                "choose another folder, store.runs=FOLDER"
            )
        return Manifest(
            **{
                **content,
                "inputs": {name: _input(entry) for name, entry in content["inputs"].items()},
                "tables": tuple(TableEntry(**entry) for entry in content["tables"]),
                "files": tuple(FileEntry(**entry) for entry in content["files"]),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptArtifact(f"{path} is not a manifest ({error}): delete the folder {folder}") from error


def sealed(manifest: Manifest) -> Manifest:
    """`manifest` with its seal."""
    return replace(manifest, seal=seal_of(manifest))


def seal_of(manifest: Manifest) -> str:
    """The digest of what `manifest` says, without times of change and whether the bytes are collected."""
    said = asdict(replace(manifest, seal=None, collected=False))
    for entry in said["files"]:
        del entry["mtime_ns"]
    return hashlib.sha256(canonical(said)).hexdigest()[:16]


def _input(entry: dict[str, Any]) -> InputEntry:
    return InputEntry(**{**entry, "part": tuple(entry.get("part", ()))})


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """An entry for every file below `folder` but the manifest, sorted by path."""
    entries = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME):
        stat = path.stat()
        name = path.relative_to(folder).as_posix()
        entries.append(FileEntry(path=name, bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=sha256_of(path)))
    return tuple(entries)


def content_digest(tables: tuple[TableEntry, ...], files: tuple[FileEntry, ...]) -> str:
    """The identity of an artifact's content; how a table is cut into shards does not count."""
    parts: list[Json] = [[table.name, table.row_digest] for table in tables]
    parts += [[file.path, file.sha256] for file in files if not file.path.endswith(".parquet")]
    return hashlib.sha256(canonical(parts)).hexdigest()[:16]


def part_digest(manifest: Manifest, names: Collection[str]) -> str | None:
    """The digest of an artifact with only the tables and JSON files called `names`; None where one is not there."""
    tables = {table.name: table for table in manifest.tables if table.name in names}
    files = {name: file for file in manifest.files if (name := file.path.removesuffix(".json")) in names}
    if {*tables, *files} != set(names):
        return None
    return content_digest(tuple(tables.values()), tuple(files.values()))


def looks_untouched(folder: Path, manifest: Manifest) -> bool:
    """Whether every file still has the size and time of change it was committed with."""
    for entry in manifest.files:
        path = folder / entry.path
        if not path.exists():
            return False
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (entry.bytes, entry.mtime_ns):
            return False
    return True


def check_bytes(folder: Path, manifest: Manifest) -> None:
    """Reads every file back. Raises CorruptArtifact naming the folder to delete for any altered or missing one."""
    for entry in manifest.files:
        path = folder / entry.path
        if not path.exists():
            raise CorruptArtifact(f"{path} is missing: delete the folder {folder} and run again")
        if path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
            raise CorruptArtifact(f"{path} is not the file that was written: delete the folder {folder} and run again")


def refresh_times(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest with today's times of change, written back: for a store that was copied without them."""
    files = tuple(replace(entry, mtime_ns=(folder / entry.path).stat().st_mtime_ns) for entry in manifest.files)
    fresh = replace(manifest, files=files)
    write_manifest(folder, fresh)
    return fresh
