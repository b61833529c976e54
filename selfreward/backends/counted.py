"""An engine whose answers are counted before anybody uses them: what is not what was asked for is not stored."""

import math
from collections.abc import Mapping, Sequence, Sized
from typing import TypeVar

from selfreward.backends.base import (
    Advance,
    Answer,
    Backend,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    Sampling,
    TextScore,
    Unfit,
)
from selfreward.errors import BackendError, StageError
from selfreward.records import Policy
from selfreward.sizes import memory_bytes

Results = TypeVar("Results", bound=Sized)
_LEAST_BYTES = 512
"""An answer takes at least as much memory."""


class CountedBackend(Backend):
    """A `Backend` around another, which gives what that gives.

    Raises StageError where that gives more or fewer results than it was asked for, or a draw whose log-probability is
    no number; BackendError where so many answers are asked for at once that no memory of this machine can hold them.
    """

    def __init__(self, engine: Backend) -> None:
        """Counts what `engine` gives."""
        self._engine = engine

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """That of the engine."""
        return self._engine.identity

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        """See `Backend`."""
        _check_room(len(prompts) * sampling.k)
        drawn = self._counted("lists of answers", self._engine.generate(prompts, sampling, seed, advance), len(prompts))
        for completions in drawn:
            self._counted("answers to a prompt", completions, sampling.k)
            if not all(math.isfinite(one.logprob) for one in completions):
                raise StageError(
                    f"the engine ({self._name}) drew an answer whose log-probability is no number: give another model, "
                    "or set backend.dtype=float32"
                )
        return drawn

    def score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        """See `Backend`."""
        return self._counted("scores of answers", self._engine.score(answers, advance), len(answers))

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        """See `Backend`."""
        found = self._engine.score_options(prompts, options, advance)
        scores = self._counted("scores of options", found, len(prompts))
        for one in scores:
            if isinstance(one, OptionScore):
                self._counted("options of a prompt", one.logprobs, len(options))
        return scores

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """See `Backend`."""
        return self._engine.why_unfit(messages, room)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `Backend`."""
        return self._counted("counts of tokens", self._engine.count_tokens(texts), len(texts))

    def holding(self, policy: Policy) -> "CountedBackend":
        """See `Backend`."""
        return CountedBackend(self._engine.holding(policy))

    def close(self) -> None:
        """See `Backend`."""
        self._engine.close()

    @property
    def _name(self) -> str:
        return str(self.identity.get("kind", type(self._engine).__name__))

    def _counted(self, what: str, given: Results, asked: int) -> Results:
        if len(given) != asked:
            raise StageError(
                f"the engine ({self._name}) gave {len(given)} {what} where {asked} were asked for, so nothing of that "
                "is kept: run the same command again; if it stays so, use another backend"
            )
        return given


def _check_room(answers: int) -> None:
    memory = memory_bytes()
    if answers * _LEAST_BYTES > memory:
        raise BackendError(
            f"{answers:,} answers at once take {answers * _LEAST_BYTES / 2**30:,.0f} GiB or more, and this machine has "
            f"{memory / 2**30:,.0f}: lower k, or shard_prompts"
        )
