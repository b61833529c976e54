"""Which candidates of a prompt become examples to train on."""

import random
from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from pydantic import PositiveInt, model_validator

from selfreward.artifacts import derive_seed
from selfreward.records import Example, Prompt, TrainingRow, digest_of
from selfreward.row_kinds import EXAMPLES, RowKind
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.novelty import most_novel
from selfreward.selection.pool import Order, Rated, SelectBase, ranked
from selfreward.selection.tiers import SHORTEST, by_worth, shortest_first
from selfreward.spec import neutral


class ExamplesBase(SelectBase):
    """`top` candidates of each prompt are kept."""

    makes: ClassVar[RowKind] = EXAMPLES

    top: PositiveInt = 1

    @model_validator(mode="after")
    def _top_is_of_k(self) -> Self:
        if self.top > self.k:
            raise ValueError(f"select.top={self.top} is more than select.k={self.k}")
        return self

    def order(self, seed: int) -> Order:
        """What candidates are ranked by: their scores."""
        return by_worth(self.tier)

    def choose(self, asked: Asked) -> Choice:
        """The candidates of one prompt to train on, at most `top`, best or luckiest first.

        Equal scores are ranked by index, the order they were drawn in, or with tiers by length. Where novelty is
        ordered, the most novel come first, under any rule, and none below the quantile comes at all.
        """
        able, left_out = ranked(self, asked.prompt, asked.rated, self.order(asked.seed))
        novel = asked.orders.novelty
        chosen = (most_novel(able, asked.orders) if novel else shortest_first(able, self.tier))[: self.top]
        return Choice(prompt=asked.prompt, ranked=able, left_out=left_out, picks=[(one,) for one in chosen])

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """The rows that the picks of a prompt make."""
        return (example_of(choice.prompt, *pick) for pick in choice.picks)

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen was not."""
        why = "others were preferred, novel ones first" if told.orders.novelty else self.preferred()
        return f"select.top={self.top} and {why}"

    def preferred(self) -> str:
        """What others were preferred for."""
        return "others rank higher"


class BestOfK(ExamplesBase):
    """The best-scored candidates of each prompt: rejection sampling.

    With `length_tier`, the shortest first of those whose scores lie within that share of the way from the best to the
    worst, then the others by score.
    """

    kind: Literal["best_of_k"] = "best_of_k"
    length_tier: float | None = neutral(None, ge=0, lt=1)

    @property
    def tier(self) -> float | None:
        """The width of the tier in which the shortest come first; None without."""
        return self.length_tier

    @property
    def takes_best(self) -> bool:
        """Whether the best of the first `k` are taken, whatever their scores."""
        return self.threshold is None and self.length_tier is None

    def in_words(self, width: str) -> str:
        """What is chosen; `width` says how wide a tier is."""
        if self.length_tier is None:
            return f"the {self.top} with the highest score; at equal scores, the one drawn first"
        return f"{self.top}, {SHORTEST} first and then the highest score{width}"

    def preferred(self) -> str:
        """What others were preferred for."""
        tiered = "others come first, the shortest of the top tier before all"
        return "others rank higher" if self.length_tier is None else tiered


class RandomPick(ExamplesBase):
    """Random candidates from those that best-of-k could have chosen: the control at equal budget.

    A length penalty counts only where the monitor orders novelty among the better ones.
    """

    kind: Literal["random_pick"] = "random_pick"

    def order(self, seed: int) -> Order:
        """What candidates are ranked by: luck."""
        return lambda one: (random.Random(derive_seed(seed, one.candidate.id)).random(), one.candidate.index)

    def in_words(self, width: str) -> str:
        """What is chosen."""
        return f"{self.top} at random"

    def preferred(self) -> str:
        """What others were preferred for."""
        return "the lot fell on others"


def example_of(prompt: Prompt, chosen: Rated) -> Example:
    """The example that a chosen candidate makes."""
    candidate = chosen.candidate
    return Example(
        id=digest_of("example", prompt.id, candidate.id),
        prompt_id=prompt.id,
        messages=prompt.messages,
        text=candidate.text,
        origin="self",
        stratum=prompt.stratum,
        tokens=candidate.tokens,
        score=chosen.score,
        candidate_id=candidate.id,
        thought=candidate.thought,
    )
