"""Whether the folder of a model is whole, and its weights are those that its configuration describes."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfreward.backends.one_line import one_line, plain
from selfreward.errors import BackendError

_INDEX = "model.safetensors.index.json"
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_MOST_LAYERS = 10_000
_NO_LANGUAGE_MODEL = re.compile(r"(Classification|QuestionAnswering|MultipleChoice|MaskedLM|RewardModel)$")
_NUMBERED = re.compile(r"^(.*?\.)\d+\.")


def check_folder(folder: Path) -> None:
    """Raises BackendError where `folder` is none, or its config.json asks for more layers than a model can have."""
    if not folder.is_dir():
        raise BackendError(f"{folder} is no folder: give the folder of a saved model")
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):  # whoever loads it says what is wrong
        return
    parts = [config, config.get("text_config") or {}] if isinstance(config, dict) else []
    for name, layers in ((name, part.get(name)) for part in parts if isinstance(part, dict) for name in _LAYERS):
        if isinstance(layers, int) and layers > _MOST_LAYERS:
            raise BackendError(f"{folder}/config.json says {name}={layers}: give the config.json of these weights")


def check_weights(folder: Path) -> None:
    """Raises BackendError where `folder` is none, or holds no weights that can be trained on."""
    check_folder(folder)
    if (folder / "adapter_config.json").exists():
        raise BackendError(
            f"{folder} holds a LoRA adapter, not a model: load it with peft's AutoPeftModelForCausalLM, call "
            "merge_and_unload(), write that with save_pretrained and give its folder"
        )
    if not any(folder.glob("*.safetensors")):
        raise BackendError(
            f"{folder} has no *.safetensors weights, the only format read here: "
            "load the model once and write it with save_pretrained"
        )
    if (folder / _INDEX).exists():
        _check_index(folder)


def _check_index(folder: Path) -> None:
    """Raises BackendError for an index of weights that names anything but files in `folder`."""
    try:
        names = [*json.loads((folder / _INDEX).read_bytes())["weight_map"].values()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BackendError(
            f"{folder / _INDEX} is no index of weights ({one_line(error)}): write the model with save_pretrained"
        ) from error
    for name in names:
        inside = isinstance(name, str) and Path(name).name == name
        if not inside or not (folder / name).is_file():
            raise BackendError(
                f"{folder / _INDEX} names {plain(repr(name))}, which is no file in that folder: give the folder whole"
            )


def check_config(folder: Path, config: Any) -> None:
    """Raises BackendError for a `config` that is quantised, of no causal language model, or does not fit `folder`."""
    if (quantised := getattr(config, "quantization_config", None)) is not None:
        named = quantised if isinstance(quantised, dict) else quantised.to_dict()
        raise BackendError(
            f"the weights in {folder} are quantised ({named.get('quant_method', 'by an unnamed method')}) and cannot "
            "be trained: give the model as it was before, or dequantise it and write it with save_pretrained"
        )
    architectures = getattr(config, "architectures", None) or []
    if architectures and all(_NO_LANGUAGE_MODEL.search(str(one)) for one in architectures):
        raise BackendError(
            f"{folder} holds a {plain(str(architectures[0]))}, no language model: give the folder of a causal one"
        )
    text, numbers = config.get_text_config(), _numbers_in(folder)
    for names in (("vocab_size", "hidden_size"), ("num_hidden_layers",)):
        sizes = [getattr(text, name, None) for name in names]
        known = [size for size in sizes if isinstance(size, int)]
        if any(size < 1 for size in known) or (len(known) == len(sizes) and math.prod(known) > numbers):
            told = ", ".join(f"{name}={size}" for name, size in zip(names, sizes, strict=True))
            raise BackendError(
                f"{folder}/config.json says {told}, which does not fit the {numbers:,} numbers in its weights: "
                "give the config.json of these weights"
            )


def _numbers_in(folder: Path) -> int:
    """How many numbers the weights in `folder` are. Raises BackendError for a file that is not whole."""
    from safetensors import SafetensorError, safe_open

    numbers = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BackendError(f"{path} is not whole ({one_line(error)}): copy the model again") from error
    return numbers


def check_loaded(folder: Path, model: Any, told: Mapping[str, Any]) -> None:
    """Raises BackendError where a model's files lack weights, have them in another shape, or have more layers."""
    missing = sorted(told["missing_keys"]) + sorted(str(key[0]) for key in told["mismatched_keys"])
    if missing:
        raise BackendError(
            f"{folder} lacks {len(missing)} weights of the model that its config.json describes, {missing[0]} among "
            "them, which would be drawn at random: give the folder of a causal language model, whole"
        )
    lists = {found[1] for name, _ in model.named_parameters() if (found := _NUMBERED.match(name))}
    unused = [
        name for name in sorted(told["unexpected_keys"]) if (found := _NUMBERED.match(name)) and found[1] in lists
    ]
    if unused:
        raise BackendError(
            f"{folder} has {len(unused)} weights of layers that its config.json does not have, {unused[0]} among them: "
            "give the config.json of these weights"
        )


def check_numbers(folder: Path, model: Any) -> None:
    """Raises BackendError for weights that hold infinity or no number."""
    if (name := first_without_numbers(model)) is not None:
        raise BackendError(
            f"{folder}: the weights {name} hold values that are no numbers: give the model as it was before; where it "
            "was trained, with a lower learning rate"
        )


def first_without_numbers(model: Any) -> str | None:
    """The name of the first weights of `model` that hold infinity or no number; None where all are numbers."""
    import torch

    for name, weights in model.named_parameters():
        # The least and the greatest are no numbers where any is; nothing of the size of the weights is made.
        if weights.numel() and not all(bool(torch.isfinite(one)) for one in weights.detach().aminmax()):
            return str(name)
    return None
