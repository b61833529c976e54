"""What is computed with a transformers model in memory: the log-probability of given tokens, beginnings shared."""

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from selfreward.backends.packed_rows import one_a_line, packed
from selfreward.backends.shared_prefixes import Row, common_length

_POSITIONS_AT_ONCE = 256
Prefix = Any
"""What a model has computed of the first tokens of several rows: a cache of keys and values."""


def can_share_prefix(model: Any) -> bool:
    """Whether a model goes on from keys and values alone: one with recurrent layers does not."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    layers = DynamicCache(config=model.config).layers
    return model._supports_default_dynamic_cache() and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
    )


def goes_on(model: Any) -> bool:
    """Whether a model can be called token by token with keys and values and with places of our own."""
    return can_share_prefix(model) and "position_ids" in inspect.signature(model.forward).parameters


def sees_all_places(model: Any) -> bool:
    """Whether no layer of a model has a window, in which padding would take the places of tokens."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = DynamicCache(config=model.config).layers
    return goes_on(model) and all(type(layer) is DynamicLayer for layer in layers)


def can_pack(model: Any) -> bool:
    """Whether a model reads rows that lie side by side: with places of our own, and a mask of our own for torch."""
    return sees_all_places(model) and model.config._attn_implementation == "sdpa"


def compute_prefix(model: Any, tokens: Sequence[int]) -> Prefix:
    """What several rows that begin with `tokens` share, in one pass without logits."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model.base_model(torch.tensor([tokens], device=model.device), past_key_values=cache, use_cache=True)
    return cache


def copied(prefix: Prefix, times: int) -> Prefix:
    """`prefix` for `times` rows, in a copy: a model adds to it what follows."""
    cache = copy.deepcopy(prefix)
    cache.batch_repeat_interleave(times)
    return cache


def one_behind_another(
    model: Any, batches: Sequence[Sequence[Row]], tokens: Sequence[int], prefix: Prefix | None
) -> Iterator[tuple[Sequence[Row], Prefix]]:
    """Batches of one row each, and what the model computed of its beginning: `tokens`, which all share, or more.

    Whoever takes a row lets what comes with it grow: the beginning of the next row is cut from that.
    """
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config) if prefix is None else copied(prefix, 1)
    before = [*tokens]
    for batch in batches:
        ((prompt, completion),) = batch
        # What the last token of a prompt predicts is asked for.
        known = min(common_length(before, prompt), len(prompt) - 1)
        if known < len(before):
            cache.crop(known - len(before))
        yield batch, cache
        before = [*prompt, *completion]


def token_logprobs(
    model: Any, rows: Sequence[Row], pad: int, prefix: Prefix | None = None, *, grow: bool = False
) -> list[list[float]]:
    """The log-probability in nats of each token of each completion; prompts begin with `prefix` and are longer.

    With `grow` there is one row, and `prefix` has all of it afterwards.
    """
    import torch

    # The logits at one position are the distribution of the token at the next.
    wanted = [slice(len(prompt) - 1, len(prompt) + len(completion) - 1) for prompt, completion in rows]
    targets = torch.tensor([token for _, completion in rows for token in completion], device=model.device)
    with torch.inference_mode():
        logits = _logits_at(model, [prompt + completion for prompt, completion in rows], wanted, pad, prefix, grow)
        parts = zip(logits.split(_POSITIONS_AT_ONCE), targets.split(_POSITIONS_AT_ONCE), strict=True)
        picked = [some.float().log_softmax(-1).gather(1, tokens[:, None]) for some, tokens in parts]
    flat = iter(torch.cat(picked)[:, 0].tolist())
    return [[next(flat) for _ in completion] for _, completion in rows]


def next_token_logprobs(
    model: Any,
    prompts: Sequence[list[int]],
    wanted: Sequence[int],
    pad: int,
    prefix: Prefix | None = None,
    *,
    grow: bool = False,
) -> list[list[float]]:
    """The log-probability in nats of each `wanted` token behind each prompt: prompts x wanted; the rest as above."""
    import torch

    last = [slice(len(prompt) - 1, len(prompt)) for prompt in prompts]
    with torch.inference_mode():
        logprobs = _logits_at(model, prompts, last, pad, prefix, grow).float().log_softmax(-1)
    found: list[list[float]] = logprobs[:, list(wanted)].tolist()
    return found


def _logits_at(
    model: Any, rows: Sequence[list[int]], wanted: Sequence[slice], pad: int, prefix: Prefix | None, grow: bool
) -> Any:
    """Logits, positions x vocabulary, at the `wanted` positions of one row after the other.

    The output layer is shown only those.
    """
    import torch

    known = 0 if prefix is None else prefix.get_seq_length()
    rest = [row[known:] for row in rows]
    layout = packed(rest, model.config.get_text_config().hidden_size) if can_pack(model) else None
    if layout is not None:
        tables = layout.inputs(rest, known)
    else:
        layout = one_a_line(rest)
        tables = layout.padded(rest, known, pad)
    parts = zip(layout.paths, wanted, strict=True)
    places = np.concatenate([path[positions.start - known : positions.stop - known] for path, positions in parts])
    asked = places // layout.width, places % layout.width
    inputs = {name: torch.from_numpy(table).to(model.device) for name, table in tables.items()}
    cache = prefix if prefix is None or grow else copied(prefix, layout.height)
    head = model.get_output_embeddings()
    if head is None:
        return model(**inputs, past_key_values=cache, use_cache=cache is not None).logits[asked]
    hook = head.register_forward_pre_hook(lambda _layer, states: (states[0][asked][None], *states[1:]))
    try:
        return model(**inputs, past_key_values=cache, use_cache=cache is not None).logits[0]
    finally:
        hook.remove()
