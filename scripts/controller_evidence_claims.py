"""A claim on a piece of work, held by this process and those it starts; when all of them are gone, so is the claim."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(path: Path) -> Iterator[int | None]:
    """Holds the claim file at `path`; yields its descriptor, for a child to hold too, or None where another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if not _taken(file.fileno(), path):
            yield None
            return
        try:
            yield file.fileno()
        finally:
            path.unlink(missing_ok=True)


def _taken(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Whoever had it may have removed the file since it was opened here: then this lock is one on nothing.
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
