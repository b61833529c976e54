"""The number types of a run, where the settings leave them to the machine (`auto`).

What is drawn and trained hangs on them, so they stand in keys: a run that moved to a machine with another answer would
begin again. So the machine that begins a run answers for good, and what reaches the stages is never `auto`.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, get_args

from selfreward.artifacts.atomic_files import write_json
from selfreward.backends import HfSpec, VllmSpec
from selfreward.backends.device import Dtype, resolve_device, resolve_dtype
from selfreward.backends.vllm import device_of as device_of_vllm
from selfreward.config import RunConfig
from selfreward.errors import StoreError
from selfreward.spec import Spec
from selfreward.updates import DpoSpec, RftSpec
from selfreward.updates.training import compute_of

FILE = "number_types.json"
_BACKEND, _UPDATE = "backend.dtype", "update.compute"

Config = TypeVar("Config", bound=RunConfig)
Types = Mapping[str, Dtype]
"""Number types by the names of their settings."""


def with_types_of_this_machine(config: Config) -> Config:
    """`config` with the number types that this machine takes where the settings say auto."""
    return _with(config, _types_here(config))


def with_types_of_run(config: RunConfig, folder: Path, say: Callable[[str], None]) -> RunConfig:
    """`config` with the number types that the run in `folder` began with where the settings say auto.

    What is chosen for the first time is written to `number_types.json` there. Where this machine would choose
    otherwise, that is said. Raises StoreError for a file that cannot be read.
    """
    path = folder / FILE
    here, kept = _types_here(config), _read(path)
    taken = {name: kept.get(name, choice) for name, choice in here.items()}
    if not taken.keys() <= kept.keys():
        write_json(path, {**kept, **taken})
    if others := {name: choice for name, choice in here.items() if choice != taken[name]}:
        began, instead = (_types_text({name: types[name] for name in others}) for types in (taken, others))
        say(f"this run began with {began} and keeps it ({path}); auto here would be {instead}, type that to begin anew")
    return _with(config, taken)


def _types_here(config: RunConfig) -> Types:
    """What this machine takes for each setting that says auto. Raises BackendError where vLLM is not installed."""
    found: dict[str, Dtype] = {}
    backend, update = config.backend, config.update
    if isinstance(backend, HfSpec | VllmSpec) and backend.dtype == "auto":
        device = resolve_device(backend.device) if isinstance(backend, HfSpec) else device_of_vllm(backend)
        found[_BACKEND] = resolve_dtype("auto", device)
    if isinstance(update, RftSpec | DpoSpec) and update.compute == "auto":
        found[_UPDATE] = compute_of(update)
    return found


def _with(config: Config, types: Types) -> Config:
    """`config` with these number types in place of auto."""
    parts: dict[str, Spec] = {}
    if _BACKEND in types:
        parts["backend"] = config.backend.model_copy(update={"dtype": types[_BACKEND]})
    if _UPDATE in types:
        parts["update"] = config.update.model_copy(update={"compute": types[_UPDATE]})
    return config.model_copy(update=parts)


def _read(path: Path) -> Types:
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text())
    except ValueError as error:
        raise StoreError(f"{path} cannot be read ({error}): delete it to choose number types anew") from error
    if not isinstance(kept, dict) or any(value not in get_args(Dtype) for value in kept.values()):
        raise StoreError(f"{path} names something else than float32 and bfloat16: delete it to choose anew")
    return kept


def _types_text(types: Types) -> str:
    return " ".join(f"{name}={choice}" for name, choice in types.items())
