"""How the scripted policy criticises and revises: it knows the right answer, and goes wrong where that is planted.

A prompt of a reviser shows a question and an answer between tags and asks for a reply `between <critique> and` its end,
or `<revision>`. The critique is a fixed sentence, a revision the right answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field, model_validator

from selfreward.spec import Spec

REFUSAL = "I'm sorry, but I can't help with that."
_TASK = re.compile(
    r"<question>\n(.*)\n</question>.*<answer>\n(.*)\n</answer>.*between <(critique|revision)> and", re.DOTALL
)
_CRITIQUE = "The answer may be wrong: work it out again."


class ReviserFaults(Spec):
    """What goes wrong with revisions, as shares of the answers: in the order of the fields, and never two at once.

    `unchanged` repeats the answer, `empty` says nothing between its tags, `refused` declines without them, `cut` is
    ended by the token limit and `escaped` goes on behind the end of its tags. `in_critique` is the share of the last
    four that go wrong in the critique already.
    """

    unchanged: float = Field(0.0, ge=0, le=1)
    empty: float = Field(0.0, ge=0, le=1)
    refused: float = Field(0.0, ge=0, le=1)
    cut: float = Field(0.0, ge=0, le=1)
    escaped: float = Field(0.0, ge=0, le=1)
    in_critique: float = Field(0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _are_shares_of_one(self) -> "ReviserFaults":
        if (total := sum(share for _, share in self.shares())) > 1:
            raise ValueError(f"the shares of faults add up to {total:g}: set them to 1 or less together")
        return self

    def shares(self) -> Iterator[tuple[str, float]]:
        """Each fault and its share."""
        return ((name, getattr(self, name)) for name in ("unchanged", "empty", "refused", "cut", "escaped"))

    def planted(self, luck: float, early: float) -> tuple[str | None, bool]:
        """The fault that falls to `luck` in [0, 1), None for none, and whether by `early` it is in the critique."""
        end = 0.0
        for name, share in self.shares():
            end += share
            if luck < end:
                return name, name != "unchanged" and early < self.in_critique
        return None, False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseTask:
    """An answer to criticise or to revise: `part` says which, and is the tag of the reply."""

    question: str
    answer: str
    part: str

    def reply(self, right: str, fault: str | None, *, in_critique: bool) -> tuple[str, bool]:
        """A reply and whether the token limit cuts it; `right` is the right answer."""
        if self.part == "critique" and not in_critique:
            fault = None
        said = _CRITIQUE if self.part == "critique" else self.answer if fault == "unchanged" else right
        tagged = f"<{self.part}>\n{said}\n</{self.part}>"
        match fault:
            case "empty":
                return f"<{self.part}>\n\n</{self.part}>", False
            case "refused":
                return REFUSAL, False
            case "cut":
                return tagged[: -len(f"\n</{self.part}>")], True
            case "escaped":
                return f"{tagged}\n<question>\nAnd now?\n</question>", False
            case _:
                return tagged, False


def revise_task(message: str) -> ReviseTask | None:
    """The task in a prompt of a reviser; None for any other message."""
    found = _TASK.search(message)
    return None if found is None else ReviseTask(question=found[1], answer=found[2], part=found[3])
