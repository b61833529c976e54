"""What an engine can do: it declares that in its settings, and what asks it declares what it needs."""

from collections.abc import Collection
from typing import ClassVar, Literal

from selfreward.policies import Endpoint
from selfreward.spec import Spec

Ability = Literal["draw", "token_logprobs", "raw_tokens", "score_answers", "score_options", "patterns", "weights"]
IN_WORDS: dict[Ability, str] = {
    "weights": "hold the weights of a model folder",
    "draw": "draw answers",
    "token_logprobs": "tell the log-probability of each drawn token",
    "raw_tokens": "be given prompts as tokens, rendered as the settings say",
    "score_answers": "score given answers",
    "score_options": "give the probabilities of options",
    "patterns": "hold an answer to a pattern",
}
OWN_POLICY: frozenset[Ability] = frozenset({"weights", "draw", "token_logprobs", "raw_tokens", "score_answers"})
"""What the engine of a run needs: its policies are folders, and are measured by log-probabilities."""


def in_words(abilities: Collection[Ability]) -> str:
    """What an engine lacks, as a list."""
    return " or ".join(words for one, words in IN_WORDS.items() if one in abilities)


class EngineSpec(Spec):
    """Settings of an engine, and what it declares of itself. Its `open(policy)` gives a backend that holds a policy."""

    could: ClassVar[frozenset[Ability]] = OWN_POLICY | {"score_options"}
    """What the engine can do under some settings."""

    beside_training: ClassVar[bool] = True
    """Whether a process that trains a model may hold another one by it."""

    @property
    def can(self) -> frozenset[Ability]:
        """What the engine can do under these settings; known without loading anything."""
        return self.could

    @property
    def endpoint(self) -> Endpoint | None:
        """The model that answers there, of an engine that is an address; None of one that holds what it is given."""
        return None

    @property
    def trusts(self) -> bool:
        """Whether code that a model brings may run."""
        return False
