"""Weights that no step changes, in the number type that a step on a CPU multiplies them in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selfreward.backends.device import Dtype

Cast = list[tuple[Any, Any]]
"""Weights as they are inside, each with the one of before."""


@contextmanager
def cast_once(model: Any, dtype: Dtype, *, frozen: bool) -> Iterator[Cast]:
    """Inside, linear layers of a model on a CPU hold their weights in `dtype`; behind it, in the type of before.

    Autocast would cast them at every call, to the same numbers: as much time as to multiply one row by them. Where
    `frozen`, only the weights without gradient are cast, so that the model can be trained inside. A head that shares
    its weight with the embedding has one of its own inside. On a GPU the cast takes no time, and the copy would take
    memory.
    """
    import torch
    from torch.nn import Linear, Parameter

    wanted = getattr(torch, dtype)
    held = [
        (part, name, weight)
        for part in model.modules()
        if isinstance(part, Linear) and model.device.type == "cpu"
        for name, weight in part.named_parameters(recurse=False)
        if weight.dtype != wanted and not (frozen and weight.requires_grad)
    ]
    cast: Cast = []
    for part, name, weight in held:
        inside = Parameter(weight.data.to(wanted), requires_grad=False)
        setattr(part, name, inside)
        cast.append((inside, weight))
    try:
        yield cast
    finally:
        for part, name, weight in held:
            setattr(part, name, weight)
