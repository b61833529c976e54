"""`selfreward verify RUN [RUN ...]`: every byte read back, every digest taken anew, every link of the chain checked."""

from pathlib import Path

from selfreward.artifacts import Artifact
from selfreward.artifacts.manifest import NAME, check_bytes, check_key, content_digest, record_digest
from selfreward.artifacts.parquet import count_and_digest
from selfreward.artifacts.runs import RunView, check_links, read_run
from selfreward.commands.arguments import run_folder, runs_parser
from selfreward.commands.cells import members_of
from selfreward.console import ConsoleReporter
from selfreward.errors import CorruptArtifact


def main(arguments: list[str]) -> int:
    """Prints one line for each artifact; 0 if all are whole, else CorruptArtifact with what to do about it."""
    parser = runs_parser("verify", "Read every artifact of runs, or of all cells of a sweep, back: those shared, once.")
    parsed = parser.parse_args(arguments)
    views = [read_run(one) for one in members_of(run_folder(name, parsed.runs) for name in parsed.run)]
    for view in views:
        check_links(view)
        check_chain(view)
    listed = {artifact.path: artifact for view in views for _, artifact in view.artifacts()}
    found: dict[Path, str] = {}
    # Lines are printed at the end: a progress bar would take them for its own.
    with ConsoleReporter().progress("verify", len(listed), "artifacts") as advance:
        for path, artifact in listed.items():
            found[path] = check_artifact(artifact)
            advance(1)
    for view in views:
        place = f"{view.name}/" if len(views) > 1 else ""
        named = view.artifacts()
        for name, artifact in named:
            print(f"{place}{name}: {found[artifact.path]}")
        collected = sum(artifact.manifest.collected for _, artifact in named)
        print(f"{view.name}: {len(named) - collected} artifacts whole, {collected} collected")
    if len(views) > 1:
        print(f"{len(views)} runs: {len(listed)} artifacts read, each once")
    return 0


def check_artifact(artifact: Artifact) -> str:
    """What can be said of an artifact that is whole. Raises CorruptArtifact for one that is not."""
    check_record(artifact)
    check_bytes(artifact.path, artifact.manifest)
    if artifact.manifest.collected:
        return "bytes collected, manifest and small files kept"
    check_rows(artifact)
    return f"{len(artifact.manifest.files)} files whole, content {artifact.digest}"


def check_record(artifact: Artifact) -> None:
    """Raises CorruptArtifact if a manifest does not have the key of its identity, or says other than was recorded."""
    manifest = artifact.manifest
    check_key(artifact.path, manifest)
    said = {name: entry.digest for name, entry in manifest.inputs.items()}
    if manifest.identity.get("inputs") != said or manifest.record not in (None, record_digest(manifest)):
        raise CorruptArtifact(
            f"{artifact.path / NAME} has other figures than were recorded with it: delete the folder {artifact.path} "
            "and run again"
        )


def check_rows(artifact: Artifact) -> None:
    """Raises CorruptArtifact if the rows, read as data, are not as many or have not the digest that identifies them."""
    manifest = artifact.manifest
    for table in manifest.tables:
        rows, found = count_and_digest(table.paths(artifact.path))
        if (rows, found) != (table.rows, table.row_digest):
            raise CorruptArtifact(f"table {table.name} of {artifact.path} has other rows: delete the folder")
    if content_digest(manifest.tables, manifest.files) != manifest.digest:
        raise CorruptArtifact(f"{artifact.path}/manifest.json does not fit its own digests: delete the folder")


def check_chain(view: RunView) -> None:
    """Raises CorruptArtifact if an artifact was made from an input that the run does not hold in that form."""
    held = {artifact.key: artifact for _, artifact in view.artifacts()}
    for name, artifact in view.artifacts():
        for role, entry in artifact.manifest.inputs.items():
            # Reward models that judge count by their weights and by what computes their scores, not by their artifact.
            judged_with = entry.key in held and held[entry.key].manifest.stage == "reward"
            if entry.key in held and not judged_with and not held[entry.key].holds(entry):
                raise CorruptArtifact(f"{name} was made from another {role} ({entry.key}): delete {artifact.path}")
