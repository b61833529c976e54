"""Which candidates of a prompt become preference pairs, and the pairs that a human answer makes."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from selfreward.answers import distinct_key
from selfreward.artifacts import derive_seed
from selfreward.records import Example, PreferencePair, Prompt, TrainingRow, digest_of
from selfreward.row_kinds import PAIRS, RowKind
from selfreward.selection.anchors import opposite
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.novelty import most_novel, parted
from selfreward.selection.pool import Rated, SelectBase, fate_of, ranked, sifted
from selfreward.selection.tiers import LONGEST, SHORTEST, by_worth, shortest_first, worst_of
from selfreward.spec import neutral

_PAIRS = {
    "best_worst": "the best over the worst",
    "all": "every better one over every worse one, widest margin first",
    "random": "random pairs, the better over the worse",
    "coin": "random pairs, in a random order",
}


class PreferencePairs(SelectBase):
    """Pairs of a better and a worse candidate of the same prompt.

    `pairs` is the rule: the best against the worst; all pairs, widest margin first; random pairs in the judge's
    order (`random`); or random pairs in a random order (`coin`), the control that shows what the judge is worth. At
    most `per_prompt` pairs a prompt, None for no limit. Scores, less the length penalty, must differ by more than
    `margin`; a tie is no pair.

    With `length_tier`, the best is the shortest of those whose scores lie within that share of the way from the best
    to the worst, and the worst the longest of those as near to the worst. Where the tiers overlap, the two may be one
    candidate, which is a tie.

    `labels` says what a pair carries for a reward model to learn from: no label, which is a plain verdict (`hard`), or
    how far the judge's comparisons, or the votes of its members, prefer the chosen answer (`soft`), where they say.

    `prompts` says what is handed to an update that draws its own answers, where a reward model learns the pairs; as
    in `Prompts`.
    """

    makes: ClassVar[RowKind] = PAIRS
    anchors: ClassVar[bool] = True
    counted: ClassVar[tuple[str, ...]] = ("pairs", "ties", "below_margin", "human_pairs", "human_prompts_without_pair")

    kind: Literal["preference_pairs"] = "preference_pairs"
    pairs: Literal["best_worst", "all", "random", "coin"] = "best_worst"
    margin: float = Field(0.0, ge=0)
    per_prompt: PositiveInt | None = 1
    length_tier: float | None = neutral(None, ge=0, lt=1)
    labels: Literal["hard", "soft"] = neutral("hard")
    prompts: Literal["all", "mixed"] | None = neutral(None)

    @model_validator(mode="after")
    def _pairs_can_be_made(self) -> Self:
        if self.k < 2:
            raise ValueError("select.k=1 makes no preference pair: set select.k to 2 or more")
        if self.length_tier is not None and self.pairs != "best_worst":
            raise ValueError(
                f"select.length_tier={self.length_tier} with select.pairs={self.pairs}: tiers have one best and one "
                "worst, set select.pairs=best_worst"
            )
        if self.labels == "soft" and self.by_lot:
            raise ValueError(
                f"select.labels=soft with {self.by_lot}: the labels would tell what the lot hides, set "
                "select.labels=hard"
            )
        return self

    @property
    def hands(self) -> Literal["all", "mixed"] | None:
        """Which prompts it hands to the update."""
        return self.prompts

    @property
    def labelled(self) -> bool:
        """Whether labels are soft."""
        return self.labels == "soft"

    @property
    def tier(self) -> float | None:
        """The width of the tiers of which the shortest is best and the longest worst; None without."""
        return self.length_tier

    @property
    def by_lot(self) -> str | None:
        """The setting by which a lot decides which answer is preferred, as it is typed; None where scores decide."""
        return "select.pairs=coin" if self.pairs == "coin" else None

    def choose(self, asked: Asked) -> Choice:
        """The pairs (chosen, rejected) of one prompt. A candidate is selected if it is in a pair.

        Counted are, of the pairs looked at, `ties` of equal scores and those `below_margin`.

        Where novelty is ordered, the most novel at or above the quantile stand against the least novel of the others,
        in that order under every rule, and tiers do not count.
        """
        able, left_out = ranked(self, asked.prompt, asked.rated, by_worth(self.length_tier))
        luck = random.Random(derive_seed(asked.seed, asked.prompt.id))
        compared: Counter[str] = Counter()
        chosen = list(_far_enough(self, _compared(self, asked, able, luck), compared))[: self.per_prompt]
        if self.pairs == "coin":
            chosen = [pair if luck.random() < 0.5 else pair[::-1] for pair in chosen]
        return Choice(prompt=asked.prompt, ranked=able, left_out=left_out, picks=chosen, compared=compared)

    def rows(self, choice: Choice) -> Iterator[TrainingRow]:
        """The rows that the picks of a prompt make."""
        return (pair_of(choice.prompt, *pick) for pick in choice.picks)

    def tally(self, made: Sequence[TrainingRow]) -> Mapping[str, int]:
        """How many pairs were made."""
        return {"pairs": len(made)}

    def in_words(self, width: str) -> str:
        """What is chosen; `width` says how wide a tier is."""
        most = "all of them" if self.per_prompt is None else f"at most {self.per_prompt} a prompt"
        rule = _PAIRS[self.pairs] if self.length_tier is None else f"{SHORTEST} over {LONGEST}{width}"
        return f"pairs whose scores differ by more than {self.margin:g}: {rule}; {most}"

    def why_passed_over(self, fate: Fate, told: PromptFates) -> str:
        """Why a candidate that could be chosen is in no pair."""
        if told.anchors:
            if not told.taken:
                return "an answer of iteration 0 stands against the human one"
            return "it is not the worst" if self.length_tier is None else f"it is not {LONGEST}"
        if told.taken:
            if self.pairs != "best_worst" or told.orders.novelty or told.orders.anchored:
                return "the pairs that were kept are of others"
            return "neither the best nor the worst" if self.length_tier is None else f"neither {SHORTEST} nor {LONGEST}"
        if told.ranked == 1:
            return "there is no other to compare it with"
        return f"no two compared differ by more than {self.margin:g}"


def pair_of(prompt: Prompt, chosen: Rated | Example, rejected: Rated) -> PreferencePair:
    """The preference pair of a chosen candidate, or human answer, and a rejected candidate.

    The margin of two candidates is the difference of their scores, less the penalty; None where one has no score.
    """
    margin = None
    if isinstance(chosen, Rated) and chosen.score is not None and rejected.score is not None:
        margin = chosen.worth - rejected.worth
    better, worse = chosen.candidate if isinstance(chosen, Rated) else chosen, rejected.candidate
    return PreferencePair(
        id=digest_of("pair", prompt.id, better.id, worse.id),
        prompt_id=prompt.id,
        messages=prompt.messages,
        chosen=better.text,
        rejected=worse.text,
        origin="self" if isinstance(chosen, Rated) else "human",
        stratum=prompt.stratum,
        chosen_tokens=better.tokens,
        rejected_tokens=worse.tokens,
        margin=margin,
        chosen_id=better.id,
        rejected_id=worse.id,
        chosen_thought=better.thought,
        rejected_thought=worse.thought,
    )


def choose_anchored(
    spec: SelectBase, prompt: Prompt, human: Example, rated: Sequence[Rated], first: Sequence[Rated] = ()
) -> tuple[PreferencePair | None, list[Fate]]:
    """The human answer over the policy's own worst, of the bottom tier the longest, and the candidates' fates.

    Where there are answers of iteration 0 to reject (`first`), over the worst of those. No candidate may stand against
    the human answer that says the same; the pair is None where none may.
    """
    said = distinct_key(prompt, human.text)
    able, fates = sifted(spec, rated)
    others = [one for one in able if distinct_key(prompt, one.candidate.text) != said]
    others.sort(key=lambda one: (-one.worth, -one.candidate.index))
    own = worst_of(others, spec.tier) if others else None
    worst = opposite(prompt, human.text, first) or own
    for one in able:
        if one is worst:
            fates.append(fate_of(one, "selected", under=(human.id,)))
        else:
            fates.append(fate_of(one, "passed_over" if one in others else "same_as_human"))
    pair = None if worst is None else pair_of(prompt, human, worst)
    return pair, sorted(fates, key=lambda fate: fate.index)


def _compared(
    spec: PreferencePairs, asked: Asked, able: Sequence[Rated], luck: random.Random
) -> list[tuple[Rated, Rated]]:
    """The pairs (better or equal, worse) to look at, in the order in which they are taken."""
    tiered = shortest_first(able, spec.length_tier)
    best_worst = [(tiered[0], worst_of(able, spec.length_tier))] if len(able) > 1 else []
    orders = asked.orders
    better = most_novel(able, orders) if orders.novelty else tiered
    answered = ((one, opposite(asked.prompt, one.candidate.text, asked.first)) for one in better)
    anchored = [(one, worst) for one, worst in answered if worst is not None]
    if orders.novelty:
        pairs = anchored or list(product(*parted(able, orders))) or best_worst
        return pairs[:1] if spec.pairs == "best_worst" else pairs
    match spec.pairs:
        case "best_worst":
            return anchored[:1] or best_worst
        case "all":
            pairs = anchored or list(combinations(able, 2))
            return sorted(pairs, key=lambda pair: pair[1].worth - pair[0].worth)
        case "random" | "coin":
            pairs = anchored or list(combinations(able, 2))
            luck.shuffle(pairs)
            return pairs


def _far_enough(
    spec: PreferencePairs, pairs: Sequence[tuple[Rated, Rated]], compared: Counter[str]
) -> Iterator[tuple[Rated, Rated]]:
    for better, worse in pairs:
        gap = better.worth - worse.worth
        if gap == 0:
            compared["ties"] += 1
        elif gap <= spec.margin:
            compared["below_margin"] += 1
        else:
            yield better, worse
