"""Linear layers whose weights are laid out once as a CPU multiplies by them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

_ROWS = 32
"""How many rows the layout is chosen for; any number can be multiplied."""

_BESIDE = ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")
"""Layers of one module that multiply the same numbers, by the names that most models of transformers give them."""


def pack_linear(model: Any) -> None:
    """Lays out the weights of the linear layers of a model on a CPU, which can then be called and not be trained.

    torch hands them to oneDNN row by row, which lays them out anew at every call: half the time of a step that draws
    four tokens, and a quarter of one that draws 64. Those `_BESIDE` each other are one: a layer of few rows is read at
    half the rate of one three times its size. The weights stay beside the copy, for models that read them without
    calling the layer, as Mamba and Jamba do. The operator is the one that torch compiles to (torch 2.13); another torch
    may lack it, and multiplies as ever.
    """
    import torch

    able = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    if model.device.type != "cpu" or not able:
        return
    with torch.inference_mode():
        for part in model.modules():
            for names in _BESIDE:
                _pack_beside([found for name in names if (found := getattr(part, name, None)) is not None])
        for part in model.modules():
            if _can_pack(part) and "forward" not in vars(part):
                vars(part)["forward"] = partial(_multiply, _packed(part.weight), part.bias)


def _can_pack(layer: Any) -> bool:
    import torch

    return type(layer) is torch.nn.Linear and layer.weight.dtype in (torch.float32, torch.bfloat16)


def _packed(weight: Any) -> Any:
    import torch

    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)


def _multiply(packed: Any, bias: Any, inputs: Any) -> Any:
    import torch

    return torch.ops.mkldnn._linear_pointwise(inputs, packed, bias, "none", [], "")


def _pack_beside(layers: Sequence[Any]) -> None:
    """Lays out several layers as one; those that are not alike in kind are left."""
    import torch

    kinds = {(layer.in_features, layer.weight.dtype, layer.bias is None) for layer in layers if _can_pack(layer)}
    if len(kinds) != 1 or len(layers) < 2 or not all(map(_can_pack, layers)):
        return
    packed = _packed(torch.cat([layer.weight for layer in layers]))
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers]).detach()
    joint = _Joint(packed, bias, [layer.out_features for layer in layers])
    for place, layer in enumerate(layers):
        vars(layer)["forward"] = partial(joint.part, place)


class _Joint:
    """Layers that are computed together when the first of them is called, and asked for one by one."""

    def __init__(self, packed: Any, bias: Any, sizes: list[int]) -> None:
        self._packed, self._bias, self._sizes = packed, bias, sizes
        self._inputs: Any = None
        self._parts: dict[int, Any] = {}

    def part(self, place: int, inputs: Any) -> Any:
        """What the layer at `place` makes of `inputs`: known if those are the very ones of the call before."""
        if inputs is not self._inputs or place not in self._parts:
            self._inputs = inputs
            self._parts = dict(enumerate(_multiply(self._packed, self._bias, inputs).split(self._sizes, -1)))
        found = self._parts.pop(place)
        if not self._parts:
            self._inputs = None
        return found
