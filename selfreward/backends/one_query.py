"""Attention in a step that draws one token for each row, on a CPU."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_GROUPED = "selfreward_one_query"


@contextmanager
def one_query_at_a_time(model: Any) -> Iterator[None]:
    """On a CPU, attention in plain matrix products: the kernel made for many queries a row takes twice the time.

    Where a model's own products are those of Llama, queries that share a key are multiplied by it together, to the same
    numbers; its own copy the keys for each of them first, which takes as long as to multiply.
    """
    fast = model.config._attn_implementation
    if model.device.type != "cpu" or fast == "eager":
        yield
        return
    model.set_attn_implementation(_registered() if _multiplies_as_llama(model) else "eager")
    try:
        yield
    finally:
        model.set_attn_implementation(fast)


def _registered() -> str:
    """The name by which transformers finds `_grouped`."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(_GROUPED, _grouped)
    AttentionMaskInterface.register(_GROUPED, eager_mask)
    return _GROUPED


def _multiplies_as_llama(model: Any) -> bool:
    """Whether the files of all attention layers have the code of Llama's: no softcap, no sinks, nothing besides."""
    from transformers.models.llama.modeling_llama import eager_attention_forward

    files = {type(part).__module__ for part in model.modules() if hasattr(part, "num_key_value_groups")}
    own = [getattr(sys.modules[name], "eager_attention_forward", None) for name in files]
    return bool(own) and all(_code(one) == _code(eager_attention_forward) for one in own)


def _code(function: Any) -> list[object]:
    code = getattr(function, "__code__", None)
    return [getattr(code, part, None) for part in ("co_code", "co_consts", "co_names")]


def _grouped(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, **_others: Any
) -> tuple[Any, None]:
    """Rows x 1 x heads x numbers of a head; `query` has one place a row, and several heads may share one of `key`."""
    import torch

    rows, heads, _, numbers = query.shape
    shared = query.reshape(rows, key.shape[1], -1, numbers)
    scores = torch.matmul(shared, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(weights, value).reshape(rows, 1, heads, numbers), None
