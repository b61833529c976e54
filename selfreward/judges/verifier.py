"""A judge that compares the extracted answer with the prompt's references; it needs no model."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from selfreward.answers import accepts, read_answer
from selfreward.backends.base import Advance
from selfreward.judges.base import Item, Judge, JudgeBase, Means
from selfreward.judges.pointwise import pointwise
from selfreward.records import Judgment, digest_of
from selfreward.spec import identity


class VerifierSpec(JudgeBase):
    """Scores 1 for a right answer and 0 for a wrong one; a prompt without a way to compare is `unparsed`.

    An answer of which nobody can tell in time whether it is right is `failed`.
    """

    kind: Literal["verifier"] = "verifier"

    @property
    def uses_references(self) -> str:
        """To compare with."""
        return "a verifier compares with references"

    @property
    def draws(self) -> bool:
        """Nothing is drawn."""
        return False

    def build(self, means: Means) -> Judge:
        """The judge; it uses no policy."""
        name = digest_of("verifier", identity(self))
        return Judge(name, partial(judge_verifier, name))


def judge_verifier(name: str, items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
    """One judgment for each item, in order; how answers are compared is the prompt's `match`."""
    judgments = []
    for item in items:
        prompt, candidate = item
        if prompt.match is None:
            judgment = pointwise(item, judge=name, outcome="unparsed", raw="nothing to compare with")
        else:
            found = read_answer(candidate.text, prompt)
            unread = f"answers at odds: {' | '.join(found.at_odds)}"[:200] if found.at_odds else "no answer found"
            raw = unread if found.answer is None else found.answer
            if (right := accepts(prompt, found)) is None:
                judgment = pointwise(item, judge=name, outcome="failed", raw=found.undecided or raw)
            else:
                judgment = pointwise(item, judge=name, score=float(right), raw=raw)
        judgments.append(judgment)
        advance(1)
    return judgments
