"""Weights that no step changes, in the number type that a step on a CPU multiplies them in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selfreward.backends.device import Dtype


@contextmanager
def cast_once(model: Any, dtype: Dtype, *, frozen: bool) -> Iterator[None]:
    """Inside, linear layers of a model on a CPU hold their weights in `dtype`; behind it, in the type of before.

    Autocast would cast them at every call, to the same numbers: as much time as to multiply one row by them. Where
    `frozen`, only the weights without gradient are cast, so that the model can be trained inside; a weight that is an
    embedding too is left. On a GPU the cast takes no time, and the copy would take memory.
    """
    import torch

    wanted = getattr(torch, dtype)
    embedded = {id(part.weight) for part in model.modules() if isinstance(part, torch.nn.Embedding)}
    held = [
        (weight, weight.data)
        for part in model.modules()
        if isinstance(part, torch.nn.Linear) and model.device.type == "cpu"
        for weight in part.parameters(recurse=False)
        if weight.dtype != wanted and id(weight) not in embedded and not (frozen and weight.requires_grad)
    ]
    for weight, data in held:
        weight.data = data.to(wanted)
    try:
        yield
    finally:
        for weight, data in held:
            weight.data = data
