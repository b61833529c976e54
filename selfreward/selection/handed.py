"""Which prompts of a round reinforcement learning draws its own answers to."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import ceil
from statistics import fmean
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from selfreward.artifacts.output import Table
from selfreward.records import RowPrompt, TrainingRow
from selfreward.row_kinds import EXAMPLES, RowKind
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.pool import Rated, SelectBase, best_first, looked_at, ranked

ALIKE = "prompts_alike"
"""The count of prompts that were left out because their answers have no scores that differ."""
_HANDED = {
    "all": "all prompts are handed to the update",
    "mixed": "the prompts whose answers have scores that differ are handed to the update",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedPrompt(RowPrompt):
    """A prompt to draw answers to; `tokens` is the mean length of those that the round sampled, rounded up."""

    tokens: int


class Prompts(SelectBase):
    """No candidate is trained on: the update is given prompts, draws answers of its own and scores them.

    `prompts` are all of the round's, or those that are `mixed`: of the first `k` candidates two have different scores.
    Where right and wrong are scored, these are neither all right nor all wrong (2504.11343). Human rows that are mixed
    in are examples, which are learned before.
    """

    makes: ClassVar[RowKind] = EXAMPLES
    chooses: ClassVar[bool] = False

    kind: Literal["prompts"] = "prompts"
    prompts: Literal["all", "mixed"] = "all"
    dedup: Literal[False] = False

    @model_validator(mode="after")
    def _takes_no_candidate(self) -> Self:
        for name, value in (("threshold", self.threshold), ("length_penalty", self.length_penalty)):
            if value:
                raise ValueError(
                    f"select.{name}={value} with select=prompts, which takes no candidates: leave select.{name} out"
                )
        if self.prompts == "mixed" and self.k < 2:
            raise ValueError("select.prompts=mixed with select.k=1, which has no two scores: set select.k to 2 or more")
        return self

    @property
    def hands(self) -> Literal["all", "mixed"]:
        """Which prompts it hands to the update."""
        return self.prompts

    def choose(self, asked: Asked) -> Choice:
        """No candidate."""
        able, left_out = ranked(self, asked.prompt, asked.rated, best_first)
        return Choice(prompt=asked.prompt, ranked=able, left_out=left_out, picks=[])

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """None."""
        return iter(())

    def in_words(self, width: str) -> str:
        """What is chosen."""
        return f"none; {_HANDED[self.prompts]}"

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen was not."""
        return "the update draws answers of its own"


def handed(
    asked: Iterator[Asked], spec: SelectBase, table: Table[HandedPrompt], counts: Counter[str]
) -> Iterator[Asked]:
    """`asked` as it comes; those that the update draws answers to are written to `table` and counted."""
    counts.update({"prompts_handed": 0, ALIKE: 0})
    for one in asked:
        if spec.hands == "all" or _differ(looked_at(spec, one.rated)):
            counts["prompts_handed"] += 1
            table.add(_prompt(one))
        else:
            counts[ALIKE] += 1
        yield one


def _differ(rated: Sequence[Rated]) -> bool:
    return len({one.score for one in rated if one.score is not None}) > 1


def _prompt(asked: Asked) -> HandedPrompt:
    shown = {one.name: getattr(asked.prompt, one.name) for one in fields(asked.prompt)}
    return HandedPrompt(**shown, tokens=ceil(fmean(one.candidate.tokens for one in asked.rated)))
