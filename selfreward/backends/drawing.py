"""Tokens drawn from a transformers model: each prompt is read once, and each row has a random stream of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfreward.backends.forward import Prefix, can_share_prefix, copied
from selfreward.errors import BackendError

_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer to draw: the place of its prompt, its temperature (0 is greedy), and what its stream is seeded by."""

    prompt: int
    temperature: float
    stream: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Answers to draw in one call of the model. All prompts begin with `prefix`, and are longer.

    `stops` are the tokens that end an answer, `pad` is what stands beside shorter rows.
    """

    prompts: Sequence[list[int]]
    rows: Sequence[Row]
    prefix: Sequence[int]
    top_p: float
    max_new_tokens: int
    stops: list[int]
    pad: int


def draw_tokens(model: Any, drawing: Drawing, prefix: Prefix | None) -> list[tuple[list[int], list[float]]]:
    """For each row its tokens, and the log-probability in nats of each token at temperature 1.

    All have the same length: what comes after the first stop token is padding. `prefix` is what the model computed of
    the tokens of that name, None where nothing was. What is drawn depends on the other rows by rounding alone.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    known = 0 if prefix is None else len(drawing.prefix)
    width = max(map(len, drawing.prompts))
    # Padding stands between the prefix and what follows; the mask tells the model where the places are.
    ids, mask = [], []
    for prompt in drawing.prompts:
        gap = width - len(prompt)
        ids.append([*prompt[:known], *[drawing.pad] * gap, *prompt[known:]])
        mask.append([1] * known + [0] * gap + [1] * (len(prompt) - known))
    read = torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)
    rows = torch.tensor([row.prompt for row in drawing.rows], device=model.device)
    sampler = _Sampler(drawing, model.device)
    # All that could change what is drawn is named, and the sampler leaves one token to choose.
    limits = {"max_new_tokens": drawing.max_new_tokens, "eos_token_id": drawing.stops, "pad_token_id": drawing.pad}
    with torch.inference_mode():
        cache = None
        if width > 1 and can_share_prefix(model):
            cache = _read(model, *read, prefix, known)
            cache.batch_select_indices(rows)
        with _one_query_at_a_time(model):
            sequences = model.generate(
                read[0][rows],
                attention_mask=read[1][rows],
                past_key_values=cache,
                generation_config=GenerationConfig(do_sample=False, **limits),
                logits_processor=LogitsProcessorList([sampler]),
            )
    tokens = sequences[:, width:].tolist()
    return list(zip(tokens, torch.stack(sampler.logprobs, dim=1).tolist(), strict=True))


def uniforms(stream: tuple[int, ...], count: int) -> list[float]:
    """The first `count` numbers in [0, 1) of a stream."""
    found: list[float] = np.random.Generator(np.random.PCG64(list(stream))).random(count).tolist()
    return found


class _Sampler:
    """A logits processor that draws the next token of each row itself, and keeps its log-probability.

    It gives back logits of which one is finite, so that greedy decoding takes that one. torch.multinomial draws a
    number for every token of the vocabulary on one thread, a sixth of the time of a small model: one a row is enough.
    """

    def __init__(self, drawing: Drawing, device: Any) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self.logprobs: list[Any] = []
        self._temperatures_R1 = torch.tensor([[row.temperature or 1.0] for row in drawing.rows], device=device)
        self._greedy_R = torch.tensor([row.temperature == 0 for row in drawing.rows], device=device)
        streams = [uniforms(row.stream, drawing.max_new_tokens) for row in drawing.rows]
        self._uniforms_RT = torch.tensor(streams, dtype=torch.float64, device=device)
        self._nucleus = TopPLogitsWarper(drawing.top_p) if drawing.top_p < 1 else None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        total_R = scores.logsumexp(-1)
        if not total_R.isfinite().all():
            raise BackendError(
                "the model's logits are no numbers, so nothing can be drawn from it: set backend.dtype=float32 if it "
                "is another, else give another model"
            )
        chosen_R = scores.argmax(-1)
        if not self._greedy_R.all():
            tempered = scores / self._temperatures_R1
            if self._nucleus is not None:
                tempered = self._nucleus(input_ids, tempered)
            weights = (tempered - tempered.amax(-1, keepdim=True)).exp()
            drawn_R = _inverse(weights, self._uniforms_RT[:, len(self.logprobs)])
            chosen_R = torch.where(self._greedy_R, chosen_R, drawn_R)
        self.logprobs.append(scores.gather(1, chosen_R[:, None])[:, 0] - total_R)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen_R[:, None], 0.0)


def _inverse(weights_RV: Any, uniforms_R: Any) -> Any:
    """The token at which the running sum of a row's weights passes the share of its total that `uniforms_R` says.

    First among blocks of tokens, then within one: a running sum over the vocabulary is slow in 64 bits, and in 32 bits
    it loses rare tokens.
    """
    from torch.nn.functional import pad

    blocks_RNB = pad(weights_RV, (0, -weights_RV.shape[1] % _BLOCK)).unflatten(1, (-1, _BLOCK))
    block_R, rest_R = _passed(blocks_RNB.sum(-1), uniforms_R)
    within_RB = blocks_RNB[range(len(block_R)), block_R]
    return block_R * _BLOCK + _passed(within_RB, rest_R)[0]


def _passed(weights_RN: Any, uniforms_R: Any) -> tuple[Any, Any]:
    """The place at which the running sum passes a share of the total, and how far into that place, in [0, 1)."""
    import torch

    sums_RN = weights_RN.cumsum(-1, dtype=torch.float64)
    # Below the total even where rounding says otherwise, so that a place without weight is never chosen.
    target_R1 = torch.minimum(uniforms_R[:, None] * sums_RN[:, -1:], sums_RN[:, -1:].nextafter(sums_RN.new_zeros(())))
    place_R1 = torch.searchsorted(sums_RN, target_R1, right=True)
    weight_R1 = weights_RN.gather(1, place_R1).double()
    before_R1 = sums_RN.gather(1, place_R1) - weight_R1
    return place_R1[:, 0], ((target_R1 - before_R1) / weight_R1).clamp(0, 1)[:, 0]


def _read(model: Any, ids: Any, mask: Any, prefix: Prefix | None, known: int) -> Any:
    """The keys and values of all but the last place of each row of `ids`, those of `prefix` being known."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config) if prefix is None else copied(prefix, len(ids))
    if ids.shape[1] > known + 1:
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        model.base_model(
            ids[:, known:-1],
            attention_mask=mask[:, :-1],
            position_ids=places[:, known:-1],
            past_key_values=cache,
            use_cache=True,
        )
    return cache


@contextmanager
def _one_query_at_a_time(model: Any) -> Iterator[None]:
    """On a CPU, attention in plain matrix products: the kernel made for many queries a row takes twice the time."""
    fast = model.config._attn_implementation
    if model.device.type != "cpu" or fast == "eager":
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(fast)
