"""Update: the next policy, trained on this round's mixture."""

from selfreward.artifacts import Artifact, Output
from selfreward.records import Example, Policy
from selfreward.updates import AnyUpdate, run_update

VERSION = 1


def update(out: Output, spec: AnyUpdate, *, seed: int, policy: Policy, training: Artifact) -> None:
    """Folder `model` with the trained policy, and `training.json` with what the training saw."""
    with out.progress(None, "steps") as advance:
        result = run_update(spec, policy, list(training.records(Example)), out.path / "model", seed, advance)
    out.write_json("training", result)


def policy_of(updated: Artifact) -> Policy:
    """The policy that an update made."""
    return Policy(path=updated.path / "model", key=updated.key, digest=updated.digest)
