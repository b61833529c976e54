"""Update: the next policy, trained on this round's mixture."""

from dataclasses import asdict

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report
from selfreward.records import Policy, TrainingRow
from selfreward.selection.training_rows import training_table
from selfreward.stages.mix import mixing_of
from selfreward.updates import AnyUpdate, DpoSpec, Training, run_update
from selfreward.updates.dpo import with_sft

VERSION = 3


def update(
    out: Output, spec: AnyUpdate, *, seed: int, policy: Policy, reference: Policy | None, training: Artifact
) -> None:
    """Folder `model` with the trained policy; `training.json` is a Training without what it does not have.

    Where the mixture orders a weight for the likelihood of chosen answers, DPO trains on that too.
    """
    if isinstance(spec, DpoSpec):
        spec = with_sft(spec, mixing_of(training).sft_weight)
    table, row_type = training_table(training)
    rows: list[TrainingRow] = [*training.records(row_type, table)]
    with out.progress(None, "steps") as advance:
        found = run_update(spec, policy, reference, rows, out.path / "model", seed, advance)
    out.write_json("training", {name: value for name, value in asdict(found).items() if value is not None})


def training_of(updated: Artifact) -> Training:
    """What an update saw and did."""
    return load_report(updated, "training", Training)


def policy_of(updated: Artifact) -> Policy:
    """The policy that an update made."""
    return Policy(path=updated.path / "model", key=updated.key, digest=updated.digest)
