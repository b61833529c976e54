"""What a source of data gives for each role; roles never overlap.

Roles: `train` prompts to sample, `held_out` prompts to evaluate on, `probe` prompts to measure on, `target` prompts
like those that the model is meant for, `human` answers to mix in, `human_pairs` preferences to mix in, `gold_gate` and
`gold_final` pairs of a right and a wrong answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selfreward.records import GoldPair, Message, Prompt

Role = Literal["train", "held_out", "probe", "target", "human", "human_pairs", "gold_gate", "gold_final"]
PROMPT_ROLES: tuple[Role, ...] = ("train", "held_out", "probe", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAnswer:
    """An answer that a person wrote to a prompt."""

    prompt: Prompt
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanPair:
    """Two answers to a prompt, the first preferred by people; `margin` as in `records.PreferencePair`.

    `places` says where chosen and rejected stand among the `answers` answers of their row.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    margin: float | None
    places: tuple[int, int] = (0, 1)
    answers: int = 2


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row, or a pair of one, that is no use and is counted under `reason`."""

    reason: str


Row = Prompt | HumanAnswer | HumanPair | GoldPair | LeftOut


def asked(messages: Sequence[Message]) -> str:
    """What a conversation asks, as one text: its turns without the system's."""
    return "\n".join(message.content for message in messages if message.role != "system")
