"""What is computed with a transformers model in memory: drawing tokens and the log-probability of given ones."""

from collections.abc import Sequence
from typing import Any

from selfreward.backends.base import Sampling

_POSITIONS_AT_ONCE = 256


def draw_tokens(
    model: Any, prompts: Sequence[list[int]], sampling: Sampling, seed: int, stops: list[int], pad: int
) -> tuple[list[list[int]], list[list[float]]]:
    """Tokens drawn after each prompt, and the log-probability in nats of each token at temperature 1.

    Both have `sampling.k` rows for each prompt, prompt after prompt, and all rows have the same length: what comes
    after a row's first stop token is padding.
    """
    import torch
    from transformers import LogitsProcessorList

    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=model.device)
    recorder = _TokenLogprobs()
    torch.manual_seed(seed)
    with torch.inference_mode():
        sequences = model.generate(
            ids,
            attention_mask=mask,
            generation_config=_settings(sampling, stops, pad),
            logits_processor=LogitsProcessorList([recorder]),
        )
    tokens = sequences[:, width:]
    return tokens.tolist(), recorder.finish(tokens[:, -1]).tolist()


def sum_logprobs(model: Any, rows: Sequence[tuple[list[int], list[int]]], pad: int) -> list[float]:
    """The summed log-probability, in nats, of the completion of each (prompt, completion) after its prompt."""
    return [sum(logprobs) for logprobs in token_logprobs(model, rows, pad)]


def token_logprobs(model: Any, rows: Sequence[tuple[list[int], list[int]]], pad: int) -> list[list[float]]:
    """The log-probability, in nats, of every token of the completion of each (prompt, completion)."""
    import torch

    width = max(len(prompt) + len(completion) for prompt, completion in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    wanted = torch.zeros((len(rows), width), dtype=torch.bool)
    for place, (prompt, completion) in enumerate(rows):
        end = len(prompt) + len(completion)
        ids[place, :end] = torch.tensor(prompt + completion)
        mask[place, :end] = 1
        # The logits at one position are the distribution of the token at the next.
        wanted[place, len(prompt) - 1 : end - 1] = True
    targets = ids.roll(-1, dims=1)[wanted].to(model.device)
    with torch.inference_mode():
        logits = _logits_at(model, ids.to(model.device), mask.to(model.device), wanted.to(model.device))
        picked = [
            logits[start : start + _POSITIONS_AT_ONCE]
            .float()
            .log_softmax(-1)
            .gather(1, targets[start : start + _POSITIONS_AT_ONCE, None])
            for start in range(0, len(targets), _POSITIONS_AT_ONCE)
        ]
    flat = iter(torch.cat(picked)[:, 0].tolist())
    return [[next(flat) for _ in completion] for _, completion in rows]


def next_token_logprobs(model: Any, prompts: Sequence[list[int]], wanted: Sequence[int], pad: int) -> list[list[float]]:
    """The log-probability, in nats, of each `wanted` token right after each prompt: prompts x wanted."""
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in prompts], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in prompts], device=model.device)
    last = torch.zeros((len(prompts), width), dtype=torch.bool)
    last[range(len(prompts)), [len(row) - 1 for row in prompts]] = True
    with torch.inference_mode():
        logprobs = _logits_at(model, ids, mask, last.to(model.device)).float().log_softmax(-1)
    found: list[list[float]] = logprobs[:, list(wanted)].tolist()
    return found


def _settings(sampling: Sampling, stops: list[int], pad: int) -> Any:
    """Generation settings that name everything which could change the draws."""
    from transformers import GenerationConfig

    make: Any = GenerationConfig
    sampled = sampling.temperature > 0
    warpers = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0} if sampled else {}
    return make(
        max_new_tokens=sampling.max_new_tokens,
        num_return_sequences=sampling.k,
        do_sample=sampled,
        eos_token_id=stops,
        pad_token_id=pad,
        **warpers,
    )


def _logits_at(model: Any, ids: Any, mask: Any, wanted: Any) -> Any:
    """Logits, positions x vocabulary, where `wanted` (rows x width) is true, row after row.

    The output layer is shown only those positions; whatever the model does to its logits afterwards (scaling,
    capping) still happens.
    """
    head = model.get_output_embeddings()
    if head is None:
        return model(input_ids=ids, attention_mask=mask, use_cache=False).logits[wanted]
    hook = head.register_forward_pre_hook(lambda _layer, inputs: (inputs[0][wanted][None], *inputs[1:]))
    try:
        return model(input_ids=ids, attention_mask=mask, use_cache=False).logits[0]
    finally:
        hook.remove()


class _TokenLogprobs:
    """A logits processor that changes nothing and keeps the log-probability of every token drawn.

    generate() runs it after the processors that we leave off and before temperature and top-p, on float32 logits;
    what was drawn from them is only known one step later.
    """

    def __init__(self) -> None:
        self._logits: Any = None
        self._steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self._logits is not None:
            self._keep(input_ids[:, -1])
        self._logits = scores
        return scores

    def finish(self, drawn: Any) -> Any:
        """Log-probabilities, answers x steps; `drawn` are the tokens of the last step."""
        import torch

        self._keep(drawn)
        return torch.stack(self._steps, dim=1)

    def _keep(self, drawn: Any) -> None:
        chosen = self._logits.gather(1, drawn[:, None])[:, 0]
        self._steps.append(chosen - self._logits.logsumexp(-1))
