"""Labelled items to hold judges against: made at random, or drawn from a file."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from selfreward.errors import DataError
from selfreward.judge_quality.verdicts import Labelled
from selfreward.judges.base import Scale
from selfreward.labels.items import read_items
from selfreward.records import Message, Verdict

OWN = "own"
SCALE: Scale = (1.0, 5.0)

_PEOPLE = 3
_UNSURE = 0.4
_TIE = 0.15
_BETTER = 0.4
_AUTHORS = ((OWN, "one"), ("one", OWN), ("one", "other"), ("other", "one"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Items that people labelled. `draw` takes a seed and returns a set of them.

    `own` is the author whose answers count as the judge's own, None where no author is known; `scale` the lowest and
    highest score that a judge gives. `people` are all items of a file, none where the people are made up.
    """

    name: str
    draw: Callable[[int], Sequence[Labelled]]
    own: str | None
    scale: Scale
    people: tuple[Labelled, ...] = ()


def made_gold(count: int) -> Gold:
    """Another `count` random items for every seed."""
    return Gold(name="items made at random", draw=partial(made_items, count), own=OWN, scale=SCALE)


def read_gold(path: Path, count: int) -> Gold:
    """`count` of the labelled pairs of a file for every seed, at random, or all where there are no more.

    The author of most answers that stand against another's counts as the judge itself; people's ratings set the scale,
    which is 1 to 5 where there are none. Pairs of the same text are left out, for no judge tells them apart. Raises
    DataError.
    """
    pairs = [item.labelled for item in read_items(path)[0]]
    items = tuple(one for one in pairs if one.verdicts and one.first != one.second)
    if not items:
        raise DataError(f"{path} holds no pair with a verdict: give pairs that people labelled, see docs/labels.md")
    ratings = [one for item in items for one in (item.first_rating, item.second_rating) if one is not None]
    scale = (min(ratings), max(ratings)) if ratings else SCALE
    return Gold(
        name=path.name, draw=partial(_drawn, items, count), own=_most_frequent(items), scale=scale, people=items
    )


def made_items(count: int, seed: int) -> list[Labelled]:
    """Pairs of known worth, length and author, with the verdicts of three people who agree most of the time.

    Half of them set an answer by `OWN`, which are longer and better, against another's. Ratings are 1 to 5.
    """
    rng = np.random.default_rng(seed)
    return [_made(rng, number) for number in range(count)]


def _made(rng: np.random.Generator, number: int) -> Labelled:
    authors = _AUTHORS[rng.integers(len(_AUTHORS))]
    mine = np.array([author == OWN for author in authors])
    lengths = np.rint(rng.lognormal(np.where(mine, 5.3, 5.0), 0.6)).astype(int)
    worth = rng.normal(3 + _BETTER * mine, 1)
    leads = rng.normal(worth[0] - worth[1], _UNSURE, _PEOPLE)
    verdicts: list[Verdict] = ["tie" if abs(lead) < _TIE else "first" if lead > 0 else "second" for lead in leads]
    first_rating, second_rating = np.clip(np.rint(worth), *SCALE)
    return Labelled(
        id=str(number),
        messages=(Message(role="user", content=f"Question {number}."),),
        first="a" * int(lengths[0]),
        second="b" * int(lengths[1]),
        verdicts=tuple(verdicts),
        source="made",
        first_author=authors[0],
        second_author=authors[1],
        first_rating=float(first_rating),
        second_rating=float(second_rating),
    )


def _drawn(items: Sequence[Labelled], count: int, seed: int) -> Sequence[Labelled]:
    if len(items) <= count:
        return items
    chosen = np.random.default_rng(seed).choice(len(items), count, replace=False)
    return [items[place] for place in sorted(chosen)]


def _most_frequent(items: Sequence[Labelled]) -> str | None:
    """The author of most answers that stand against another's; of equally frequent ones the first by name."""
    authors = Counter(
        author
        for item in items
        if item.first_author != item.second_author
        for author in (item.first_author, item.second_author)
        if author is not None
    )
    return min(authors, key=lambda author: (-authors[author], author), default=None)
