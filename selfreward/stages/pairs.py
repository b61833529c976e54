"""Which candidates of a prompt become preference pairs, and the pairs that a human answer makes."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

from pydantic import Field, PositiveInt

from selfreward.artifacts import derive_seed
from selfreward.records import Example, PreferencePair, Prompt, digest_of
from selfreward.stages.pool import Rated, SelectBase, best_first, eligible, looked_at, ranked


class PreferencePairs(SelectBase):
    """Pairs of a better and a worse candidate of the same prompt.

    `pairs` is the rule: the best against the worst; all pairs, widest margin first; pairs by lot, in the judge's
    order (`random`); or pairs by lot in an order by lot (`coin`), the control that shows what the judge is worth. At
    most `per_prompt` pairs a prompt, None for no limit. Scores must differ by more than `margin`; a tie is no pair.
    """

    kind: Literal["preference_pairs"] = "preference_pairs"
    pairs: Literal["best_worst", "all", "random", "coin"] = "best_worst"
    margin: float = Field(0.0, ge=0)
    per_prompt: PositiveInt | None = 1


def choose_pairs(
    spec: PreferencePairs, prompt: Prompt, rated: Sequence[Rated], seed: int, counts: Counter[str]
) -> list[tuple[Rated, Rated]]:
    """The pairs (chosen, rejected) of one prompt; adds to `counts`. The order of `rated` does not matter.

    A candidate counts as selected if it is in a pair. Of two candidates compared, `ties` counts those with equal
    scores and `below_margin` those closer than the margin.
    """
    able = ranked(spec, prompt, rated, best_first, counts)
    luck = random.Random(derive_seed(seed, prompt.id))
    chosen = list(_far_enough(spec, _compared(spec, able, luck), counts))[: spec.per_prompt]
    if spec.pairs == "coin":
        chosen = [pair if luck.random() < 0.5 else pair[::-1] for pair in chosen]
    in_a_pair = {one.candidate.id for pair in chosen for one in pair}
    counts.update(
        selected=len(in_a_pair),
        passed_over=len(able) - len(in_a_pair),
        pairs=len(chosen),
        prompts_without_selection=0 if chosen else 1,
    )
    return chosen


def pair_of(prompt: Prompt, chosen: Rated, rejected: Rated) -> PreferencePair:
    """The preference pair that two candidates make; the margin is the difference of their scores."""
    return PreferencePair(
        id=digest_of("pair", prompt.id, chosen.candidate.id, rejected.candidate.id),
        prompt_id=prompt.id,
        messages=prompt.messages,
        chosen=chosen.candidate.text,
        rejected=rejected.candidate.text,
        origin="self",
        stratum=prompt.stratum,
        chosen_tokens=chosen.candidate.tokens,
        rejected_tokens=rejected.candidate.tokens,
        margin=chosen.known - rejected.known,
        chosen_id=chosen.candidate.id,
        rejected_id=rejected.candidate.id,
        iteration=None,
    )


def anchor_pair(
    spec: PreferencePairs, prompt: Prompt, human: Example, rated: Sequence[Rated], counts: Counter[str]
) -> PreferencePair | None:
    """The human answer over the policy's own worst; None, counted, where no candidate may stand against it."""
    reasons: Counter[str] = Counter()
    others = [one for one in eligible(spec, looked_at(spec, rated), reasons) if one.candidate.text != human.text]
    if not others:
        counts["human_prompts_without_pair"] += 1
        return None
    worst = min(others, key=lambda one: (one.known, one.candidate.index))
    counts["human_pairs"] += 1
    return PreferencePair(
        id=digest_of("pair", prompt.id, human.id, worst.candidate.id),
        prompt_id=prompt.id,
        messages=prompt.messages,
        chosen=human.text,
        rejected=worst.candidate.text,
        origin="human",
        stratum=prompt.stratum,
        chosen_tokens=human.tokens,
        rejected_tokens=worst.candidate.tokens,
        margin=None,
        chosen_id=human.id,
        rejected_id=worst.candidate.id,
        iteration=None,
    )


def _compared(spec: PreferencePairs, able: Sequence[Rated], luck: random.Random) -> list[tuple[Rated, Rated]]:
    """The pairs (better or equal, worse) to look at, in the order in which they are taken."""
    pairs = list(combinations(able, 2))
    match spec.pairs:
        case "best_worst":
            return [(able[0], able[-1])] if pairs else []
        case "all":
            return sorted(pairs, key=lambda pair: pair[1].known - pair[0].known)
        case "random" | "coin":
            luck.shuffle(pairs)
            return pairs


def _far_enough(
    spec: PreferencePairs, pairs: Sequence[tuple[Rated, Rated]], counts: Counter[str]
) -> Iterator[tuple[Rated, Rated]]:
    for better, worse in pairs:
        gap = better.known - worse.known
        if gap == 0:
            counts["ties"] += 1
        elif gap <= spec.margin:
            counts["below_margin"] += 1
        else:
            yield better, worse
