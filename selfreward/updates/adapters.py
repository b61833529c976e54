"""LoRA adapters (Hu et al. 2021, 2106.09685): which linear layers of a model learn beside their frozen weights."""

from typing import Annotated, Any, Literal

from pydantic import Field

from selfreward.errors import ConfigError

Targets = Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)]
"""All linear layers but the output layer, or those whose names end so, as `q_proj`."""


def lora_settings(model: Any, targets: Targets, *, rank: int, alpha: int, setting: str) -> Any:
    """PEFT's settings of such adapters. Raises ConfigError where `setting` names layers that `model` lacks."""
    from peft import LoraConfig

    if targets != "all-linear":
        known = _linear_layers(model)
        if unknown := sorted({*targets} - known):
            raise ConfigError(
                f"{setting}={list(targets)}: {type(model).__name__} has no linear layer {', '.join(unknown)}; it has "
                f"{', '.join(sorted(known))}"
            )
    modules = targets if targets == "all-linear" else list(targets)
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=modules, task_type="CAUSAL_LM")


def _linear_layers(model: Any) -> set[str]:
    """The last parts of the names of all linear layers but the output layer."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    layers = ((name, part) for name, part in model.named_modules() if isinstance(part, (Linear, Conv1D)))
    return {name.rpartition(".")[2] for name, part in layers if part is not head}
