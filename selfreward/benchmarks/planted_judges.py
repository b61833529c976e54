"""Judges whose fault is known: what they say of labelled items, in both orders and of each answer alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from selfreward.judge_quality.estimate import Measures
from selfreward.judge_quality.measures import BIASES
from selfreward.judge_quality.verdicts import Labelled, Verdicts, as_candidates, verdicts_on
from selfreward.judges.base import NO_USAGE, Item, Scale
from selfreward.judges.pointwise import pointwise
from selfreward.records import SWAPPED, Judgment, Verdict, majority

Pair = tuple[Item, Item]

NOISE = 0.3
PLACE = frozenset({"flip_rate", "same_position", "position_preference"})

_ORDERS = ((0, 1), (1, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call for a verdict: which answer of the item is shown first, and the author whose answers are its own.

    `luck` is a lot from 0 to 1, the same in both orders, so that a judge that errs at random does not flip.
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


def verdicts_on_items(
    judge: Planted, items: Sequence[Labelled], own: str | None, scale: Scale, seed: int
) -> list[Verdicts]:
    """What `judge` says of every item: its verdict on both answers in each order, and its score of each alone.

    No answer may be the same as the other of its item.
    """
    candidates = as_candidates(items, seed)
    luck_P = np.random.default_rng(seed).random(len(items)).tolist()
    compared: list[Judgment] = []
    scored: list[Judgment] = []
    for item, luck, pair in zip(items, luck_P, zip(candidates[::2], candidates[1::2], strict=True), strict=True):
        verdicts = [judge.says(Call(item=item, own=own, shown=side, luck=luck)) for side in _sides(item, pair)]
        compared += _comparison(judge, item, pair, verdicts)
        scored += _scores(judge, item, pair, verdicts, scale)
    return [
        replace(one, first_score=other.first_score, second_score=other.second_score)
        for one, other in zip(verdicts_on(items, compared, []), verdicts_on(items, [], scored), strict=True)
    ]


def moved(measures: Measures, perfect: Measures) -> set[str]:
    """The biases whose interval lies apart from the perfect judge's; one that is missing has not moved."""
    there = [(name, a, b) for name in BIASES if (a := measures[name].interval) and (b := perfect[name].interval)]
    return {name for name, a, b in there if a.low > b.high or a.high < b.low}


def _sides(item: Labelled, pair: Pair) -> tuple[Verdict, Verdict]:
    """Which answer of `item` each of the two candidates is."""
    return ("first", "second") if pair[0][1].text == item.first else ("second", "first")


def _comparison(judge: Planted, item: Labelled, pair: Pair, verdicts: Sequence[Verdict | None]) -> Iterator[Judgment]:
    """One judgment for each order, with a verdict about the candidates in order of index, as the pairwise judge's."""
    mirrored = _sides(item, pair)[0] == "second"
    for order, verdict in zip(_ORDERS, verdicts, strict=True):
        yield Judgment(
            prompt_id=item.id,
            candidate_ids=(pair[0][1].id, pair[1][1].id),
            order=order,
            judge=judge.name,
            outcome="unparsed" if verdict is None else "scored",
            verdict=SWAPPED[verdict] if mirrored and verdict is not None else verdict,
            raw="",
            usage=NO_USAGE,
        )


def _scores(
    judge: Planted, item: Labelled, pair: Pair, verdicts: Sequence[Verdict | None], scale: Scale
) -> Iterator[Judgment]:
    """People's ratings, exchanged where the judge says the opposite of people, so that the scores in all are theirs."""
    if None in verdicts:
        for one in pair:
            yield pointwise(one, judge=judge.name, outcome="unparsed", raw="")
        return
    worth: dict[Verdict, float] = dict(zip(("first", "second"), _worth(item, scale), strict=True))
    opposite = SWAPPED[_people(item)]
    exchanged = opposite != "tie" and all(verdict == opposite for verdict in verdicts)
    for one, side in zip(pair, _sides(item, pair), strict=True):
        score = scale[1] if judge.at_top else worth[SWAPPED[side] if exchanged else side]
        yield pointwise(one, judge=judge.name, score=score, raw="")


def _worth(item: Labelled, scale: Scale) -> tuple[float, float]:
    """How people rated both answers; without ratings a quarter of the scale above and below its middle, by verdict."""
    if item.first_rating is not None and item.second_rating is not None:
        return item.first_rating, item.second_rating
    middle, apart = sum(scale) / 2, (scale[1] - scale[0]) / 4
    lead = {"first": apart, "second": -apart, "tie": 0.0}[_people(item)]
    return middle + lead, middle - lead


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
    return SWAPPED[right] if call.luck < NOISE else right


PERFECT = Planted(name="perfect", says=lambda call: _people(call.item))
JUDGES = (
    PERFECT,
    Planted(name="random", says=lambda call: "first" if call.luck < 0.5 else "second"),
    Planted(name="always the first", says=lambda call: call.shown, moves=PLACE),
    Planted(name="longer is better", says=_longer, moves=frozenset({"length_slope"})),
    Planted(name="always the maximum", says=lambda call: "tie", moves=frozenset({"share_at_maximum"}), at_top=True),
    Planted(name="its own are better", says=_its_own, moves=frozenset({"self_preference"})),
    Planted(name="never parses", says=lambda call: None, moves=frozenset({"parse_rate"})),
    Planted(name=f"wrong in {NOISE:.0%} at random", says=_noisy),
)
