"""`selfreward gc RUN`: delete trained weights that no run needs any more; manifests stay, so chains can be walked.

Reward models are treated as policies are: the last of a run stays, and the one that it trained at its start, which
judges in every round.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.atomic_files import locked, locked_if_free
from selfreward.artifacts.identity import flat_settings
from selfreward.artifacts.manifest import outlives_gc, read_manifest, write_manifest
from selfreward.artifacts.runs import read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.console import ConsoleReporter
from selfreward.errors import CorruptArtifact
from selfreward.reading.best import best_of
from selfreward.reading.settings import read_config

WEIGHTS = ("update", "reward")
"""The stages that leave weights."""


def main(arguments: list[str]) -> int:
    """Deletes the weights that a run does not need to go on, and that are not its best; prints what was freed. 0."""
    parser = run_parser(
        "gc", "Delete the weights of all policies and reward models of a run but the last and the best."
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    parsed = parser.parse_args(arguments)
    folder = run_folder(parsed.run, parsed.runs)
    store = Store(folder.parent / "store", ConsoleReporter())
    collect([folder], store, print, dry_run=parsed.dry_run)
    return 0


def collect(folders: Iterable[Path], store: Store, say: Callable[[str], None], *, dry_run: bool = False) -> None:
    """Deletes the weights of every policy and reward model of the runs in `folders`, which lie beside `store`.

    Those that any run there ends with, has as its best, started from, or goes on drawing from, stay. What an earlier
    call was killed in deleting goes too.
    """
    stages = (iteration for folder in folders for iteration in read_run(folder).iterations)
    trained = {one[stage].path.resolve(): one[stage] for one in stages for stage in WEIGHTS if stage in one}
    needed = list(_needed(store.root.parent))
    whole = (
        (artifact, sum(entry.bytes for entry in artifact.manifest.files))
        for home, artifact in trained.items()
        if not artifact.manifest.collected and not any(path.is_relative_to(home) for path in needed)
    )
    freed = 0
    for what, found, delete in (("", whole, empty), ("what is left of ", _left_behind(store), _empty_leftovers)):
        for artifact, size in found:
            say(f"{'would delete' if dry_run else 'deleting'} {what}{artifact.path} ({size / 1e6:,.0f} MB)")
            freed += size
            if not dry_run:
                delete(artifact, store)
    say(f"{'would free' if dry_run else 'freed'} {freed / 1e6:,.0f} MB")


def _needed(runs: Path) -> Iterator[Path]:
    """Of each run in `runs`, the folders of its last and best policy, last reward model, and of what it started from.

    Where a setting names the previous policy, which draws, judges or revises, a run that goes on needs the one before
    the last.
    """
    for folder in runs.iterdir():
        config = read_config(folder)
        if config is None:
            continue
        view, settings = read_run(folder), flat_settings(config)
        named = any(name.endswith(".policy") and value == "previous" for name, value in settings.items())
        kept = 2 if named or settings.get("sample.from.previous") else 1
        for stage in WEIGHTS:
            trained = [stages[stage] for stages in view.iterations if stage in stages]
            yield from (one.path.resolve() for one in trained[-kept:])
        if "reward" in view.sources:
            yield view.sources["reward"].path.resolve()
        if (best := best_of(view)) is not None and best.folder is not None:
            yield best.folder.resolve()
        yield from (Path(model).resolve() for model in _brought(settings))


def _brought(settings: Mapping[str, object]) -> Iterator[str]:
    """The folders of models that settings name: where a run started, and who judges, revises or writes in it."""
    for name, value in settings.items():
        last = name.rpartition(".")[2]
        if last == "path" and isinstance(value, str):
            yield value
        elif last == "models" and isinstance(value, list):
            yield from (one for one in value if isinstance(one, str))


def empty(artifact: Artifact, store: Store) -> None:
    """Marks the weights of `artifact` as gone, then deletes them; after a crash between, a later `collect` goes on."""
    stage = artifact.manifest.stage
    label = f"{stage} {artifact.key[:4]}"
    with locked(store.lock_of(stage, artifact.key), on_wait=lambda: store.reporter.say(f"{label}: in use, waiting")):
        manifest = read_manifest(artifact.path) or artifact.manifest
        write_manifest(artifact.path, replace(manifest, collected=True))
        _delete_bytes(artifact.path)


def _left_behind(store: Store) -> Iterator[tuple[Artifact, int]]:
    """What is marked as deleted and is not, and how many bytes of each there are."""
    for folder in sorted(path for stage in WEIGHTS for path in (store.root / stage).glob("*")):
        try:
            manifest = read_manifest(folder)
        except CorruptArtifact:  # of whatever run: it is not marked, and `verify` of that run tells of it
            continue
        left = list(_bytes_of(folder)) if manifest is not None and manifest.collected else []
        if manifest is not None and left:
            files = (path for top in left for path in (top, *top.rglob("*")) if path.is_file())
            yield Artifact(folder, manifest), sum(path.lstat().st_size for path in files)


def _empty_leftovers(artifact: Artifact, store: Store) -> None:
    """Deletes what is left of an emptied artifact, unless a run is making it again."""
    with locked_if_free(store.lock_of(artifact.manifest.stage, artifact.key)) as free:
        manifest = read_manifest(artifact.path) if free else None
        if manifest is not None and manifest.collected:
            _delete_bytes(artifact.path)


def _delete_bytes(folder: Path) -> None:
    for path in _bytes_of(folder):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _bytes_of(folder: Path) -> Iterator[Path]:
    """What lies in the folder of an artifact besides its manifest and other small files."""
    for path in folder.iterdir():
        if path.is_dir() or not outlives_gc(path.name):
            yield path
