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
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import selfreward
from selfreward.artifacts import manifest as manifests
from selfreward.artifacts import recent
from selfreward.artifacts.artifact import Artifact, Part
from selfreward.artifacts.atomic_files import locked, sync
from selfreward.artifacts.identity import explain_miss, key_of
from selfreward.artifacts.manifest import InputEntry, Manifest
from selfreward.artifacts.output import Output, Reporter
from selfreward.artifacts.parquet import LASTING, clear_unfinished
from selfreward.errors import CorruptArtifact, SelfrewardError, StoreError, of_system
from selfreward.installed import version
from selfreward.policies import Endpoint, Judging, Policy, RewardModels
from selfreward.spec import Json, Spec, identity


class Engine(Protocol):
    """What a stage computes with; only its identity counts in a key."""

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Name, version and whatever else decides the results."""

    @property
    def used(self) -> Mapping[str, int | float]:
        """Counts of what was used since it was opened, where use is paid for: they go into the manifest."""


Input = Artifact | Judging
Stage = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A call of a stage: `inputs` and the `context` (seed, backend) are what it is given besides its spec."""

    stage: Stage
    spec: Spec
    folder: Path
    identity: dict[str, Json]
    inputs: Mapping[str, Input | None]
    context: Mapping[str, Any]

    @property
    def used(self) -> dict[str, int | float]:
        """What the engines that it is given have used."""
        given = [self.context.get("backend"), *self.context.get("engines", {}).values()]
        total = Counter[str]()
        for engine in {id(one): one for one in given if one is not None}.values():
            total.update(engine.used)
        return dict(total)

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"{self.stage.__name__} {self.folder.name[:4]}"


@dataclass
class Store:
    """A folder of artifacts shared by all runs and sweep cells."""

    root: Path
    reporter: Reporter
    _checked: set[Path] = field(default_factory=set)
    _collected: dict[Path, _Work] = field(default_factory=dict)

    def run(
        self,
        stage: Stage,
        spec: Spec,
        *,
        seed: int | None = None,
        backend: Engine | None = None,
        engine: Mapping[str, Json] | None = None,
        engines: Mapping[str, Engine] | None = None,
        before: Path | None = None,
        **inputs: Input | None,
    ) -> Artifact:
        """The artifact of `stage` under `spec`, made now if it is not in the store.

        The stage is called as `stage(out, spec, **inputs)`, with `seed`, `backend` and `engines` where there are some.
        An input that is None is no part of the key, and of one that is a `Part` only what it names counts; `engine`
        names what the stage computes with if that is no backend, `engines` are backends beside it, by their names. An
        artifact that `selfreward gc` emptied is found like any other; it is made again when a stage that has to be made
        needs its bytes. What is made is told with what is new about it, against the artifact in the folder `before`,
        else against the nearest of the last ones.

        Raises StoreError where the system refuses something or what was made again is not what it was, CorruptArtifact
        for altered bytes, CollectedArtifact for deleted ones that no call of this store makes, and what the stage does.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        engine = dict(backend.identity) if backend is not None else engine
        wanted: dict[str, Json] = {
            "stage": stage.__name__,
            "version": sys.modules[stage.__module__].VERSION,
            "spec": identity(spec),
            "inputs": {name: value.digest for name, value in given.items()},
        }
        if engine is not None:
            wanted["engine"] = dict(engine)
        if engines:
            wanted["engines"] = {name: dict(one.identity) for name, one in engines.items()}
        if seed is not None:
            wanted["seed"] = seed
        passed = (("seed", seed), ("backend", backend), ("engines", engines or None))
        context = {name: value for name, value in passed if value is not None}
        folder = self.root / stage.__name__ / key_of(wanted)
        work = _Work(stage=stage, spec=spec, folder=folder, identity=wanted, inputs=inputs, context=context)
        with self._lock(work):
            if (found := self._find(folder)) is not None:
                if found.manifest.collected:
                    self._collected[folder] = work
                return found
            self.reporter.say(f"{work.label}: {explain_miss(wanted, self._known(stage.__name__, given, before))}")
            return self._make(work)

    def lock_of(self, stage: str, key: str) -> Path:
        """The lock file of an artifact."""
        return self.root / ".locks" / f"{stage}-{key}"

    def _lock(self, work: _Work) -> AbstractContextManager[None]:
        return locked(
            self.lock_of(work.stage.__name__, work.folder.name),
            on_wait=lambda: self.reporter.say(f"{work.label}: another process is making it, waiting"),
        )

    def _make(self, work: _Work, kept: Manifest | None = None) -> Artifact:
        """Makes an artifact; where it was made before, its manifest of then is `kept` if it comes out the same."""
        inputs = {name: None if value is None else self._with_bytes(value) for name, value in work.inputs.items()}
        folder = work.folder
        folder.mkdir(parents=True, exist_ok=True)
        out = Output(path=folder, title=work.label, reporter=self.reporter)
        # What is kept of a collected artifact is read meanwhile.
        keep = [] if kept is None else [manifests.NAME, *(one.path for one in kept.files)]
        clear_unfinished(folder, keep, lambda line: self.reporter.say(f"{work.label}: {line}"))
        started = time.monotonic()
        with _located(work.label, folder):
            before = work.used
            work.stage(out, work.spec, **inputs, **work.context)
            if (lasting := folder / LASTING).exists():
                shutil.rmtree(lasting)
            out.count(**{name: value - before.get(name, 0) for name, value in work.used.items()})
            manifest = _manifest(work, out, inputs, round(time.monotonic() - started, 3))
            if kept is not None and kept.digest == manifest.digest:
                manifest = manifests.recorded(replace(kept, files=manifest.files, collected=False))
            manifests.write_manifest(folder, manifest)
            sync(folder.parent)
            recent.note_made(self.root, manifest)
        self._checked.add(folder)
        return Artifact(folder, manifest)

    def _find(self, folder: Path) -> Artifact | None:
        manifest = manifests.read_manifest(folder)
        if manifest is None:
            return None
        manifests.check_key(folder, manifest)
        if not manifest.collected and not manifests.looks_untouched(folder, manifest):
            manifests.check_bytes(folder, manifest)
            manifest = manifests.refresh_times(folder, manifest)
        return Artifact(folder, manifest)

    def _with_bytes(self, value: Input) -> Input:
        """`value` with its bytes there and whole: they are read back once a process, and made again if collected."""
        artifact = self._artifact_of(value)
        if artifact is None:
            return value
        if artifact.manifest.collected:
            artifact = self._make_again(artifact)
        elif artifact.path not in self._checked:
            artifact.check()
            self._checked.add(artifact.path)
        return replace(value, manifest=artifact.manifest) if isinstance(value, Artifact | Part) else value

    def _make_again(self, collected: Artifact) -> Artifact:
        """The artifact with the bytes that `selfreward gc` deleted."""
        work = self._collected.get(collected.path)
        if work is None:
            raise collected.emptied()
        with self._lock(work):
            kept = manifests.read_manifest(collected.path)
            if kept is None or kept.collected:
                self.reporter.say(f"{work.label}: `selfreward gc` deleted its bytes, which are needed: made again")
                made = self._make(work, kept)
            else:
                made = Artifact(collected.path, kept)
        if made.digest != collected.digest:
            raise StoreError(
                f"{work.label} was made again and is not what it was (content {made.digest}, was {collected.digest}): "
                "another machine computes otherwise. Give the same command again: what was made from it is made anew"
            )
        self.reporter.say(f"{work.label}: is what it was (content {made.digest})")
        return made

    def _artifact_of(self, value: Input) -> Artifact | None:
        """The artifact that an input came from; None for a model from outside, whose key is its digest."""
        if isinstance(value, Endpoint):
            return None
        if isinstance(value, RewardModels):
            value = value.members[0]
        if not isinstance(value, Policy):
            return value
        folder = value.path.parent
        inside = folder.resolve().is_relative_to(self.root.resolve())
        manifest = manifests.read_manifest(folder) if inside else None
        if manifest is None and value.key != value.digest:
            raise CorruptArtifact(f"{folder} has no manifest: run again to make it anew")
        return None if manifest is None else Artifact(folder, manifest)

    def _known(self, stage: str, inputs: Collection[str], before: Path | None) -> Iterator[Mapping[str, Json]]:
        """The identity of the artifact in `before`; where there is none, those of the last ones with like inputs."""
        earlier = None if before is None else recent.manifest_in(before)
        known = recent.made_last(self.root, stage, inputs) if earlier is None else [earlier]
        return (one.identity for one in known)


def _manifest(work: _Work, out: Output, inputs: Mapping[str, Input | None], seconds: float) -> Manifest:
    """The manifest of what a stage wrote to `out`."""
    files = manifests.list_files(work.folder)
    entries = {
        name: InputEntry(key=value.key, digest=value.digest, part=value.names if isinstance(value, Part) else ())
        for name, value in inputs.items()
        if value is not None
    }
    return manifests.recorded(
        Manifest(
            stage=work.stage.__name__,
            key=work.folder.name,
            digest=manifests.content_digest(tuple(out.tables), files),
            identity=work.identity,
            inputs=entries,
            tables=tuple(out.tables),
            files=files,
            counts=out.counts,
            seconds=seconds,
            made=datetime.now(UTC).isoformat(timespec="microseconds"),
            versions={
                "python": sys.version.split()[0],
                "pyarrow": version("pyarrow"),
                "selfreward": selfreward.__version__,
            },
            commit=_commit(),
        )
    )


@contextmanager
def _located(label: str, folder: Path) -> Iterator[None]:
    """Notes the stage, its key and its folder on an error; what the system refuses becomes StoreError."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, SelfrewardError) and (refused := of_system(error, f"{label} in {folder}")) is not None:
            raise refused from error
        error.add_note(f"in stage {label}, folder {folder}")
        raise


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
