"""A transformers model in memory and the jobs it can do, in this process or in another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfreward.backends import forward
from selfreward.backends.base import Advance
from selfreward.backends.device import Device, Dtype
from selfreward.backends.draw_tokens import draw_tokens
from selfreward.backends.drawing import Drawing
from selfreward.backends.model_loading import load_model, quiet
from selfreward.backends.packed_linear import pack_linear
from selfreward.backends.shared_prefixes import Row
from selfreward.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Which model is to be held, and how."""

    path: Path
    digest: str
    dtype: Dtype
    device: Device
    trust_remote_code: bool


@dataclass(frozen=True, slots=True)
class AskFacts:
    """Asks for `ModelFacts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """How many tokens it knows, and what it can share: `prefix` between rows to score, `gap` between rows to draw.

    With `pack` it reads rows to score side by side.
    """

    vocabulary: int
    prefix: bool
    gap: bool
    pack: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Rows to score: all tokens of their completions, or those `wanted` behind their prompts.

    There is one batch, scored in one call, or a run of single rows (`runs_of`).
    """

    batches: Sequence[Sequence[Row]]
    prefix: Sequence[int]
    wanted: Sequence[int] | None
    pad: int


Job = AskFacts | Drawing | Scoring


class HeldModel:
    """A model in memory, with the last beginning that rows shared."""

    def __init__(self, loading: Loading) -> None:
        """Loads it. Raises BackendError where that cannot be done."""
        from transformers import GenerationConfig

        self.loading = loading
        self.model = load_model(
            loading.path,
            dtype=loading.dtype,
            device=loading.device,
            trust_remote_code=loading.trust_remote_code,
        )
        pack_linear(self.model)
        # generate() fills every setting we leave open from here: a repetition penalty of the model's author must
        # not change the draws.
        self.model.generation_config = GenerationConfig()
        self._prefix: tuple[list[int], forward.Prefix] | None = None

    def do(self, job: Job, advance: Advance) -> Any:
        """ModelFacts, or what `draw_tokens`, `token_logprobs` or `next_token_logprobs` give for the rows of a job.

        Every row is told to `advance` once.
        """
        model = self.model
        match job:
            case AskFacts():
                return ModelFacts(
                    vocabulary=model.get_input_embeddings().num_embeddings,
                    prefix=forward.can_share_prefix(model),
                    gap=forward.sees_all_places(model),
                    pack=forward.can_pack(model),
                )
            case Drawing():
                with quiet():
                    return draw_tokens(model, job, self._begun(job.prefix), advance)
            case Scoring():
                found = self._scored(job)
                advance(len(found))
                return found

    def _scored(self, job: Scoring) -> list[list[float]]:
        begun, model = self._begun(job.prefix), self.model
        batches: Iterable[tuple[Sequence[Row], forward.Prefix | None]] = [(job.batches[0], begun)]
        if in_run := len(job.batches) > 1:
            batches = forward.one_behind_another(model, job.batches, job.prefix, begun)
        found: list[list[float]] = []
        for rows, prefix in batches:
            if job.wanted is None:
                found += forward.token_logprobs(model, rows, job.pad, prefix, grow=in_run)
            else:
                prompts = [prompt for prompt, _ in rows]
                found += forward.next_token_logprobs(model, prompts, job.wanted, job.pad, prefix, grow=in_run)
        return found

    def _begun(self, tokens: Sequence[int]) -> forward.Prefix | None:
        """What the model computes of `tokens`; None for none."""
        if not tokens:
            return None
        if self._prefix is None or self._prefix[0] != list(tokens):
            self._prefix = list(tokens), forward.compute_prefix(self.model, tokens)
        return self._prefix[1]


def check_known(rows: Iterable[Sequence[int]], facts: ModelFacts, path: Path) -> None:
    """Raises BackendError for a token that the model in `path` has no embedding of."""
    greatest = max((max(row, default=0) for row in rows), default=0)
    if greatest >= facts.vocabulary:
        raise BackendError(
            f"the tokenizer in {path} gives token {greatest}, and the model knows {facts.vocabulary} tokens: give the "
            "tokenizer and the config.json of these weights"
        )
