"""What was made, from what, and how to tell that it is still the same."""

import hashlib
import json
from collections import deque
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from selfreward.artifacts.atomic_files import canonical, sha256_of, sync, write_json
from selfreward.artifacts.identity import key_of
from selfreward.artifacts.parquet import digest_file
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
    work in the process that committed; `collected` is true once `selfreward gc` has deleted the bytes. `record` is
    the `record_digest` of the manifest; None in those of older versions.
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
    record: str | None = None

    @property
    def seed(self) -> Json:
        """The seed it was drawn with; None for a stage that draws nothing."""
        return self.identity.get("seed")

    @property
    def version(self) -> Json:
        """The version of its stage."""
        return self.identity["version"]


def record_digest(manifest: Manifest) -> str:
    """The SHA-256 of all that a manifest says but times of change and `collected`, which may change."""
    said = asdict(replace(manifest, collected=False, record=None))
    said["files"] = [{**entry, "mtime_ns": 0} for entry in said["files"]]
    return hashlib.sha256(canonical(said)).hexdigest()


def recorded(manifest: Manifest) -> Manifest:
    """The manifest with its `record_digest`."""
    return replace(manifest, record=record_digest(manifest))


def check_key(folder: Path, manifest: Manifest) -> None:
    """Raises CorruptArtifact where the manifest in `folder` is that of another artifact."""
    key, stage = key_of(manifest.identity), manifest.identity.get("stage")
    if (folder.parent.name, folder.name) != (stage, key) or (manifest.stage, manifest.key) != (stage, key):
        raise CorruptArtifact(f"{folder / NAME} is that of {stage} {key}: delete the folder {folder}")


def shard_name(table: str, number: int) -> str:
    """The file that holds one shard of a table."""
    return f"{table}-{number:05d}.parquet"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Commits the artifact in `folder`: the manifest is its last file, renamed into place."""
    write_json(folder / NAME, asdict(manifest))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None where nothing was committed."""
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        parts = {name: {**one, "part": tuple(one.get("part", ()))} for name, one in content["inputs"].items()}
        content["inputs"] = {name: InputEntry(**one) for name, one in parts.items()}
        content["tables"] = tuple(TableEntry(**one) for one in content["tables"])
        content["files"] = tuple(FileEntry(**one) for one in content["files"])
        return Manifest(**content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"{path} is not a manifest ({error}): delete the folder {folder}") from error


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """All files below `folder` but the manifest and the digests of shards, by path; their bytes are on the disk."""
    shards = set(folder.glob("*.parquet"))
    beside = {folder / NAME, *map(digest_file, shards)}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path not in beside)
    with ThreadPoolExecutor() as disk, ThreadPoolExecutor() as cores:
        # The disk writes a model while the processor takes its digest; shards were synced when they were written. Two
        # pools, so that no digest waits behind the disk: a model may be cut into many files.
        synced = disk.map(sync, [path for path in paths if path not in shards])
        entries = tuple(cores.map(partial(_entry, folder), paths))
    deque(synced, maxlen=0)  # raises what a sync raised
    return entries


def _entry(folder: Path, path: Path) -> FileEntry:
    stat = path.stat()
    name = path.relative_to(folder).as_posix()
    return FileEntry(path=name, bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=sha256_of(path))


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
    try:
        stats = [(folder / entry.path).stat() for entry in manifest.files]
    except (FileNotFoundError, NotADirectoryError):
        return False
    seen = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    return seen == [(entry.bytes, entry.mtime_ns) for entry in manifest.files]


def outlives_gc(path: str) -> bool:
    """Whether `selfreward gc` keeps the file at `path` in the folder of an artifact: it is a small one, at its top."""
    return "/" not in path and path.endswith(".json")


def check_bytes(folder: Path, manifest: Manifest) -> None:
    """Reads every kept file back. Raises CorruptArtifact, naming the folder to delete, for one altered or missing."""
    kept = [entry for entry in manifest.files if not manifest.collected or outlives_gc(entry.path)]
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(partial(_wrong_with, folder, folder.resolve()), kept)]
    for entry, wrong in zip(kept, found, strict=True):
        if wrong is not None:
            raise CorruptArtifact(f"{folder / entry.path} {wrong}: delete the folder {folder} and run again")


def _wrong_with(folder: Path, home: Path, entry: FileEntry) -> str | None:
    """What is wrong with a file of `folder`, which is `home` when links are followed; None where nothing is."""
    path = folder / entry.path
    if not path.exists():
        return "is missing"
    if path.resolve() != home / entry.path:
        return f"leads to {path.resolve()}, outside its place"
    if path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
        return "is not the file that was written"
    return None


def refresh_times(folder: Path, manifest: Manifest) -> Manifest:
    """The manifest with today's times of change, written back: for a store that was copied without them."""
    files = tuple(replace(entry, mtime_ns=(folder / entry.path).stat().st_mtime_ns) for entry in manifest.files)
    fresh = replace(manifest, files=files)
    write_manifest(folder, fresh)
    return fresh
