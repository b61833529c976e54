"""Files that are whole or absent: atomic writes, digests, locks."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from json.encoder import JSONEncoder
from pathlib import Path

from selfreward.errors import AssetError, StoreError
from selfreward.spec import Json

_ABANDONED_S = 3600
_encode = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Json) -> bytes:
    """`value` as JSON bytes in the one form that digests are taken of; NaN is refused with ValueError."""
    return _encode(value).encode()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` so that a reader, or a crash, sees the old file or the new one; old scratch files go."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(content)
        sync(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    for other in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError):  # another process may be at it too
            if time.time() - other.lstat().st_mtime > _ABANDONED_S:
                other.unlink()
    sync(path.parent)


def write_json(path: Path, value: Json) -> None:
    """Writes `value` as indented JSON, atomically."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def sync(path: Path) -> None:
    """Makes the bytes of a file, or the renames inside a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the one lock at `path`; `on_wait` is called if another has it. Raises StoreError without locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreError(
                f"the file system of {path.parent} has no locks ({error.strerror}), which keep two processes apart: "
                "choose a folder on another disk, store.runs=FOLDER"
            ) from error
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Whether the one lock at `path` was free; it is held then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        free = False
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        yield free


def folder_digest(folder: Path, memory: Path) -> str:
    """A digest of the names and bytes of all files in `folder` (subfolders and dot files left out).

    Files are hashed once: `memory` is a JSON file that remembers their digests by path, size and time of change.
    Raises AssetError for a folder that does not exist or holds no file.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise AssetError(f"there is no model in {folder}: give a folder with config.json and *.safetensors")
    known: dict[str, str] = {}
    with suppress(FileNotFoundError, ValueError):  # it saves time and nothing else
        told = json.loads(memory.read_bytes())
        known = told if isinstance(told, dict) else {}
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
