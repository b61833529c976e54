"""Which candidates of a prompt become examples to train on."""

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import PositiveInt

from selfreward.artifacts import derive_seed
from selfreward.monitor.controller import Orders
from selfreward.records import Example, Prompt, digest_of
from selfreward.selection.choice import Choice
from selfreward.selection.novelty import NO_ORDERS, most_novel
from selfreward.selection.pool import Rated, SelectBase, ranked
from selfreward.selection.tiers import by_worth, shortest_first
from selfreward.spec import neutral


class ExamplesBase(SelectBase):
    """`top` candidates of each prompt are kept."""

    top: PositiveInt = 1


class BestOfK(ExamplesBase):
    """The best-scored candidates of each prompt: rejection sampling.

    With `length_tier`, the shortest first of those whose scores lie within that share of the way from the best to the
    worst, then the others by score.
    """

    kind: Literal["best_of_k"] = "best_of_k"
    length_tier: float | None = neutral(None, ge=0, lt=1)


class RandomPick(ExamplesBase):
    """Random candidates from those that best-of-k could have chosen: the control at equal budget.

    A length penalty counts only where the monitor orders novelty among the better ones.
    """

    kind: Literal["random_pick"] = "random_pick"


def choose(
    spec: BestOfK | RandomPick, prompt: Prompt, rated: Sequence[Rated], seed: int, orders: Orders = NO_ORDERS
) -> Choice:
    """The candidates of one prompt to train on, at most `spec.top`, best or luckiest first.

    The order of `rated` does not matter. Equal scores are ranked by index, the order they were drawn in, or with tiers
    by length. Where novelty is ordered, the most novel come first, under any rule, and none below the quantile comes
    at all.
    """

    def by_luck(one: Rated) -> tuple[float, int]:
        return random.Random(derive_seed(seed, one.candidate.id)).random(), one.candidate.index

    tier = spec.length_tier if isinstance(spec, BestOfK) else None
    able, left_out = ranked(spec, prompt, rated, by_worth(tier) if isinstance(spec, BestOfK) else by_luck)
    chosen = (most_novel(able, orders) if orders.novelty else shortest_first(able, tier))[: spec.top]
    return Choice(prompt=prompt, ranked=able, left_out=left_out, picks=[(one,) for one in chosen])


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
