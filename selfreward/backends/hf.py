"""The transformers engine: one model in this process, on CPU or on one GPU."""

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import PositiveInt

from selfreward.backends.base import (
    Advance,
    Answer,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    Sampling,
    TextScore,
    Unfit,
    refuse_pattern,
)
from selfreward.backends.chat import Chat, option_tokens
from selfreward.backends.device import MOST_THREADS, resolve_device, resolve_dtype
from selfreward.backends.forward import (
    Prefix,
    can_share_prefix,
    compute_prefix,
    draw_tokens,
    next_token_logprobs,
    sum_logprobs,
)
from selfreward.backends.local import context_length, load_chat, load_configs, load_model, quiet
from selfreward.backends.rows import (
    Row,
    answers_to_score,
    completion_of,
    count_tokens,
    pad_id,
    prompts_to_draw,
    prompts_to_score,
    stop_ids,
    why_unfit,
)
from selfreward.backends.sharing import group_rows
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


class HfBackend:
    """A `Backend` (see `backends.base`) around `transformers`.

    The text of an answer is what its tokens decode to, without control tokens and without white space at its ends,
    so that sampling, scoring and training agree on what the answer is. Its `tokens` and `logprob` are those of the
    tokens drawn: they differ from `score` of the text where it is `respelled`.
    """

    def __init__(self, spec: HfSpec, policy: Policy) -> None:
        self._spec = spec
        self._policy = policy
        self._device = resolve_device(spec.device)
        self._dtype = resolve_dtype(spec.dtype, self._device)
        self._chat: Chat | None = None
        self._model: Any = None
        self._stops: list[int] = []
        self.identity: Mapping[str, str | int | float | bool] = {
            "kind": "hf",
            "transformers": version("transformers"),
            "torch": version("torch"),
            "dtype": self._dtype,
            "device": self._device,
            "batch_size": spec.batch_size,
            "score_batch_tokens": spec.score_batch_tokens,
            "numerics": _NUMERICS,
        }

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        """`sampling.k` completions for each prompt, in the order of `prompts`.

        Raises:
            BackendError: a prompt that leaves no room for the answer, k > 1 at temperature 0, or a pattern.
        """
        refuse_pattern(sampling)
        chat, model = self._load_chat(), self._load_model()
        rows = prompts_to_draw(chat, prompts, sampling, context_length(model.config))
        results: list[list[Completion]] = [[] for _ in rows]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        step = max(1, self._spec.batch_size // sampling.k)
        for number, start in enumerate(range(0, len(order), step)):
            batch = order[start : start + step]
            drawn = self._draw([rows[index] for index in batch], sampling, _batch_seed(seed, number))
            for position, index in enumerate(batch):
                results[index] = drawn[position * sampling.k : (position + 1) * sampling.k]
            advance(len(drawn))
        return results

    def score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        """One result for each answer, in order; an answer beyond the context is NotScored."""
        chat, model = self._load_chat(), self._load_model()
        results, rows = answers_to_score(chat, answers, context_length(model.config))
        advance(len(answers) - len(rows))
        for batch, prefix in self._batches_to_score(rows):
            sums = sum_logprobs(model, [rows[index] for index in batch], self._pad_id(), prefix)
            for index, logprob in zip(batch, sums, strict=True):
                prompt, completion = rows[index]
                results[index] = TextScore(logprob=logprob, tokens=len(completion), prompt_tokens=len(prompt))
            advance(len(batch))
        return results

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        """One result for each prompt, in order; a prompt beyond the context is NotScored."""
        chat, model = self._load_chat(), self._load_model()
        lead, wanted = option_tokens(chat, options)
        results, rows = prompts_to_score(chat, prompts, lead, context_length(model.config))
        advance(len(prompts) - len(rows))
        for batch, prefix in self._batches_to_score(rows):
            found = next_token_logprobs(model, [rows[index][0] for index in batch], wanted, self._pad_id(), prefix)
            for index, logprobs in zip(batch, found, strict=True):
                results[index] = OptionScore(logprobs=tuple(logprobs), prompt_tokens=len(rows[index][0]))
            advance(len(batch))
        return results

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """Why no prompt with `room` tokens for an answer can be made of a conversation; None where one can."""
        return why_unfit(self._load_chat(), messages, room, self._limit)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Completion tokens of each text, with its thought if it brings one and the end-of-turn token."""
        return count_tokens(self._load_chat(), texts)

    def holding(self, policy: Policy) -> "HfBackend":
        """A backend of the same settings that holds another policy."""
        return HfBackend(self._spec, policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Frees the model; a later call would load it again."""
        if self._model is None:
            return
        self._model = None
        gc.collect()
        if self._device == "cuda":
            import torch

            torch.cuda.empty_cache()

    @cached_property
    def _limit(self) -> int | None:
        """How many tokens prompt and answer may have together, read without the model."""
        config, _ = load_configs(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        return context_length(config)

    def _load_chat(self) -> Chat:
        if self._chat is None:
            self._chat = load_chat(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        return self._chat

    def _load_model(self) -> Any:
        if self._model is not None:
            return self._model
        import torch
        from transformers import GenerationConfig

        if self._spec.threads is not None:
            torch.set_num_threads(self._spec.threads)
        model = load_model(
            self._policy.path,
            dtype=self._dtype,
            device=self._device,
            trust_remote_code=self._spec.trust_remote_code,
        )
        self._stops = stop_ids(self._load_chat(), model.generation_config)
        # generate() fills every setting we leave open from here: a repetition penalty of the model's author must
        # not change the draws.
        blank: Any = GenerationConfig
        model.generation_config = blank()
        self._model = model
        return model

    def _draw(self, prompts: list[list[int]], sampling: Sampling, seed: int) -> list[Completion]:
        """`sampling.k` completions of each of `prompts`, one prompt after the other."""
        self._check_known(prompts)
        with quiet():
            tokens, logprobs = draw_tokens(self._model, prompts, sampling, seed, self._stops, self._pad_id())
        asked = [prompt for prompt in prompts for _ in range(sampling.k)]
        return [
            completion_of(self._load_chat(), *row, self._stops) for row in zip(asked, tokens, logprobs, strict=True)
        ]

    def _check_known(self, rows: Iterable[Sequence[int]]) -> None:
        """Raises BackendError for a token that the model has no embedding of."""
        greatest, vocabulary = max((max(row, default=0) for row in rows), default=0), self._vocabulary()
        if greatest >= vocabulary:
            raise BackendError(
                f"the tokenizer in {self._policy.path} gives token {greatest}, and the model knows {vocabulary} "
                "tokens: give the tokenizer and the config.json of these weights"
            )

    def _vocabulary(self) -> int:
        return int(self._load_model().get_input_embeddings().num_embeddings)

    def _pad_id(self) -> int:
        return pad_id(self._load_chat(), self._vocabulary())

    def _batches_to_score(self, rows: dict[int, Row]) -> Iterator[tuple[list[int], Prefix | None]]:
        """Keys of `rows` in batches, each with what its rows begin with, computed once for the batches of a group."""
        self._check_known(part for row in rows.values() for part in row)
        for group in group_rows(rows, self._spec.score_batch_tokens, share=can_share_prefix(self._model)):
            prefix = compute_prefix(self._model, group.prefix) if group.prefix else None
            yield from ((batch, prefix) for batch in group.batches)


def _batch_seed(seed: int, number: int) -> int:
    """An independent stream for each batch of one call."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:7], "big")
