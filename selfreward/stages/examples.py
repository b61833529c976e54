"""Which candidates of a prompt become examples to train on."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import PositiveInt

from selfreward.artifacts import derive_seed
from selfreward.records import Example, Prompt, digest_of
from selfreward.stages.pool import Rated, SelectBase, best_first, ranked


class ExamplesBase(SelectBase):
    """`top` candidates of each prompt are kept."""

    top: PositiveInt = 1


class BestOfK(ExamplesBase):
    """The best-scored candidates of each prompt: rejection sampling."""

    kind: Literal["best_of_k"] = "best_of_k"


class RandomPick(ExamplesBase):
    """Candidates by lot from those that best-of-k could have chosen: the control at equal budget."""

    kind: Literal["random_pick"] = "random_pick"


def choose(
    spec: BestOfK | RandomPick, prompt: Prompt, rated: Sequence[Rated], seed: int, counts: Counter[str]
) -> list[Rated]:
    """The candidates of one prompt to train on, at most `spec.top`, best or luckiest first; adds to `counts`.

    The order of `rated` does not matter. Equal scores are ranked by index, the order they were drawn in.
    """
    able = ranked(spec, prompt, rated, order_of(spec, seed), counts)
    chosen = able[: spec.top]
    counts.update(
        selected=len(chosen),
        passed_over=len(able) - len(chosen),
        prompts_without_selection=0 if chosen else 1,
    )
    return chosen


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
        iteration=None,
    )


def order_of(spec: BestOfK | RandomPick, seed: int) -> Callable[[Rated], tuple[float, int]]:
    """The order in which candidates are taken."""
    match spec:
        case BestOfK():
            return best_first
        case RandomPick():
            return lambda one: (random.Random(derive_seed(seed, one.candidate.id)).random(), one.candidate.index)
