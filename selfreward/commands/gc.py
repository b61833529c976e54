"""`selfreward gc RUN`: delete trained weights that no run needs any more; manifests stay, so chains can be walked."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from selfreward.artifacts import Store
from selfreward.artifacts.files import locked
from selfreward.artifacts.manifest import NAME, write_manifest
from selfreward.artifacts.runs import read_run
from selfreward.artifacts.store import Artifact
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.console import ConsoleReporter
from selfreward.report.content import read_config

WEIGHTS = "update"


def main(arguments: list[str]) -> int:
    """Deletes the weights of all policies of a run but its last; prints what was freed. 0."""
    parser = run_parser("gc", "Delete the weights of every policy of a run but the last one.")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    parsed = parser.parse_args(arguments)
    folder = run_folder(parsed.run, parsed.runs)
    store = Store(folder.parent / "store", ConsoleReporter())
    collect(folder, store, print, dry_run=parsed.dry_run)
    return 0


def collect(folder: Path, store: Store, say: Callable[[str], None], *, dry_run: bool = False) -> None:
    """Deletes the weights of every policy of the run in `folder` but the last.

    Those that another run ends with, or started from, stay.
    """
    trained = [stages[WEIGHTS] for stages in read_run(folder).iterations if WEIGHTS in stages]
    others = [one for one in folder.parent.iterdir() if read_config(one) is not None]
    kept = {last for other in others if (last := _last_policy(other)) is not None}
    started = [start for other in others if (start := _start_folder(other)) is not None]
    freed = 0
    for artifact in trained:
        home = artifact.path.resolve()
        if artifact.manifest.collected or artifact.key in kept or any(start.is_relative_to(home) for start in started):
            continue
        size = sum(entry.bytes for entry in artifact.manifest.files)
        say(f"{'would delete' if dry_run else 'deleting'} {artifact.path} ({size / 1e6:,.0f} MB)")
        freed += size
        if not dry_run:
            empty(artifact, store)
    say(f"{'would free' if dry_run else 'freed'} {freed / 1e6:,.0f} MB")


def _last_policy(folder: Path) -> str | None:
    keys = [stages[WEIGHTS].key for stages in read_run(folder).iterations if WEIGHTS in stages]
    return keys[-1] if keys else None


def _start_folder(folder: Path) -> Path | None:
    """The folder of the start model of a run; None where it came by name."""
    config = read_config(folder)
    path = None if config is None else config["model"].get("path")
    return None if path is None else Path(path).resolve()


def empty(artifact: Artifact, store: Store) -> None:
    """Deletes the weights of `artifact`.

    It says first that the bytes are gone, then deletes them: a crash between leaves garbage, never a broken promise.
    """
    label = f"{WEIGHTS} {artifact.key[:4]}"
    with locked(store.lock_of(WEIGHTS, artifact.key), on_wait=lambda: store.reporter.say(f"{label}: in use, waiting")):
        write_manifest(artifact.path, replace(artifact.manifest, collected=True))
        for path in artifact.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != NAME and path.suffix != ".json":
                path.unlink()
