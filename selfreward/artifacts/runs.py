"""A named run: a folder of links into the store, one folder an iteration, and how to read it back."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from selfreward.artifacts.artifact import Artifact
from selfreward.artifacts.identity import derive_seed
from selfreward.artifacts.manifest import read_manifest
from selfreward.artifacts.store import Engine, Input, Stage, Store
from selfreward.errors import CorruptArtifact, StoreError
from selfreward.shell_quoting import setting
from selfreward.spec import Json, Spec

SOURCES = "sources"
BEST = "best"
"""The link in a run's folder to its best policy."""
_ITERATION = re.compile(r"iter-(\d{3,})")


@dataclass(frozen=True)
class Run:
    """Runs stages for one named run: derives their seeds and links what they made into the run's folder."""

    folder: Path
    store: Store
    seed: int
    _linked: dict[Path, Artifact] = field(default_factory=dict)

    def source(
        self,
        name: str,
        stage: Stage,
        spec: Spec,
        *,
        random: bool = False,
        backend: Engine | None = None,
        engine: Mapping[str, Json] | None = None,
        **inputs: Input | None,
    ) -> Artifact:
        """An artifact that belongs to no iteration, linked as `sources/<name>`; a `random` one is seeded by the run.

        Runs of one seed share what they make alike.
        """
        seed = derive_seed(self.seed, SOURCES, stage.__name__) if random else None
        link = self.folder / SOURCES / name
        artifact = self.store.run(
            stage, spec, seed=seed, backend=backend, engine=engine, engines=None, before=link, **inputs
        )
        return self._link(link, artifact)

    def stage(
        self,
        iteration: int,
        stage: Stage,
        spec: Spec,
        *,
        random: bool = True,
        backend: Engine | None = None,
        engine: Mapping[str, Json] | None = None,
        engines: Mapping[str, Engine] | None = None,
        **inputs: Input | None,
    ) -> Artifact:
        """A stage's artifact, linked as `iter-<iteration>/<stage>`; a `random` one is seeded by run and iteration."""
        seed = derive_seed(self.seed, iteration, stage.__name__) if random else None
        link = self.folder / f"iter-{iteration:03d}" / stage.__name__
        artifact = self.store.run(
            stage, spec, seed=seed, backend=backend, engine=engine, engines=engines, before=link, **inputs
        )
        return self._link(link, artifact)

    def seconds(self) -> list[dict[str, float]]:
        """What every stage that this process has come to took to make, whoever made it: by iteration, in order."""
        made: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for link, artifact in self._linked.items():
            made[link.parent.name][link.name] = artifact.manifest.seconds
        return [stages for folder, stages in made.items() if folder != SOURCES]

    def forget_after(self, iteration: int) -> None:
        """Unlinks iterations beyond `iteration`, left by a longer run of the same name."""
        for folder in self.folder.glob("iter-*"):
            found = _ITERATION.fullmatch(folder.name)
            if found and int(found[1]) > iteration:
                for link in folder.iterdir():
                    link.unlink(missing_ok=True)

    def forget_rest(self) -> None:
        """Unlinks whatever of an iteration this run has not come to."""
        for other in set(self.folder.glob("iter-*/*")) - self._linked.keys():
            other.unlink(missing_ok=True)

    def _link(self, link: Path, artifact: Artifact) -> Artifact:
        """Points `link` at `artifact` at once. Where it pointed elsewhere, what the run has not come to is unlinked."""
        self._linked[link] = artifact
        if link.is_symlink():
            if str(link.readlink()) == os.path.relpath(artifact.path, link.parent):
                return artifact
            self.forget_rest()
        link_to(artifact.path, link)
        return artifact


def link_to(target: Path, link: Path) -> None:
    """Points `link` at `target`, which may lie anywhere, at once."""
    link.parent.mkdir(parents=True, exist_ok=True)
    scratch = link.with_name(f".{link.name}.{os.getpid()}")
    # A path with .. in it starts from where a folder lies, not from a link to that.
    way = os.path.relpath(target.parent.resolve() / target.name, link.parent.resolve())
    while True:
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(way)
        with suppress(FileNotFoundError):  # another process that ended the same run has unlinked it meanwhile
            scratch.replace(link)
            return


@dataclass(frozen=True)
class RunView:
    """What a run has committed so far: `iterations[t]` maps stage names to artifacts."""

    folder: Path
    sources: Mapping[str, Artifact]
    iterations: tuple[Mapping[str, Artifact], ...]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    def artifacts(self) -> list[tuple[str, Artifact]]:
        """Every artifact with the name of its link: sources, then each iteration in the order it was made in."""
        listed = [(f"{SOURCES}/{name}", artifact) for name, artifact in self.sources.items()]
        for number, stages in enumerate(self.iterations):
            ordered = sorted(stages.items(), key=lambda item: item[1].manifest.made)
            listed += [(f"iter-{number:03d}/{stage}", artifact) for stage, artifact in ordered]
        return listed


def read_run(folder: Path) -> RunView:
    """The run in `folder`. Raises StoreError where there is none."""
    if not folder.is_dir():
        raise StoreError(f"there is no run {folder}: `selfreward run {setting('run', folder.name)}` makes one")
    numbered = [path for path in folder.glob("iter-*") if _ITERATION.fullmatch(path.name) and any(path.iterdir())]
    return RunView(
        folder=folder,
        sources=read_sources(folder),
        iterations=tuple(_artifacts_in(path) for path in sorted(numbered, key=lambda path: int(path.name[5:]))),
    )


def check_links(view: RunView) -> None:
    """Raises CorruptArtifact for an artifact that the run links to and that the store does not have."""
    there = {name for name, _ in view.artifacts()}
    folders = [one for one in (view.folder / SOURCES, *sorted(view.folder.glob("iter-*"))) if one.is_dir()]
    for folder in folders:
        missed = [link for link in folder.iterdir() if f"{folder.name}/{link.name}" not in there]
        for link in sorted(one for one in missed if one.is_symlink()):
            raise CorruptArtifact(
                f"{link} points to {link.readlink()}, which is no artifact: bring the store back, or give the command "
                "of the run again to make it anew"
            )


def read_sources(folder: Path) -> Mapping[str, Artifact]:
    """The data that the run in `folder` has read so far, by role."""
    return _artifacts_in(folder / SOURCES)


def read_iteration(folder: Path, iteration: int) -> Mapping[str, Artifact]:
    """What one iteration of the run in `folder` has committed so far, by stage."""
    return _artifacts_in(folder / f"iter-{iteration:03d}")


def _artifacts_in(folder: Path) -> dict[str, Artifact]:
    """What the links in `folder` lead to, by name; nothing where there is no such folder."""
    if not folder.is_dir():
        return {}
    found: dict[str, Artifact] = {}
    home = folder.resolve()
    for name in sorted(one.name for one in home.iterdir()):
        target = _target(home, name)
        manifest = read_manifest(target)
        if manifest is not None:
            found[name] = Artifact(target, manifest)
    return found


def _target(home: Path, name: str) -> Path:
    """Where the link `name` leads to; resolve() would ask the system about every folder on the way to the store."""
    link = home / name
    try:
        target = Path(os.path.normpath(f"{home}/{link.readlink()}"))
    except OSError:  # a folder, or a link that a run has just replaced
        return link
    # An artifact that is itself a link lies outside the store, which `verify` tells by its name.
    return target.resolve() if target.is_symlink() else target
