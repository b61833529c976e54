"""What a model in training gives to answers, before its first step and after its last."""

from collections.abc import Iterator, Sequence
from typing import Any

from selfreward.backends.device import Dtype
from selfreward.backends.forward import logits_at, picked_logprobs, token_logprobs
from selfreward.backends.shared_prefixes import Row, group_rows
from selfreward.updates.autocast_weights import cast_once
from selfreward.updates.packed_rows import can_pack, lay_out

_TOKENS_AT_ONCE = 4096
"""In a call of the model, padding counted."""


def answer_logprobs(model: Any, compute: Dtype, asked: Sequence[Row]) -> list[list[float]]:
    """What `model` gives to the tokens of each answer behind its prompt, in nats, calculated in `compute`."""
    import torch

    found: dict[int, list[float]] = {}
    autocast = torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=compute == "bfloat16")
    with autocast, cast_once(model, compute, frozen=False):
        if can_pack(model):
            for batch in _batches(asked):
                found.update(zip(batch, _packed_logprobs(model, [asked[row] for row in batch]), strict=True))
        else:
            for group in group_rows(asked, _TOKENS_AT_ONCE, share=False):
                for batch in group.batches:
                    rows = [asked[row] for row in batch]
                    found.update(zip(batch, token_logprobs(model, rows, pad=0), strict=True))
    return [found[row] for row in range(len(asked))]


def _batches(asked: Sequence[Row]) -> Iterator[list[int]]:
    """Rows that begin alike side by side, so many at once."""
    batch: list[int] = []
    tokens = 0
    for row in sorted(range(len(asked)), key=lambda row: asked[row]):
        length = sum(map(len, asked[row]))
        if batch and tokens + length > _TOKENS_AT_ONCE:
            yield batch
            batch, tokens = [], 0
        batch.append(row)
        tokens += length
    if batch:
        yield batch


def _packed_logprobs(model: Any, rows: Sequence[Row]) -> list[list[float]]:
    """As `token_logprobs`, with what the rows begin with computed once."""
    import numpy as np
    import torch

    whole = [[*prompt, *answer] for prompt, answer in rows]
    layout = lay_out(whole, model.config.get_text_config().hidden_size)
    places = np.concatenate([path[len(prompt) - 1 : -1] for path, (prompt, _) in zip(layout.paths, rows, strict=True)])
    with torch.inference_mode():
        asked = places // layout.width, places % layout.width
        logits = logits_at(model, asked, **layout.inputs(whole, model.device), use_cache=False)
    return picked_logprobs(logits, [answer for _, answer in rows])
