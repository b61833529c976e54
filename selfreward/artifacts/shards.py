"""Shards of an artifact at work: each is written with a digest beside it, and believed after a crash only with that.

The digest covers the bytes and the place: stage, key and file name. A shard of another artifact, or one under another
number, has another digest although its bytes are whole.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from selfreward.artifacts.atomic_files import canonical, sha256_of, sync
from selfreward.artifacts.parquet import Row, write_parquet


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


def altered_shards(folder: Path) -> Iterator[Path]:
    """The shards in `folder` that are not what was written, and those of the same number in other tables.

    One table may be concluded from another, shard by shard: what was concluded from an altered shard goes with it.
    """
    shards = [path for path in sorted(folder.glob("*.parquet")) if path.is_symlink() or not path.is_dir()]
    altered = {path for path in shards if path.is_symlink() or not is_whole(path)}
    numbers = {_number(path) for path in altered}
    yield from (path for path in shards if _number(path) in numbers)


def clear_unfinished(folder: Path, keep: Collection[str], say: Callable[[str], None]) -> None:
    """Deletes what a crash left behind in `folder`, but whole shards and the files named in `keep`; tells of others."""
    for shard in altered_shards(folder):
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
