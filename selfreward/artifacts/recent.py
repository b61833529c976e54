"""Which artifacts of a stage were made last: a list of keys beside the store's locks, for explaining a miss.

It is a convenience: one line is added after each commit, a line that is torn, missing or of a deleted artifact is
passed over, and a list that is missing is made anew from the times of folders. No result hangs on it.
"""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from selfreward.artifacts.manifest import Manifest, read_manifest
from selfreward.errors import CorruptArtifact

_LOOKED_AT = 16
_BEGUN_WITH = 512
_TAIL = 1 << 20  # bytes: over 10,000 lines
_KEY = re.compile(r"[0-9a-f]{16}")


def note_made(root: Path, manifest: Manifest) -> None:
    """Adds an artifact to the list of its stage, in one write that other processes' lines do not mix with."""
    path = _list_of(root, manifest.stage)
    if not path.exists():
        _begin(path, root / manifest.stage)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, f"{_line(manifest)}\n".encode())
    finally:
        os.close(handle)


def made_last(root: Path, stage: str, inputs: Collection[str]) -> Iterator[Manifest]:
    """The manifests of the last artifacts of `stage` with inputs of these names, 16 at most, the last one first."""
    path = _list_of(root, stage)
    if not path.exists():
        _begin(path, root / stage)
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    wanted = _names(inputs)
    pairs = (line.partition(" ") for line in reversed(lines))
    keys = dict.fromkeys(key for key, _, names in pairs if names == wanted and _KEY.fullmatch(key))
    found = (manifest_in(root / stage / key) for key in islice(keys, _LOOKED_AT))
    return (one for one in found if one is not None)


def manifest_in(folder: Path) -> Manifest | None:
    """The manifest in `folder`; None where there is none, or it cannot be read: an explanation can do without."""
    with suppress(CorruptArtifact):
        return read_manifest(folder)
    return None


def _begin(path: Path, folder: Path) -> None:
    """Makes the list of a store that has none: one of an older version, or a copy without it."""
    made = sorted((entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder)) if folder.is_dir() else []
    manifests = (manifest_in(Path(one)) for _, one in made[-_BEGUN_WITH:])
    lines = [f"{_line(one)}\n" for one in manifests if one is not None]
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text("".join(lines))
    scratch.replace(path)


def _list_of(root: Path, stage: str) -> Path:
    return root / ".made" / stage


def _line(manifest: Manifest) -> str:
    return f"{manifest.key} {_names(manifest.inputs)}"


def _names(inputs: Collection[str]) -> str:
    return ",".join(sorted(inputs))
