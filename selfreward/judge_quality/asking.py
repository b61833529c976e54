"""A judge asked about labelled items: their answers as candidates of one prompt, and what came of it as `Verdicts`."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from selfreward.artifacts import derive_seed
from selfreward.judge_quality.verdicts import Labelled, Verdicts
from selfreward.judges.base import Item
from selfreward.judges.comparison import comparisons, preference_of
from selfreward.records import Judgment, Outcome, Prompt, digest_of, undrawn

_ORDERS = ((0, 1), (1, 0))


def as_candidates(items: Sequence[Labelled], seed: int) -> list[Item]:
    """Both answers of every item as the candidates of a prompt of its own, at random which of them comes first."""
    return [pair for item in items for pair in _candidates(item, seed)]


def verdicts_on(items: Sequence[Labelled], asked: Sequence[Judgment], concluded: Sequence[Judgment]) -> list[Verdicts]:
    """What was said of each of `items`, in order, by what was `asked` of `shown(items)` and `concluded` from it.

    Of a judge that compared the two, its preference over both orders. Of any other, its scores, an answer's the mean of
    those it got: the higher is preferred, and equal ones are a tie.
    """
    asked_of, concluded_of = by_prompt(asked), by_prompt(concluded)
    return [_verdicts(item, asked_of[item.id], concluded_of[item.id]) for item in items]


def _candidates(item: Labelled, seed: int) -> list[Item]:
    # The prompt has the item's id, because two items may ask the same.
    prompt = Prompt(id=item.id, messages=item.messages, stratum="open", source=item.source, references=(), match=None)
    answers = [("first", item.first), ("second", item.second)]
    random.Random(derive_seed(seed, item.id)).shuffle(answers)
    return [(prompt, undrawn(_id(item, side), prompt.id, at, text, seed)) for at, (side, text) in enumerate(answers)]


def _id(item: Labelled, side: str) -> str:
    return digest_of("answer", item.id, side)


def by_prompt(judgments: Iterable[Judgment]) -> defaultdict[str, list[Judgment]]:
    """The judgments of each prompt, by its id; they need not stand together."""
    found: defaultdict[str, list[Judgment]] = defaultdict(list)
    for one in judgments:
        found[one.prompt_id].append(one)
    return found


def _verdicts(item: Labelled, asked: Sequence[Judgment], concluded: Sequence[Judgment]) -> Verdicts:
    compared = comparisons(asked)
    if len(compared) == 1 and len(asked) == len(_ORDERS):
        (one,) = compared
        mirrored = one.first_id != _id(item, "first")
        preference = 1 - one.preference if mirrored and one.preference is not None else one.preference
        return Verdicts(
            id=item.id,
            preference=preference,
            flipped=one.flipped,
            first_score=None,
            second_score=None,
            first_shown=_first_shown(asked),
            outcome="scored" if preference is not None else _missing(asked),
        )
    first, second = (_score(concluded, _id(item, side)) for side in ("first", "second"))
    preference = None if first is None or second is None else 0.5 + ((first > second) - (first < second)) / 2
    return Verdicts(
        id=item.id,
        preference=preference,
        flipped=None,
        first_score=first,
        second_score=second,
        first_shown=None,
        outcome="scored" if preference is not None else _missing(concluded),
    )


def _first_shown(asked: Sequence[Judgment]) -> float | None:
    """The preference for the answer that was shown first, mean over both orders; None where one is missing."""
    said = [(one.order == _ORDERS[0], preference_of(one)) for one in asked]
    known = [preference if straight else 1 - preference for straight, preference in said if preference is not None]
    return fmean(known) if len(known) == len(said) else None


def _score(judgments: Sequence[Judgment], candidate_id: str) -> float | None:
    scores = [one.score for one in judgments if one.candidate_ids == (candidate_id,) and one.score is not None]
    return fmean(scores) if scores else None


def _missing(judgments: Sequence[Judgment]) -> Outcome:
    return next(one.outcome for one in judgments if one.outcome != "scored")
