"""Tokens drawn from a transformers model: each prompt is read once, and each row has a random stream of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfreward.backends.forward import Prefix, copied, goes_on
from selfreward.backends.one_query import one_query_at_a_time
from selfreward.errors import BackendError

_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer to draw: the place of its prompt, its temperature (0 is greedy), its longest length in tokens.

    `stream` is what its random numbers are seeded by.
    """

    prompt: int
    temperature: float
    limit: int
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
    stops: list[int]
    pad: int

    @property
    def steps(self) -> int:
        """How many tokens the longest answer may have."""
        return max(row.limit for row in self.rows)


def draw_tokens(model: Any, drawing: Drawing, prefix: Prefix | None) -> list[tuple[list[int], list[float]]]:
    """For each row its tokens, and the log-probability in nats of each token at temperature 1.

    What comes after the first stop token of a row means nothing. `prefix` is what the model computed of the tokens of
    that name, None where nothing was. What is drawn depends on the other rows by rounding alone.
    """
    import torch

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
    with torch.inference_mode():
        if not goes_on(model):
            tokens, logprobs = _generated(model, read[0][rows], read[1][rows], sampler, drawing)
        else:
            cache = _read(model, *read, prefix, known)
            cache.batch_select_indices(rows)
            with one_query_at_a_time(model):
                tokens, logprobs = _decoded(model, read[0][rows, -1], read[1][rows], cache, sampler, drawing)
    drawn = zip(drawing.rows, tokens.tolist(), logprobs.tolist(), strict=True)
    return [(own[: row.limit], likely[: row.limit]) for row, own, likely in drawn]


def _decoded(model: Any, last_R: Any, mask_RT: Any, cache: Any, sampler: "_Sampler", drawing: Drawing) -> Any:
    """Tokens and log-probabilities, rows x steps. Rows that ended are left out as soon as they are a quarter."""
    import torch

    stops = torch.tensor(drawing.stops, device=last_R.device)
    limits_R = torch.tensor([row.limit for row in drawing.rows], device=last_R.device)
    tokens = torch.full((len(last_R), drawing.steps), drawing.stops[0], device=last_R.device)
    logprobs = torch.zeros(tokens.shape, device=last_R.device)
    alive, ended = torch.arange(len(last_R), device=last_R.device), torch.zeros_like(last_R, dtype=torch.bool)
    for step in range(drawing.steps):
        places_R = mask_RT.sum(-1, keepdim=True) - 1
        seen = {"attention_mask": mask_RT, "position_ids": places_R, "past_key_values": cache, "use_cache": True}
        logits_RV = model(last_R[:, None], **seen).logits[:, -1].float()
        last_R, tokens_logprobs = sampler(logits_RV, alive, step)
        tokens[alive, step], logprobs[alive, step] = last_R, tokens_logprobs
        ended |= torch.isin(last_R, stops) | (limits_R[alive] == step + 1)
        if ended.all():
            break
        if 4 * ended.sum() >= len(ended):
            kept = (~ended).nonzero()[:, 0]
            cache.batch_select_indices(kept)
            alive, last_R, mask_RT, ended = alive[kept], last_R[kept], mask_RT[kept], ended[kept]
        mask_RT = torch.cat([mask_RT, torch.ones_like(mask_RT[:, :1])], dim=1)
    return tokens, logprobs


def _generated(model: Any, ids_RT: Any, mask_RT: Any, sampler: "_Sampler", drawing: Drawing) -> Any:
    """The same by generate(), which knows what a model needs that keeps more than keys and values."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    everyone = torch.arange(len(ids_RT), device=ids_RT.device)
    steps: list[Any] = []

    def choose(_ids: Any, scores: Any) -> Any:
        # Logits of which one is finite, so that greedy decoding takes that one.
        chosen_R, logprobs_R = sampler(scores, everyone, len(steps))
        steps.append(logprobs_R)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen_R[:, None], 0.0)

    # All that could change what is drawn is named.
    limits = {"max_new_tokens": drawing.steps, "eos_token_id": drawing.stops, "pad_token_id": drawing.pad}
    sequences = model.generate(
        ids_RT,
        attention_mask=mask_RT,
        generation_config=GenerationConfig(do_sample=False, **limits),
        logits_processor=LogitsProcessorList([choose]),
    )
    return sequences[:, ids_RT.shape[1] :], torch.stack(steps, dim=1)


def uniforms(stream: tuple[int, ...], count: int) -> list[float]:
    """The first `count` numbers in [0, 1) of a stream."""
    found: list[float] = np.random.Generator(np.random.PCG64(list(stream))).random(count).tolist()
    return found


class _Sampler:
    """Draws the next token of each row by one uniform of the row's stream.

    torch.multinomial draws a number for every token of the vocabulary, on one thread: a sixth of the time of a small
    model.
    """

    def __init__(self, drawing: Drawing, device: Any) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self._temperatures_R1 = torch.tensor([[row.temperature or 1.0] for row in drawing.rows], device=device)
        self._greedy_R = torch.tensor([row.temperature == 0 for row in drawing.rows], device=device)
        streams = [uniforms(row.stream, drawing.steps) for row in drawing.rows]
        self._uniforms_RT = torch.tensor(streams, dtype=torch.float64, device=device)
        self._nucleus = TopPLogitsWarper(drawing.top_p) if drawing.top_p < 1 else None

    def __call__(self, logits_RV: Any, rows: Any, step: int) -> tuple[Any, Any]:
        """The tokens of `rows` at a step, and their log-probabilities. Raises BackendError for no numbers."""
        import torch

        total_R = logits_RV.logsumexp(-1)
        if not total_R.isfinite().all():
            raise BackendError(
                "the model's logits are no numbers, so nothing can be drawn from it: set backend.dtype=float32 if it "
                "is another, else give another model"
            )
        greedy_R, chosen_R = self._greedy_R[rows], logits_RV.argmax(-1)
        if not greedy_R.all():
            tempered_RV = logits_RV / self._temperatures_R1[rows]
            if self._nucleus is not None:
                tempered_RV = self._nucleus(None, tempered_RV)
            weights_RV = tempered_RV.sub_(tempered_RV.amax(-1, keepdim=True)).exp_()
            chosen_R = torch.where(greedy_R, chosen_R, _inverse(weights_RV, self._uniforms_RT[rows, step]))
        return chosen_R, logits_RV.gather(1, chosen_R[:, None])[:, 0] - total_R


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
