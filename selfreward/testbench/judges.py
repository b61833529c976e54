"""Judges whose fault is known: what they say of labelled items, in both orders and of each answer alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.calibration.health import BIASES
from selfreward.calibration.measure import Measure
from selfreward.calibration.quality import Scale
from selfreward.calibration.records import Labelled, Verdicts, majority
from selfreward.judges.base import NO_USAGE
from selfreward.judges.comparison import comparisons, preference_of
from selfreward.records import Judgment, Verdict

NOISE = 0.3
PLACE = frozenset({"flip_rate", "same_position", "position_preference"})

_OPPOSITE: dict[Verdict, Verdict] = {"first": "second", "second": "first", "tie": "tie"}
_ORDERS = ((0, 1), (1, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call for a verdict: the author whose answers are the judge's own, and which answer of the item is shown first.

    `luck` is a lot from 0 to 1, the same in both orders, so that a judge that errs by lot does not flip.
    """

    item: Labelled
    own: str | None
    shown: Verdict
    luck: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A judge made with one fault; `moves` names those of `BIASES` that the fault is to be seen in.

    `says` is its verdict at one call, None where its reply cannot be read. With `at_top` it scores every answer with
    the highest score there is.
    """

    name: str
    says: Callable[[Call], Verdict | None]
    moves: frozenset[str] = frozenset()
    at_top: bool = False


def ask(judge: Planted, items: Sequence[Labelled], own: str | None, scale: Scale, seed: int) -> list[Verdicts]:
    """What `judge` says of every item, by its judgments: a verdict in each order and a score of each answer."""
    luck_P = np.random.default_rng(seed).random(len(items))
    return [
        heard(item, list(_judgments(judge, item, own, scale, float(luck))))
        for item, luck in zip(items, luck_P, strict=True)
    ]


def heard(item: Labelled, judgments: Sequence[Judgment]) -> Verdicts:
    """What two judgments of both answers of `item`, one in each order, and one of each answer alone say together."""
    first, second, *both = judgments
    (comparison,) = comparisons(both)
    shown = [_shown(one) for one in both]
    return Verdicts(
        id=item.id,
        preference=comparison.preference,
        flipped=comparison.flipped,
        first_score=first.score,
        second_score=second.score,
        first_shown=None if None in shown else sum(one for one in shown if one is not None) / len(shown),
        outcome=next((one.outcome for one in both if one.outcome != "scored"), "scored"),
    )


def moved(measures: Sequence[Measure], perfect: Sequence[Measure]) -> set[str]:
    """The biases whose interval lies apart from the perfect judge's; one that is missing has not moved."""
    rest = {measure.name: measure.interval for measure in perfect}
    apart = set()
    for measure in measures:
        a, b = measure.interval, rest[measure.name]
        if measure.name in BIASES and a is not None and b is not None and (a.low > b.high or a.high < b.low):
            apart.add(measure.name)
    return apart


def _judgments(judge: Planted, item: Labelled, own: str | None, scale: Scale, luck: float) -> Iterator[Judgment]:
    """A judgment of each answer, then one of both in each order."""
    answers: tuple[Verdict, Verdict] = ("first", "second")
    verdicts = [judge.says(Call(item=item, own=own, shown=shown, luck=luck)) for shown in answers]
    scores = _scores(judge, item, verdicts, scale)
    for answer, score in zip(answers, scores, strict=True):
        yield _judgment(judge, item, (answer,), (0,), score=score)
    for order, verdict in zip(_ORDERS, verdicts, strict=True):
        yield _judgment(judge, item, answers, order, verdict=verdict)


def _scores(
    judge: Planted, item: Labelled, verdicts: Sequence[Verdict | None], scale: Scale
) -> tuple[float | None, float | None]:
    """People's ratings, exchanged where the judge says the opposite of people, so that the scores in all are theirs."""
    if None in verdicts:
        return None, None
    if judge.at_top:
        return scale[1], scale[1]
    one, other = _worth(item, scale)
    opposite = _OPPOSITE[_people(item)]
    return (other, one) if opposite != "tie" and all(verdict == opposite for verdict in verdicts) else (one, other)


def _worth(item: Labelled, scale: Scale) -> tuple[float, float]:
    """How people rated both answers; without ratings a quarter of the scale above and below its middle, by verdict."""
    if item.first_rating is not None and item.second_rating is not None:
        return item.first_rating, item.second_rating
    middle, apart = sum(scale) / 2, (scale[1] - scale[0]) / 4
    lead = {"first": apart, "second": -apart, "tie": 0.0}[_people(item)]
    return middle + lead, middle - lead


def _judgment(
    judge: Planted,
    item: Labelled,
    answers: tuple[str, ...],
    order: tuple[int, ...],
    *,
    score: float | None = None,
    verdict: Verdict | None = None,
) -> Judgment:
    return Judgment(
        prompt_id=item.id,
        candidate_ids=answers,
        order=order,
        judge=judge.name,
        rubric=None,
        dimension=None,
        principle=None,
        repeat=0,
        outcome="unparsed" if score is None and verdict is None else "scored",
        score=score,
        verdict=verdict,
        raw="",
        usage=NO_USAGE,
    )


def _shown(judgment: Judgment) -> float | None:
    """How far a judgment of two answers prefers the one that was shown first."""
    preference = preference_of(judgment)
    return preference if preference is None or judgment.order == _ORDERS[0] else 1 - preference


def _people(item: Labelled) -> Verdict:
    """What most people said, a tie where no verdict has most votes."""
    return majority(item.verdicts) or "tie"


def _longer(call: Call) -> Verdict:
    apart = len(call.item.first) - len(call.item.second)
    return "tie" if apart == 0 else "first" if apart > 0 else "second"


def _its_own(call: Call) -> Verdict:
    mine = [author is not None and author == call.own for author in (call.item.first_author, call.item.second_author)]
    return _people(call.item) if mine[0] == mine[1] else "first" if mine[0] else "second"


def _noisy(call: Call) -> Verdict:
    right = _people(call.item)
    return _OPPOSITE[right] if call.luck < NOISE else right


PERFECT = Planted(name="perfect", says=lambda call: _people(call.item))
JUDGES = (
    PERFECT,
    Planted(name="random", says=lambda call: "first" if call.luck < 0.5 else "second"),
    Planted(name="always the first", says=lambda call: call.shown, moves=PLACE),
    Planted(name="longer is better", says=_longer, moves=frozenset({"length_slope"})),
    Planted(name="always the maximum", says=lambda call: "tie", moves=frozenset({"share_at_maximum"}), at_top=True),
    Planted(name="its own are better", says=_its_own, moves=frozenset({"self_preference"})),
    Planted(name="never parses", says=lambda call: None, moves=frozenset({"parse_rate"})),
    Planted(name=f"wrong in {NOISE:.0%} by lot", says=_noisy),
)
