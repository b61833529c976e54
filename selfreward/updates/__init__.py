"""Update rules: one file per kind, one union to choose from."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field

from selfreward.artifacts import Advance
from selfreward.records import Policy, TrainingRow
from selfreward.spec import Json
from selfreward.updates.dpo import DpoSpec
from selfreward.updates.rft import RftSpec
from selfreward.updates.scripted_update import ScriptedUpdate, train_scripted
from selfreward.updates.training import Training, compute_of, device_of
from selfreward.updates.training_process import Task, train_in_scratch

AnyUpdate = RftSpec | DpoSpec | ScriptedUpdate
UpdateSpec = Annotated[AnyUpdate, Field(discriminator="kind")]

# What other files define.
__all__ = ["DpoSpec", "RftSpec", "ScriptedUpdate", "Training"]


def engine_of(spec: AnyUpdate) -> dict[str, Json]:
    """What decides the outcome of an update besides its settings; reading it loads nothing."""
    match spec:
        case RftSpec() | DpoSpec():
            versions: dict[str, Json] = {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
            return {**versions, "device": device_of(spec), "compute": compute_of(spec)}
        case ScriptedUpdate():
            return {"version": 1}


def reference_of(spec: AnyUpdate, *, policy: Policy, initial: Policy) -> Policy | None:
    """The policy that the update ties to: the one that drew the candidates, or the first; None where there is none."""
    if not isinstance(spec, DpoSpec):
        return None
    return initial if spec.reference == "initial" else policy


def run_update(
    spec: AnyUpdate,
    policy: Policy,
    reference: Policy | None,
    rows: Sequence[TrainingRow],
    out: Path,
    seed: int,
    advance: Advance,
) -> Training:
    """Trains `policy` on `rows` into the folder `out`; what the training saw and did."""
    match spec:
        case RftSpec() | DpoSpec():
            task = Task(spec=spec, policy=policy, reference=reference, rows=rows, out=out, seed=seed)
            return train_in_scratch(task, advance)
        case ScriptedUpdate():
            return train_scripted(spec, policy, rows, out)
