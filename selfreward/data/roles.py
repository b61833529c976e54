"""What a source of data gives for each role; roles never overlap.

Roles: `train` prompts to sample, `held_out` prompts to evaluate on, `probe` prompts to measure on, `target` prompts
like those that the model is meant for, `red_team` prompts that ask for trouble, to evaluate on, `human` answers to mix
in, `human_pairs` preferences to mix in, `feedback` answers with a thumb up or down to mix in, `gold_gate` and
`gold_final` pairs of a right and a wrong answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from selfreward.backends.base import Unfit
from selfreward.records import GoldPair, Message, Prompt, Stratum, digest_of

Role = Literal[
    "train", "held_out", "probe", "target", "human", "human_pairs", "feedback", "red_team", "gold_gate", "gold_final"
]
PROMPT_ROLES: tuple[Role, ...] = ("train", "held_out", "probe", "target", "red_team")


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAnswer:
    """An answer that a person wrote to a prompt, with the thought before it, None where there is none."""

    prompt: Prompt
    text: str
    thought: str | None = None

    @property
    def raw(self) -> str:
        """Thought and answer."""
        return (self.thought or "") + self.text

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it this answer and no other: the prompt's id and its texts."""
        return self.prompt.id, self.text, *(() if self.thought is None else (self.thought,))


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanFeedback(HumanAnswer):
    """An answer, whoever wrote it, that a person found good (`desirable`) or not."""

    desirable: bool

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it this verdict and no other: what makes the answer, and the verdict."""
        thought = () if self.thought is None else (self.thought,)
        return self.prompt.id, self.text, *thought, "up" if self.desirable else "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanPair:
    """Two answers to a prompt, the first preferred by people; the rest as in `records.PreferencePair`.

    `label` is the share of people who prefer the chosen one, a tie half; None unless two or more said so.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    margin: float | None
    chosen_thought: str | None = None
    rejected_thought: str | None = None
    label: float | None = None

    @property
    def raw(self) -> tuple[str, str]:
        """The chosen thought and answer, and the rejected ones."""
        return (self.chosen_thought or "") + self.chosen, (self.rejected_thought or "") + self.rejected

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it this pair and no other: the prompt's id and its texts."""
        thoughts = (self.chosen_thought, self.rejected_thought)
        told = () if thoughts == (None, None) else tuple(thought or "" for thought in thoughts)
        return self.prompt.id, self.chosen, self.rejected, *told


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row, or a pair of one, that is no use and is counted under `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ColumnsSeen:
    """In how many rows of a source each column was read, by what it was read as, and in how many it was not.

    `set_name` is that of the held-out set that the source is; None for any other source.
    """

    read: Mapping[tuple[str, str], int]
    unread: Mapping[str, int]
    set_name: str | None = None


Kept = Prompt | HumanAnswer | HumanPair | GoldPair
Row = Kept | LeftOut | ColumnsSeen
WhyUnfit = Callable[[Kept], Unfit | None]
"""Why a model can be given no prompt that is the conversation of a row; None where it can."""


def takes_any(_: Kept) -> None:
    """A `WhyUnfit` where no model is at hand: nothing is unfit."""


def prompt_of(row: Kept) -> tuple[tuple[Message, ...], Stratum]:
    """The conversation that a row is about, and its stratum; gold is open."""
    if isinstance(row, GoldPair):
        return row.messages, "open"
    prompt = row if isinstance(row, Prompt) else row.prompt
    return prompt.messages, prompt.stratum


def said_of(row: Kept) -> str:
    """The digest of what a row says."""
    return digest_of(*row.identity) if isinstance(row, HumanAnswer | HumanPair) else row.id


def question_text(messages: Sequence[Message]) -> str:
    """What a conversation asks, as one text: its turns without the system's."""
    return "\n".join(message.content for message in messages if message.role != "system")
