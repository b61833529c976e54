"""The transformers engine: one model in this process, on CPU or on one GPU."""

import gc
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

from pydantic import PositiveInt

from selfreward.backends import forward
from selfreward.backends.base import Advance, Sampling
from selfreward.backends.chat import pad_id
from selfreward.backends.device import MOST_THREADS, resolve_device, resolve_dtype
from selfreward.backends.model_loading import load_model, quiet
from selfreward.backends.shared_prefixes import Row, group_rows
from selfreward.backends.token_backend import Draw, TokenBackend
from selfreward.errors import BackendError
from selfreward.records import Policy
from selfreward.spec import Spec, execution

# Raise it where the last digits of what is drawn or scored may change.
_NUMERICS = 4


class HfSpec(Spec):
    """`batch_size` counts answers in one call of generate; the draws depend on it.

    `score_batch_tokens` is how many tokens, padding included, are scored at once; those of a beginning that all of them
    share are computed once, and count half. `dtype: auto` is bfloat16 where the device computes in it, else float32.
    """

    kind: Literal["hf"] = "hf"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    batch_size: PositiveInt = 64
    score_batch_tokens: PositiveInt = 4096
    trust_remote_code: bool = False
    threads: int | None = execution(None, gt=0, le=MOST_THREADS)


class HfBackend(TokenBackend):
    """A `Backend` around `transformers`."""

    _spec: HfSpec

    def __init__(self, spec: HfSpec, policy: Policy) -> None:
        super().__init__(spec, policy)
        self._device = resolve_device(spec.device)
        self._dtype = resolve_dtype(spec.dtype, self._device)
        self._model: Any = None

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """Versions, number type, device and batch sizes."""
        return {
            "kind": "hf",
            "transformers": version("transformers"),
            "torch": version("torch"),
            "dtype": self._dtype,
            "device": self._device,
            "batch_size": self._spec.batch_size,
            "score_batch_tokens": self._spec.score_batch_tokens,
            "numerics": _NUMERICS,
        }

    def close(self) -> None:
        """Frees the model; a later call would load it again."""
        if self._model is None:
            return
        self._model = None
        gc.collect()
        if self._device == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _draw(self, prompts: list[list[int]], sampling: Sampling, seed: int, advance: Advance) -> list[list[Draw]]:
        """The shortest prompts first, `batch_size` answers at once."""
        model = self._load_model()
        self._check_known(prompts)
        pad = pad_id(self._chat, model)
        results: list[list[Draw]] = [[] for _ in prompts]
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        step = max(1, self._spec.batch_size // sampling.k)
        for number, start in enumerate(range(0, len(order), step)):
            batch = order[start : start + step]
            rows = [prompts[index] for index in batch]
            stream = int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:7], "big")
            with quiet():
                drawn = forward.draw_tokens(model, rows, sampling, stream, self._stops, pad)
            draws = iter(zip(*drawn, strict=True))
            for index in batch:
                results[index] = [next(draws) for _ in range(sampling.k)]
            advance(len(batch) * sampling.k)
        return results

    def _sum_logprobs(self, rows: list[Row], advance: Advance) -> list[float]:
        return [sum(logprobs) for logprobs in self._in_batches(rows, forward.token_logprobs, advance)]

    def _first_logprobs(self, prompts: list[list[int]], wanted: list[int], advance: Advance) -> list[list[float]]:
        def compute(model: Any, batch: list[Row], pad: int, prefix: forward.Prefix | None) -> list[list[float]]:
            return forward.next_token_logprobs(model, [prompt for prompt, _ in batch], wanted, pad, prefix)

        return self._in_batches([(prompt, []) for prompt in prompts], compute, advance)

    def _in_batches(
        self, rows: list[Row], compute: Callable[..., list[list[float]]], advance: Advance
    ) -> list[list[float]]:
        """What `compute` finds for each row; what the rows of a group begin with is computed once."""
        model = self._load_model()
        self._check_known(part for row in rows for part in row)
        pad = pad_id(self._chat, model)
        found: dict[int, list[float]] = {}
        for group in group_rows(rows, self._spec.score_batch_tokens, share=forward.can_share_prefix(model)):
            prefix = forward.compute_prefix(model, group.prefix) if group.prefix else None
            for batch in group.batches:
                found |= zip(batch, compute(model, [rows[index] for index in batch], pad, prefix), strict=True)
                advance(len(batch))
        return [found[index] for index in range(len(rows))]

    def _load_model(self) -> Any:
        if self._model is not None:
            return self._model
        import torch
        from transformers import GenerationConfig

        if self._spec.threads is not None:
            torch.set_num_threads(self._spec.threads)
        model = load_model(
            self._policy.path, dtype=self._dtype, device=self._device, trust_remote_code=self._spec.trust_remote_code
        )
        # generate() fills every setting we leave open from here: a repetition penalty of the model's author must
        # not change the draws.
        model.generation_config = GenerationConfig()
        self._model = model
        return model

    def _check_known(self, rows: Iterable[Sequence[int]]) -> None:
        """Raises BackendError for a token that the model has no embedding of."""
        greatest = max((max(row, default=0) for row in rows), default=0)
        vocabulary = self._load_model().get_input_embeddings().num_embeddings
        if greatest >= vocabulary:
            raise BackendError(
                f"the tokenizer in {self._policy.path} gives token {greatest}, and the model knows {vocabulary} "
                "tokens: give the tokenizer and the config.json of these weights"
            )
