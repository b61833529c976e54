"""What is computed with a transformers model in memory: drawing tokens and the log-probability of given ones."""

import copy
from collections.abc import Sequence
from typing import Any

from selfreward.backends.base import Sampling
from selfreward.errors import BackendError

_POSITIONS_AT_ONCE = 256
Prefix = Any
"""What a model has computed of the first tokens of several rows: a cache of keys and values."""


def draw_tokens(
    model: Any, prompts: Sequence[list[int]], sampling: Sampling, seed: int, stops: list[int], pad: int
) -> tuple[list[list[int]], list[list[float]]]:
    """Tokens drawn after each prompt, and the log-probability in nats of each token at temperature 1.

    Both have `sampling.k` rows for each prompt, prompt after prompt, and all rows have the same length: what comes
    after a row's first stop token is padding. Where the model can go on from keys and values alone, each prompt is
    read once and not k times.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=model.device)
    # Everything that could change the draws is named.
    sampled = sampling.temperature > 0
    warpers = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0} if sampled else {}
    limits = {"max_new_tokens": sampling.max_new_tokens, "eos_token_id": stops, "pad_token_id": pad}
    recorder = _TokenLogprobs()
    with torch.inference_mode():
        # generate() would read every prompt k times: it repeats the rows first.
        shares = sampling.k > 1 and width > 1 and can_share_prefix(model)
        cache = _read_once(model, ids, mask, sampling.k) if shares else None
        torch.manual_seed(seed)
        sequences = model.generate(
            ids.repeat_interleave(sampling.k, dim=0),
            attention_mask=mask.repeat_interleave(sampling.k, dim=0),
            past_key_values=cache,
            generation_config=GenerationConfig(do_sample=sampled, **limits, **warpers),
            logits_processor=LogitsProcessorList([recorder]),
        )
    tokens = sequences[:, width:]
    recorder.keep(tokens[:, -1])
    return tokens.tolist(), torch.stack(recorder.steps, dim=1).tolist()


def _read_once(model: Any, ids: Any, mask: Any, k: int) -> Any:
    """The keys and values of all but the last token of each row of `ids`, padded at the left, each row `k` times."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    model.base_model(
        ids[:, :-1], attention_mask=mask[:, :-1], position_ids=places[:, :-1], past_key_values=cache, use_cache=True
    )
    cache.batch_repeat_interleave(k)
    return cache


def can_share_prefix(model: Any) -> bool:
    """Whether a model goes on from keys and values alone: one with recurrent layers does not."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    layers = DynamicCache(config=model.config).layers
    return model._supports_default_dynamic_cache() and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
    )


def compute_prefix(model: Any, tokens: Sequence[int]) -> Prefix:
    """What several rows that begin with `tokens` share, in one pass without logits."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model.base_model(torch.tensor([tokens], device=model.device), past_key_values=cache, use_cache=True)
    return cache


def token_logprobs(
    model: Any, rows: Sequence[tuple[list[int], list[int]]], pad: int, prefix: Prefix | None = None
) -> list[list[float]]:
    """The log-probability in nats of each token of each completion; prompts begin with `prefix` and are longer."""
    import torch

    # The logits at one position are the distribution of the token at the next.
    wanted = [slice(len(prompt) - 1, len(prompt) + len(completion) - 1) for prompt, completion in rows]
    targets = torch.tensor([token for _, completion in rows for token in completion], device=model.device)
    with torch.inference_mode():
        logits = _logits_at(model, [prompt + completion for prompt, completion in rows], wanted, pad, prefix)
        parts = zip(logits.split(_POSITIONS_AT_ONCE), targets.split(_POSITIONS_AT_ONCE), strict=True)
        picked = [some.float().log_softmax(-1).gather(1, tokens[:, None]) for some, tokens in parts]
    flat = iter(torch.cat(picked)[:, 0].tolist())
    return [[next(flat) for _ in completion] for _, completion in rows]


def next_token_logprobs(
    model: Any, prompts: Sequence[list[int]], wanted: Sequence[int], pad: int, prefix: Prefix | None = None
) -> list[list[float]]:
    """The log-probability in nats of each `wanted` token behind each prompt: prompts x wanted; `prefix` as above."""
    import torch

    last = [slice(len(prompt) - 1, len(prompt)) for prompt in prompts]
    with torch.inference_mode():
        logprobs = _logits_at(model, prompts, last, pad, prefix).float().log_softmax(-1)
    found: list[list[float]] = logprobs[:, list(wanted)].tolist()
    return found


def _logits_at(model: Any, rows: Sequence[list[int]], wanted: Sequence[slice], pad: int, prefix: Prefix | None) -> Any:
    """Logits, positions x vocabulary, at the `wanted` positions of each row; the output layer is shown only those."""
    import torch

    known = 0 if prefix is None else prefix.get_seq_length()
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    asked = torch.zeros((len(rows), width), dtype=torch.bool)
    for place, (row, positions) in enumerate(zip(rows, wanted, strict=True)):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
        asked[place, positions] = True
    asked = asked[:, known:].to(model.device)
    # The mask covers the prefix too; from the cache's length the model knows the position of what follows.
    inputs = {"input_ids": ids[:, known:].to(model.device), "attention_mask": mask.to(model.device)}
    cache = copy.deepcopy(prefix)  # the model adds to it what follows
    if cache is not None:
        cache.batch_repeat_interleave(len(rows))
    head = model.get_output_embeddings()
    if head is None:
        return model(**inputs, past_key_values=cache, use_cache=cache is not None).logits[asked]
    hook = head.register_forward_pre_hook(lambda _layer, states: (states[0][asked][None], *states[1:]))
    try:
        return model(**inputs, past_key_values=cache, use_cache=cache is not None).logits[0]
    finally:
        hook.remove()


class _TokenLogprobs:
    """A logits processor that changes nothing and keeps the log-probability of every token drawn.

    generate() runs it after the processors that we leave off and before temperature and top-p, on float32 logits;
    what was drawn from them is only known one step later.
    """

    def __init__(self) -> None:
        self._logits: Any = None
        self._total: Any = None
        self.steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.keep(input_ids[:, -1])
        self._logits, self._total = scores, scores.logsumexp(-1)
        if not self._total.isfinite().all():
            raise BackendError(
                "the model's logits are no numbers, so nothing can be drawn from it: set backend.dtype=float32 if it "
                "is another, else give another model"
            )
        return scores

    def keep(self, drawn: Any) -> None:
        """Keeps the log-probabilities of the tokens that were drawn at the last step, if there was one."""
        if self._logits is not None:
            self.steps.append(self._logits.gather(1, drawn[:, None])[:, 0] - self._total)
