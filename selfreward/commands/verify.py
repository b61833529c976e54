"""`selfreward verify RUN`: every byte read back, every digest taken anew, every link of the chain checked."""

from dataclasses import replace
from pathlib import Path

from selfreward.artifacts import Artifact
from selfreward.artifacts import manifest as manifests
from selfreward.artifacts.identity import key_of
from selfreward.artifacts.manifest import content_digest
from selfreward.artifacts.runs import RunView, check_links, read_run
from selfreward.artifacts.tables import digest_of_table, read_rows
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.commands.gc import is_kept
from selfreward.errors import CorruptArtifact


def main(arguments: list[str]) -> int:
    """Prints one line for each artifact; 0 if all are whole, else CorruptArtifact with what to do about it."""
    parser = run_parser("verify", "Read every artifact of a run back and compare it with its digests.")
    parsed = parser.parse_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    check_links(view)
    check_chain(view)
    collected = unsealed = 0
    for name, artifact in view.artifacts():
        check_place(artifact, _store_of(view))
        check_manifest(artifact)
        unsealed += artifact.manifest.seal is None
        if artifact.manifest.collected:
            collected += 1
            kept = tuple(entry for entry in artifact.manifest.files if is_kept(entry.path))
            manifests.check_bytes(artifact.path, replace(artifact.manifest, files=kept))
            print(f"{name}: bytes collected, manifest kept")
            continue
        artifact.check()
        check_rows(artifact)
        print(f"{name}: {len(artifact.manifest.files)} files whole, content {artifact.digest}")
    print(f"{view.name}: {len(view.artifacts()) - collected} artifacts whole, {collected} collected")
    if unsealed:
        print(
            f"{unsealed} were made by an earlier version, which left no digest of counts and times: those are unchecked"
        )
    return 0


def check_place(artifact: Artifact, store: Path) -> None:
    """Raises CorruptArtifact for an artifact, or a file of it, that is a link to somewhere else."""
    if not artifact.path.is_relative_to(store):
        raise CorruptArtifact(f"{artifact.path} lies outside of the store {store}: copy it to its place there")
    for name in (manifests.NAME, *(entry.path for entry in artifact.manifest.files)):
        path = artifact.path / name
        if path.resolve() != path:
            raise CorruptArtifact(
                f"{path} is a link to {path.resolve()}: delete the folder {artifact.path} and run again"
            )


def check_manifest(artifact: Artifact) -> None:
    """Raises CorruptArtifact if key, inputs, counts or times are not those that the artifact was committed with."""
    manifest = artifact.manifest
    inputs = {name: entry.digest for name, entry in manifest.inputs.items()}
    if (
        key_of(manifest.identity) != manifest.key
        or (manifest.stage, manifest.key) != (artifact.path.parent.name, artifact.path.name)
        or (manifest.stage, inputs) != (manifest.identity.get("stage"), manifest.identity.get("inputs"))
        or (manifest.seal is not None and manifest.seal != manifests.seal_of(manifest))
    ):
        raise CorruptArtifact(
            f"{artifact.path}/{manifests.NAME} was altered: delete the folder {artifact.path} and run again"
        )


def _store_of(view: RunView) -> Path:
    """The store of a run, or of what was seeded in its folder."""
    beside = [parent / "store" for parent in view.folder.resolve().parents]
    return next((store for store in beside if store.is_dir()), beside[0]).resolve()


def check_rows(artifact: Artifact) -> None:
    """Raises CorruptArtifact if the rows, read as data, do not have the digest that identifies them."""
    manifest = artifact.manifest
    for table in manifest.tables:
        found = digest_of_table(table.paths(artifact.path))
        rows = sum(len(read_rows(path)) for path in table.paths(artifact.path))
        if (found, rows) != (table.row_digest, table.rows):
            raise CorruptArtifact(f"table {table.name} of {artifact.path} has other rows: delete the folder")
    if content_digest(manifest.tables, manifest.files) != manifest.digest:
        raise CorruptArtifact(f"{artifact.path}/manifest.json does not fit its own digests: delete the folder")


def check_chain(view: RunView) -> None:
    """Raises CorruptArtifact if an artifact was made from an input that the run does not hold in that form."""
    held = {artifact.key: artifact for _, artifact in view.artifacts()}
    for name, artifact in view.artifacts():
        for role, entry in artifact.manifest.inputs.items():
            if entry.key in held and not held[entry.key].holds(entry):
                raise CorruptArtifact(f"{name} was made from another {role} ({entry.key}): delete {artifact.path}")
