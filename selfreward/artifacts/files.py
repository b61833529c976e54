"""Files that are whole or absent: atomic writes, digests, locks."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfreward.errors import AssetError
from selfreward.spec import Json

_BLOCK = 1 << 20


def canonical(value: Json) -> bytes:
    """`value` as JSON bytes in the one form that digests are taken of; NaN is refused with ValueError."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing between."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, value: Json) -> None:
    """Writes `value` as indented JSON, atomically."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def sync_folder(path: Path) -> None:
    """Makes renames inside `path` survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_files(folder: Path) -> None:
    """Makes every file below `folder` survive a power cut, for files that a library wrote."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the one lock at `path`; calls `on_wait` once if another process has it, then waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def folder_digest(folder: Path, memory: Path) -> str:
    """A digest of the names and bytes of all files in `folder` (subfolders and dot files left out).

    Files are hashed once: `memory` is a JSON file that remembers their digests by path, size and time of change.
    Raises AssetError for a folder that does not exist or holds no file.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise AssetError(f"there is no model in {folder}: give a folder with config.json and *.safetensors")
    known: dict[str, str] = json.loads(memory.read_text()) if memory.exists() else {}
    found: dict[str, str] = {}
    pairs: list[Json] = []
    for path in files:
        stat = path.stat()
        name = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        found[name] = known.get(name) or sha256_of(path)
        pairs.append([path.name, found[name]])
    if not found.keys() <= known.keys():
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, {**known, **found})
    return hashlib.sha256(canonical(pairs)).hexdigest()[:16]
