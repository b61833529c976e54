"""What a model in training gives to answers, before its first step and after its last."""

from collections.abc import Sequence
from typing import Any

from selfreward.backends.device import Dtype
from selfreward.backends.forward import can_pack, token_logprobs
from selfreward.backends.shared_prefixes import Row, group_rows
from selfreward.updates.autocast_weights import cast_once

_TOKENS_AT_ONCE = 4096
"""In a call of the model, padding counted."""


def answer_logprobs(model: Any, compute: Dtype, asked: Sequence[Row]) -> list[list[float]]:
    """What `model` gives to the tokens of each answer behind its prompt, in nats, calculated in `compute`."""
    import torch

    found: dict[int, list[float]] = {}
    autocast = torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=compute == "bfloat16")
    with autocast, cast_once(model, compute, frozen=False):
        for group in group_rows(asked, _TOKENS_AT_ONCE, share=False, pack=can_pack(model)):
            for batch in group.batches:
                rows = [asked[row] for row in batch]
                found.update(zip(batch, token_logprobs(model, rows, pad=0), strict=True))
    return [found[row] for row in range(len(asked))]
