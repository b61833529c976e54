"""Rows of the embeddings that are trained while the rest of them is frozen: those of tokens that are new to a model."""

from typing import Any

from selfreward.backends.new_tokens import NewTokens, embedding_parts
from selfreward.errors import ConfigError


def train_rows(weight_decay: float, model: Any, new: NewTokens) -> int:
    """How many weights get a gradient now that had none: the rows of `new` tokens, read by and written by.

    A frozen row of a token that no text had would say nothing to the layers above, and the token would never be drawn.
    The gradient of every other row is zero, which leaves it as it is to the last bit, but for weight decay; the
    optimizer has moments for all rows. Where all weights are trained nothing is to do. Raises ConfigError for weight
    decay.
    """
    import torch

    frozen = [part for part in embedding_parts(model) if not part.requires_grad]
    if frozen and weight_decay:
        raise ConfigError(
            f"update.weight_decay={weight_decay:g} would shrink the frozen embeddings beside those of {new.tokens[0]}: "
            "set update.weight_decay=0, or update.trainable=full"
        )
    trained = 0
    for part in frozen:
        mask = torch.zeros(len(part), *[1] * (part.dim() - 1), dtype=part.dtype, device=part.device)
        mask[list(new.ids)] = 1
        part.requires_grad_(True)
        part.register_hook(mask.mul)
        trained += len(new.ids) * part[0].numel()
    return trained
