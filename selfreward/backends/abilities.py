"""What an engine can do: it declares that in its settings, and what asks it declares what it needs."""

from typing import Literal

from selfreward.spec import Spec

Ability = Literal["draw", "token_logprobs", "raw_tokens", "score_answers", "score_options", "patterns", "weights"]
IN_WORDS: dict[Ability, str] = {
    "draw": "draws answers",
    "token_logprobs": "tells the log-probability of each drawn token",
    "raw_tokens": "is given prompts as tokens, rendered as the settings say",
    "score_answers": "scores given answers",
    "score_options": "gives the probabilities of the options",
    "patterns": "holds answers to a pattern",
    "weights": "holds the weights of a model folder",
}
OWN_POLICY: frozenset[Ability] = frozenset({"draw", "token_logprobs", "raw_tokens", "score_answers", "weights"})
"""What the engine of a run needs for the policies that it trains: they are folders, measured by log-probabilities."""


class EngineSpec(Spec):
    """Settings of an engine."""

    @property
    def can(self) -> frozenset[Ability]:
        """What the engine can do under these settings; known without loading anything."""
        return OWN_POLICY | {"score_options"}
