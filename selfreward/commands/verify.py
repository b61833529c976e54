"""`selfreward verify RUN`: every byte read back, every digest taken anew, every link of the chain checked."""

from selfreward.artifacts import Artifact
from selfreward.artifacts.manifest import NAME, check_bytes, check_key, content_digest, record_digest
from selfreward.artifacts.parquet import count_and_digest
from selfreward.artifacts.runs import RunView, check_links, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.errors import CorruptArtifact


def main(arguments: list[str]) -> int:
    """Prints one line for each artifact; 0 if all are whole, else CorruptArtifact with what to do about it."""
    parser = run_parser("verify", "Read every artifact of a run back and compare it with its digests.")
    parsed = parser.parse_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    check_links(view)
    check_chain(view)
    collected = 0
    for name, artifact in view.artifacts():
        check_record(artifact)
        check_bytes(artifact.path, artifact.manifest)
        if artifact.manifest.collected:
            collected += 1
            print(f"{name}: bytes collected, manifest and small files kept")
            continue
        check_rows(artifact)
        print(f"{name}: {len(artifact.manifest.files)} files whole, content {artifact.digest}")
    print(f"{view.name}: {len(view.artifacts()) - collected} artifacts whole, {collected} collected")
    return 0


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
            if entry.key in held and not held[entry.key].holds(entry):
                raise CorruptArtifact(f"{name} was made from another {role} ({entry.key}): delete {artifact.path}")
