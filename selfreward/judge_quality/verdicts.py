"""What people said of two answers, and what a judge said of the same two when it was asked about them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from selfreward.artifacts import derive_seed
from selfreward.judges.base import Item
from selfreward.judges.both_orders import comparisons, higher, over_principles, preference_of
from selfreward.judges.pointwise import by_prompt
from selfreward.records import GoldPair, Judgment, Message, Outcome, Prompt, Verdict, digest_of, undrawn

Judged = tuple["Labelled", "Verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Two answers to one conversation, and one verdict a person, each in the same place on every item if known.

    An author is who wrote an answer, a rating what people gave the answer alone, on their own scale.
    """

    id: str
    messages: tuple[Message, ...]
    first: str
    second: str
    verdicts: tuple[Verdict, ...]
    source: str
    first_author: str | None = None
    second_author: str | None = None
    first_rating: float | None = None
    second_rating: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What a judge said of the `Labelled` with this id, over both orders where it was asked in both.

    `preference` is P(first is better): 0, 0.5 or 1 for a hard verdict, None where one is missing. `flipped` says
    whether the orders disagreed, `first_shown` is the preference for the answer that was shown first, over both
    orders; both are None for a judge of single answers, which alone gives scores.
    """

    id: str
    preference: float | None = None
    flipped: bool | None = None
    first_score: float | None = None
    second_score: float | None = None
    first_shown: float | None = None
    outcome: Outcome

    def __post_init__(self) -> None:
        for name, value in (("preference", self.preference), ("first_shown", self.first_shown)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} {value!r} of {self.id} is no probability")


def labelled(pair: GoldPair) -> Labelled:
    """A pair of a right and a wrong answer as one item, the right answer first."""
    return Labelled(
        id=pair.id,
        messages=pair.messages,
        first=pair.right,
        second=pair.wrong,
        verdicts=pair.verdicts,
        source=pair.source,
        first_author=pair.right_author,
        second_author=pair.wrong_author,
    )


def judged(items: Sequence[Labelled], verdicts: Sequence[Verdicts]) -> list[Judged]:
    """Every item with what the judge said of it, in order. Raises ValueError where they do not belong one to one."""
    said = {verdict.id: verdict for verdict in verdicts}
    ids = [item.id for item in items]
    if len(said) != len(verdicts) or sorted(ids) != sorted(said):
        raise ValueError(f"{len(verdicts)} verdicts do not belong to {len(items)} items one by one")
    return [(item, said[item.id]) for item in items]


def prompts_of(pairs: Sequence[Judged]) -> list[tuple[Message, ...]]:
    """What each item asks: items that ask the same are pairs of one prompt."""
    return [item.messages for item, _ in pairs]


def as_candidates(items: Sequence[Labelled], seed: int) -> list[Item]:
    """Both answers of every item as the candidates of a prompt of its own, at random which of them comes first."""
    found: list[Item] = []
    for item in items:
        # The prompt has the item's id, because two items may ask the same.
        asked = Prompt(
            id=item.id, messages=item.messages, stratum="open", source=item.source, references=(), match=None
        )
        answers = [("first", item.first), ("second", item.second)]
        random.Random(derive_seed(seed, item.id)).shuffle(answers)
        for place, (side, text) in enumerate(answers):
            found.append((asked, undrawn(_id(item, side), asked.id, place, text, seed)))
    return found


def verdicts_on(items: Sequence[Labelled], asked: Sequence[Judgment], concluded: Sequence[Judgment]) -> list[Verdicts]:
    """What was said of each of `items`, in order, by what was `asked` of their candidates and `concluded` from it.

    Of a judge that compared the two, its preference over both orders, the mean over its principles. Of any other, its
    scores, an answer's the mean of those it got: the higher is preferred, and equal ones are a tie.
    """
    asked_of, concluded_of = by_prompt(asked), by_prompt(concluded)
    return [
        _of_orders(item, asked_of.get(item.id, [])) or _of_scores(item, concluded_of.get(item.id, [])) for item in items
    ]


def _id(item: Labelled, side: str) -> str:
    return digest_of("answer", item.id, side)


def _of_orders(item: Labelled, asked: Sequence[Judgment]) -> Verdicts | None:
    """Of one judge that was asked for a comparison, perhaps by several principles, and nothing else; None of others."""
    compared = comparisons(asked)
    if len({(one.judge, one.dimension) for one in asked}) != 1 or len(asked) != 2 * len(compared):
        return None
    (one,) = over_principles(compared)
    mirrored = one.first_id != _id(item, "first")
    preference = 1 - one.preference if mirrored and one.preference is not None else one.preference
    said = [(judgment.order == (0, 1), preference_of(judgment)) for judgment in asked]
    shown = [given if straight else 1 - given for straight, given in said if given is not None]
    return Verdicts(
        id=item.id,
        preference=preference,
        flipped=one.flipped,
        first_shown=fmean(shown) if len(shown) == len(said) else None,
        outcome=_outcome(preference, asked),
    )


def _of_scores(item: Labelled, concluded: Sequence[Judgment]) -> Verdicts:
    first, second = (_score(concluded, _id(item, side)) for side in ("first", "second"))
    preference = higher(first, second)
    outcome = _outcome(preference, concluded)
    return Verdicts(id=item.id, preference=preference, first_score=first, second_score=second, outcome=outcome)


def _score(judgments: Sequence[Judgment], candidate_id: str) -> float | None:
    scores = [one.score for one in judgments if one.candidate_ids == (candidate_id,) and one.score is not None]
    return fmean(scores) if scores else None


def _outcome(preference: float | None, judgments: Sequence[Judgment]) -> Outcome:
    return "scored" if preference is not None else next(one.outcome for one in judgments if one.outcome != "scored")
