"""The number types of a run, where the settings leave them to the machine (`auto`).

What is drawn and trained hangs on them, so they stand in keys: a run that moved to a machine with another answer would
begin again. So the machine that begins a run answers for good, and what reaches the stages is never `auto`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from selfreward.artifacts.atomic_files import write_json
from selfreward.backends import HfSpec, VllmSpec
from selfreward.backends.device import Dtype, resolve_device, resolve_dtype
from selfreward.backends.vllm import device_of as device_of_vllm
from selfreward.config import RunConfig
from selfreward.errors import StoreError
from selfreward.updates.training import TrainingBase, compute_of

FILE = "number_types.json"

Config = TypeVar("Config", bound=RunConfig)
Types = Mapping[str, Dtype]
"""Number types by the names of their settings."""


def with_types_of_this_machine(config: Config) -> Config:
    """`config` with the number types that this machine takes where the settings say auto."""
    return _with(config, _types_here(config))


def with_types_of_run(config: RunConfig, folder: Path, say: Callable[[str], None]) -> RunConfig:
    """`config` with the number types that the run in `folder` began with, in `number_types.json`, in place of auto.

    Where this machine would choose otherwise, that is said. Raises StoreError for a file that cannot be read.
    """
    path = folder / FILE
    here, kept = _types_here(config), _read(path)
    taken = {name: kept.get(name, choice) for name, choice in here.items()}
    if not taken.keys() <= kept.keys():
        write_json(path, {**kept, **taken})
    if others := [name for name, choice in here.items() if choice != taken[name]]:
        began, instead = (" ".join(f"{name}={types[name]}" for name in others) for types in (taken, here))
        say(f"this run began with {began} and keeps it ({path}); auto here would be {instead}, type that to begin anew")
    return _with(config, taken)


def _types_here(config: RunConfig) -> Types:
    """What this machine takes for each setting that says auto. Raises BackendError where vLLM is not installed."""
    found: dict[str, Dtype] = {}
    backend, update = config.backend, config.update
    if isinstance(backend, HfSpec | VllmSpec) and backend.dtype == "auto":
        device = resolve_device(backend.device) if isinstance(backend, HfSpec) else device_of_vllm(backend)
        found["backend.dtype"] = resolve_dtype("auto", device)
    for name, training in {"update": update, "reward": config.reward}.items():
        if isinstance(training, TrainingBase) and training.compute == "auto":
            found[f"{name}.compute"] = compute_of(training)
    return found


def _with(config: Config, types: Types) -> Config:
    """`config` with these number types in place of auto."""
    parts = {}
    for setting, choice in types.items():
        part, _, name = setting.partition(".")
        parts[part] = getattr(config, part).model_copy(update={name: choice})
    return config.model_copy(update=parts)


def _read(path: Path) -> Types:
    if not path.exists():
        return {}
    try:
        return TypeAdapter(dict[str, Dtype]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(f"{path} does not give number types, float32 or bfloat16: delete it to choose anew") from error
