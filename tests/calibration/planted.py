"""Labelled items made by lot, and judges whose fault is known."""

import random
from collections.abc import Callable, Sequence

from selfreward.calibration.health import BIASES
from selfreward.calibration.measure import Measure
from selfreward.calibration.records import Labelled, Verdicts, majority
from selfreward.records import Verdict

OWN = "me"
SCALE = (1.0, 5.0)
SIDES: dict[Verdict | None, float] = {"first": 1.0, "second": 0.0, "tie": 0.5, None: 0.5}

PLACE = {"flip_rate", "same_position", "position_preference"}
MOVED: dict[str, set[str]] = {
    "perfect": set(),
    "random": set(),
    "noise": set(),
    "always_first": PLACE,
    "longer": {"length_slope"},
    "always_5": {"share_at_maximum"},
    "self_preferring": {"self_preference"},
    "never_parsing": {"parse_rate"},
}
NOISY = ("random", "noise")


def item(
    verdicts: Sequence[Verdict] = ("first",),
    *,
    number: int = 0,
    lengths: tuple[int, int] = (10, 10),
    authors: tuple[str | None, str | None] = (None, None),
    ratings: tuple[float | None, float | None] = (None, None),
) -> Labelled:
    return Labelled(
        id=str(number),
        messages=(),
        first="a" * lengths[0],
        second="b" * lengths[1],
        verdicts=tuple(verdicts),
        source="planted",
        first_author=authors[0],
        second_author=authors[1],
        first_rating=ratings[0],
        second_rating=ratings[1],
    )


def said(
    number: int = 0,
    preference: float | None = None,
    *,
    flipped: bool | None = None,
    shown: float | None = None,
    scores: tuple[float | None, float | None] = (None, None),
) -> Verdicts:
    return Verdicts(
        id=str(number),
        preference=preference,
        flipped=flipped,
        first_score=scores[0],
        second_score=scores[1],
        first_shown=shown,
        outcome="unparsed" if preference is None else "scored",
    )


def items_by_lot(count: int, seed: int) -> list[Labelled]:
    """Three people an item who agree most of the time; `OWN` wrote a third of the answers, longer and better ones."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        authors = rng.choice([(OWN, "x"), ("x", OWN), ("x", "y"), ("y", "x")])
        lengths = tuple(round(rng.lognormvariate(5.3 if author == OWN else 5.0, 0.6)) for author in authors)
        lead = rng.gauss(0.4 * ((authors[0] == OWN) - (authors[1] == OWN)), 1)
        votes = [rng.gauss(lead, 0.4) for _ in range(3)]
        verdicts: list[Verdict] = ["tie" if abs(vote) < 0.15 else "first" if vote > 0 else "second" for vote in votes]
        made.append(item(verdicts, number=number, lengths=(lengths[0], lengths[1]), authors=authors))
    return made


def verdicts_of(name: str, items: Sequence[Labelled], seed: int, own: str = OWN) -> list[Verdicts]:
    """What the planted judge `name` says of every item, asked in both orders."""
    rng = random.Random(seed)
    return [_in_both_orders(name, one, _CHOICES.get(name, _people)(one, own, rng)) for one in items]


def moved(measures: Sequence[Measure], perfect: Sequence[Measure]) -> set[str]:
    """The biases whose interval lies apart from the perfect judge's; one that is missing has not moved."""
    rest = {measure.name: measure.interval for measure in perfect}
    apart = set()
    for measure in measures:
        a, b = measure.interval, rest[measure.name]
        if measure.name in BIASES and a is not None and b is not None and (a.low > b.high or a.high < b.low):
            apart.add(measure.name)
    return apart


def _in_both_orders(name: str, one: Labelled, choice: float) -> Verdicts:
    if name == "never_parsing":
        return Verdicts(
            id=one.id,
            preference=None,
            flipped=None,
            first_score=None,
            second_score=None,
            first_shown=None,
            outcome="unparsed",
        )
    straight, swapped = (1.0, 0.0) if name == "always_first" else (choice, choice)
    preference = straight if straight == swapped else 0.5
    scores = (5.0, 5.0) if name == "always_5" else (2 + 2 * preference, 4 - 2 * preference)
    return Verdicts(
        id=one.id,
        preference=preference,
        flipped=straight != swapped,
        first_score=scores[0],
        second_score=scores[1],
        first_shown=(straight + 1 - swapped) / 2,
        outcome="scored",
    )


def _people(one: Labelled, own: str, rng: random.Random) -> float:
    return SIDES[majority(one.verdicts)]


def _longer(one: Labelled, own: str, rng: random.Random) -> float:
    a, b = len(one.first), len(one.second)
    return 0.5 if a == b else float(a > b)


def _its_own(one: Labelled, own: str, rng: random.Random) -> float:
    mine = (one.first_author == own) - (one.second_author == own)
    return 0.5 + 0.5 * mine if mine else _people(one, own, rng)


def _noise(one: Labelled, own: str, rng: random.Random) -> float:
    right = _people(one, own, rng)
    return 1 - right if rng.random() < 0.3 else right


_CHOICES: dict[str, Callable[[Labelled, str, random.Random], float]] = {
    "random": lambda one, own, rng: float(rng.random() < 0.5),
    "always_5": lambda one, own, rng: 0.5,
    "longer": _longer,
    "self_preferring": _its_own,
    "noise": _noise,
}
