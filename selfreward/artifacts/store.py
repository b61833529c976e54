"""The store: runs a stage unless its result is there, and commits what it made in one rename.

An artifact lives in `<root>/<stage>/<key>/`. Its key is made of the stage's name and VERSION, the settings that
decide its content, the digests of its inputs, the engine in use and the seed; never of code, host, run name or the
number of iterations. See docs/adr/0001-keys.md.
"""

import functools
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import selfreward
from selfreward.artifacts import manifest as manifests
from selfreward.artifacts.artifact import Artifact, Part
from selfreward.artifacts.files import locked, sync_files, sync_folder
from selfreward.artifacts.identity import explain_miss, key_of
from selfreward.artifacts.manifest import InputEntry, Manifest
from selfreward.artifacts.output import Output, Reporter
from selfreward.errors import CorruptArtifact, SelfrewardError, of_system
from selfreward.records import Policy
from selfreward.spec import Json, Spec, identity


class Engine(Protocol):
    """What a stage computes with; only its identity counts in a key."""

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Name, version and whatever else decides the results."""
        ...


Input = Artifact | Policy | Part


@dataclass
class Store:
    """A folder of artifacts shared by all runs and sweep cells."""

    root: Path
    reporter: Reporter
    _checked: set[Path] = field(default_factory=set)

    def run(
        self,
        stage: Callable[..., None],
        spec: Spec,
        *,
        seed: int | None = None,
        backend: Engine | None = None,
        engine: Mapping[str, Json] | None = None,
        **inputs: Input | None,
    ) -> Artifact:
        """The artifact of `stage` under `spec`, made now if it is not in the store.

        The stage is called as `stage(out, spec, **inputs)`, with `seed` and `backend` where they are not None. An
        input that is None is no part of the key, and of one that is a `Part` only what it names counts; `engine` names
        what the stage computes with if that is no backend.

        Raises:
            StoreError: the disk is full, or the system refuses something else.
            CorruptArtifact: bytes have changed since they were written.
            CollectedArtifact: bytes are needed that `selfreward gc` deleted.
            Exception: whatever the stage raises, with the stage and its folder noted.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        engine = dict(backend.identity) if backend is not None else engine
        wanted = _identity(stage, spec, seed, engine, given)
        key = key_of(wanted)
        folder = self.root / stage.__name__ / key
        label = f"{stage.__name__} {key[:4]}"
        with locked(
            self.lock_of(stage.__name__, key),
            on_wait=lambda: self.reporter.say(f"{label}: another process is making it, waiting"),
        ):
            if (found := self._find(folder)) is not None:
                return found
            self.reporter.say(f"{label}: {explain_miss(wanted, self._identities(stage.__name__, given))}")
            self._check_inputs(given)
            context = {name: value for name, value in (("seed", seed), ("backend", backend)) if value is not None}
            return self._make(stage, spec, folder, label, wanted, {**inputs, **context})

    def lock_of(self, stage: str, key: str) -> Path:
        """The lock file of an artifact."""
        return self.root / ".locks" / f"{stage}-{key}"

    def _make(
        self,
        stage: Callable[..., None],
        spec: Spec,
        folder: Path,
        label: str,
        wanted: dict[str, Json],
        arguments: Mapping[str, Any],
    ) -> Artifact:
        folder.mkdir(parents=True, exist_ok=True)
        out = Output(path=folder, title=label, reporter=self.reporter)
        out.clear_unfinished()
        started = time.monotonic()
        with _located(label, folder):
            stage(out, spec, **arguments)
            sync_files(folder)
            files = manifests.list_files(folder)
            manifest = Manifest(
                stage=stage.__name__,
                key=folder.name,
                digest=manifests.content_digest(tuple(out.tables), files),
                identity=wanted,
                inputs={
                    name: InputEntry(key=value.key, digest=value.digest, part=_part_of(value))
                    for name, value in arguments.items()
                    if isinstance(value, Input)
                },
                tables=tuple(out.tables),
                files=files,
                counts=out.counts,
                seconds=round(time.monotonic() - started, 3),
                made=datetime.now(UTC).isoformat(timespec="microseconds"),
                versions=_versions(),
                commit=_commit(),
            )
            manifests.write_manifest(folder, manifest)
            sync_folder(folder.parent)
        self._checked.add(folder)
        return Artifact(folder, manifest)

    def _find(self, folder: Path) -> Artifact | None:
        manifest = manifests.read_manifest(folder)
        if manifest is None:
            return None
        if not manifest.collected and not manifests.looks_untouched(folder, manifest):
            manifests.check_bytes(folder, manifest)
            manifest = manifests.refresh_times(folder, manifest)
        return Artifact(folder, manifest)

    def _check_inputs(self, inputs: Mapping[str, Input]) -> None:
        """Reads every byte of the inputs back, once a process, before anything is made from them."""
        for value in inputs.values():
            artifact = self._artifact_of(value)
            if artifact is not None and artifact.path not in self._checked:
                artifact.check()
                self._checked.add(artifact.path)

    def _artifact_of(self, value: Input) -> Artifact | None:
        """The artifact that an input came from; None for a model from outside, whose key is its digest."""
        match value:
            case Artifact():
                return value
            case Part():
                return value.artifact
        folder = value.path.parent
        inside = folder.resolve().is_relative_to(self.root.resolve())
        manifest = manifests.read_manifest(folder) if inside else None
        if manifest is None and value.key != value.digest:
            raise CorruptArtifact(f"{folder} has no manifest: run again to make it anew")
        return None if manifest is None else Artifact(folder, manifest)

    def _identities(self, stage: str, inputs: Mapping[str, Input]) -> Iterator[Mapping[str, Json]]:
        """Identities in the store of the same stage, those with the same inputs first."""
        for folder in sorted((self.root / stage).glob("*")):
            manifest = manifests.read_manifest(folder)
            if manifest is not None and manifest.inputs.keys() == inputs.keys():
                yield manifest.identity


@contextmanager
def _located(label: str, folder: Path) -> Iterator[None]:
    """Says in which stage, under which key and in which folder an error happened.

    What the system refuses becomes StoreError.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, SelfrewardError) and (refused := of_system(error, f"{label} in {folder}")) is not None:
            raise refused from error
        error.add_note(f"in stage {label}, folder {folder}")
        raise


def _identity(
    stage: Callable[..., None],
    spec: Spec,
    seed: int | None,
    engine: Mapping[str, Json] | None,
    inputs: Mapping[str, Input],
) -> dict[str, Json]:
    module = sys.modules[stage.__module__]
    wanted: dict[str, Json] = {
        "stage": stage.__name__,
        "version": module.VERSION,
        "spec": identity(spec),
        "inputs": {name: value.digest for name, value in inputs.items()},
    }
    if engine is not None:
        wanted["engine"] = dict(engine)
    if seed is not None:
        wanted["seed"] = seed
    return wanted


def _part_of(value: Input) -> tuple[str, ...]:
    return value.names if isinstance(value, Part) else ()


def _versions() -> dict[str, str]:
    return {
        "python": sys.version.split()[0],
        "pyarrow": version("pyarrow"),
        "selfreward": selfreward.__version__,
    }


@functools.cache
def _commit() -> str | None:
    """The commit of the checkout this runs from, or None for an installed package or a machine without git."""
    checkout, git = Path(__file__).parents[2], shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return None
    asked = subprocess.run(
        [git, "-C", str(checkout), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else None
