"""Which candidates of a prompt become unpaired rows: answers to make likelier, and answers to make less likely."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import PositiveInt, model_validator

from selfreward.records import Feedback, Prompt, TrainingRow, digest_of
from selfreward.row_kinds import FEEDBACK, RowKind
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.novelty import most_novel
from selfreward.selection.pool import Rated, SelectBase, best_first, ranked


class Unpaired(SelectBase):
    """Candidates whose score alone says what they are: `desirable` from that score on, `undesirable` up to that one.

    Those in between are neither. The defaults are those of labels, 1 for a right answer and 0 for a wrong one. At most
    `per_prompt` candidates of each sign are taken, None for no limit: the best of the desirable, and the worst of the
    undesirable. Scores are those of the judge; a length penalty counts only in that order.
    """

    makes: ClassVar[RowKind] = FEEDBACK
    counted: ClassVar[tuple[str, ...]] = ("desirable", "undesirable")

    kind: Literal["unpaired"] = "unpaired"
    desirable: float = 1.0
    undesirable: float = 0.0
    per_prompt: PositiveInt | None = None

    @model_validator(mode="after")
    def _signs_are_apart(self) -> Self:
        if self.undesirable >= self.desirable:
            raise ValueError(
                f"select.undesirable={self.undesirable} is not below select.desirable={self.desirable}: a score would "
                "be both, lower select.undesirable"
            )
        if self.threshold is not None and self.threshold > self.undesirable:
            raise ValueError(
                f"select.threshold={self.threshold} leaves out every score that select.undesirable={self.undesirable} "
                "asks for: set select.threshold=null"
            )
        return self

    def choose(self, asked: Asked) -> Choice:
        """The candidates of one prompt to train on: the best desirable ones, then the worst undesirable ones.

        Where novelty is ordered, the most novel desirable ones come first, and none below the quantile comes at all.
        """
        able, left_out = ranked(self, asked.prompt, asked.rated, best_first)
        better = most_novel(able, asked.orders) if asked.orders.novelty else able
        good = [one for one in better if self.is_desirable(one.score)][: self.per_prompt]
        bad = [one for one in reversed(able) if self.is_desirable(one.score) is False][: self.per_prompt]
        return Choice(prompt=asked.prompt, ranked=able, left_out=left_out, picks=[(one,) for one in (*good, *bad)])

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """The rows that the picks of a prompt make."""
        return (self._row(choice.prompt, one) for (one,) in choice.picks)

    def tally(self, made: Sequence[TrainingRow]) -> Mapping[str, int]:
        """How many of the rows are desirable, and how many are not."""
        return Counter("desirable" if isinstance(row, Feedback) and row.desirable else "undesirable" for row in made)

    def is_desirable(self, score: float | None) -> bool | None:
        """What a score says of its answer; None where it is in between, or missing."""
        if score is None or self.undesirable < score < self.desirable:
            return None
        return score >= self.desirable

    def in_words(self, width: str) -> str:
        """What is chosen."""
        most = "" if self.per_prompt is None else f"; at most {self.per_prompt} of each a prompt"
        return f"desirable at a score of {self.desirable:g} or more, undesirable at {self.undesirable:g} or less{most}"

    def taken_as(self, fate: Fate) -> str:
        """What a candidate was taken as."""
        return f"selected as {'desirable' if self.is_desirable(fate.score) else 'undesirable'}"

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen was not."""
        if self.is_desirable(fate.score) is None:
            bounds = f"select.undesirable={self.undesirable:g} and select.desirable={self.desirable:g}"
            return f"its score lies between {bounds}"
        most = f"select.per_prompt={self.per_prompt} and others come first"
        return "others were preferred, novel ones first" if told.orders.novelty else most

    def _row(self, prompt: Prompt, one: Rated) -> Feedback:
        candidate, desirable = one.candidate, self.is_desirable(one.score)
        assert desirable is not None, "only what is one or the other is picked"
        return Feedback(
            id=digest_of("feedback", prompt.id, candidate.id, desirable),
            prompt_id=prompt.id,
            messages=prompt.messages,
            text=candidate.text,
            desirable=desirable,
            origin="self",
            stratum=prompt.stratum,
            tokens=candidate.tokens,
            score=one.score,
            candidate_id=candidate.id,
            thought=candidate.thought,
        )
