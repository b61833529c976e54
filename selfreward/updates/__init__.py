"""Update rules: one file per kind, one union to choose from."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import Field

from selfreward.artifacts import Advance
from selfreward.backends.device import resolve_device, resolve_dtype
from selfreward.records import Example, Policy
from selfreward.spec import Json
from selfreward.updates.child import train_in_scratch
from selfreward.updates.rft import RftSpec
from selfreward.updates.scripted import ScriptedUpdate, train_scripted

AnyUpdate = RftSpec | ScriptedUpdate
UpdateSpec = Annotated[AnyUpdate, Field(discriminator="kind")]


__all__ = ["AnyUpdate", "RftSpec", "ScriptedUpdate", "UpdateSpec", "engine_of", "run_update"]


def engine_of(spec: AnyUpdate) -> dict[str, Json]:
    """What decides the outcome of an update besides its settings; reading it loads nothing."""
    match spec:
        case RftSpec():
            device = resolve_device(spec.device)
            versions: dict[str, Json] = {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
            return {**versions, "device": device, "compute": resolve_dtype(spec.compute, device)}
        case ScriptedUpdate():
            return {"version": 1}


def run_update(
    spec: AnyUpdate, policy: Policy, examples: Sequence[Example], out: Path, seed: int, advance: Advance
) -> dict[str, Json]:
    """Trains `policy` on `examples` into the folder `out`; what the training saw, as `training.json` keeps it."""
    match spec:
        case RftSpec():
            return train_in_scratch(spec, policy, examples, out, seed, advance)
        case ScriptedUpdate():
            return train_scripted(spec, policy, examples, out)
