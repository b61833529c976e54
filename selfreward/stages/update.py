"""Update: the next policy, trained on this round's mixture."""

from selfreward.artifacts import Artifact, Output
from selfreward.records import Policy, TrainingRow
from selfreward.stages.mix import training_table
from selfreward.updates import AnyUpdate, run_update

VERSION = 2


def update(
    out: Output, spec: AnyUpdate, *, seed: int, policy: Policy, reference: Policy | None, training: Artifact
) -> None:
    """Folder `model` with the trained policy, and `training.json` with what the training saw."""
    table, row_type = training_table(training)
    rows: list[TrainingRow] = [*training.records(row_type, table)]
    with out.progress(None, "steps") as advance:
        result = run_update(spec, policy, reference, rows, out.path / "model", seed, advance)
    out.write_json("training", result)


def policy_of(updated: Artifact) -> Policy:
    """The policy that an update made."""
    return Policy(path=updated.path / "model", key=updated.key, digest=updated.digest)
