"""Which items to ask people about: those that a judge is wrong on, or least sure of, of every kind of prompt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from selfreward.data.roles import question_text
from selfreward.judges.both_orders import PREFERENCES
from selfreward.labels.items import Item
from selfreward.labels.kinds import against_people, kinds
from selfreward.records import digest_of

_Rank = tuple[int, float, float, float, str]


def hardest(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """`count` of `items`, hardest first, each with its kind.

    First come those on which the judge is against most people, the furthest first; then those it flipped on; then the
    others, by how near its preference is to one half; last those without a verdict. Among equals a jury that disagrees
    more comes first, then a lot decides. Within each of these four groups the kinds of prompt take turns.
    """
    ranked = sorted(((_rank(item, seed), item) for item in with_kinds(items, seed)), key=lambda one: one[0])
    seen: Counter[tuple[int, str | None]] = Counter()
    turns: list[tuple[int, int, Item]] = []
    for (group, *_), item in ranked:
        turns.append((group, seen[group, item.kind], item))
        seen[group, item.kind] += 1
    return [item for *_, item in sorted(turns, key=lambda turn: turn[:2])[:count]]


def with_kinds(items: Sequence[Item], seed: int) -> list[Item]:
    """`items` with a kind each: their own where all have one, else that of their questions' clusters."""
    if all(item.kind is not None for item in items):
        return list(items)
    names = kinds([question_text(item.labelled.messages) for item in items], seed)
    return [replace(item, kind=name) for item, name in zip(items, names, strict=True)]


def _rank(item: Item, seed: int) -> _Rank:
    """Lower is harder; the first part is the group."""
    lot = digest_of("hardest", seed, item.id)
    apart = -(item.disagreement or 0.0)
    said = item.judge
    if said is None or said.preference is None:
        return 3, 0.0, 0.0, apart, lot
    unsure = abs(said.preference - 0.5)
    if against_people((item.labelled, said)):
        people = [PREFERENCES[verdict] for verdict in item.labelled.verdicts]
        return 0, -abs(said.preference - sum(people) / len(people)), unsure, apart, lot
    return (1 if said.flipped else 2), unsure, 0.0, apart, lot
