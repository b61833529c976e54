"""Length tiers: of answers nearly as good as the best the shortest, of those nearly as bad as the worst the longest.

Source: Meta-Rewarding, Wu et al. 2024 (2407.19594). A tier is a share of the way from the best to the worst score of a
prompt; length is counted in tokens of the answer. With a tier of 0, length decides between equal scores alone.
"""

from collections.abc import Sequence

from selfreward.selection.pool import Order, Rated, best_first

SHORTEST, LONGEST = "the shortest of the top tier", "the longest of the bottom tier"


def by_worth(tier: float | None) -> Order:
    """The order by worth; where there are tiers, of equal ones the shorter first."""
    return best_first if tier is None else _shorter_first


def shortest_first(able: Sequence[Rated], tier: float | None) -> list[Rated]:
    """`able`, which is ranked, with its top tier first and by length; as it is where there are no tiers."""
    if tier is None or not able:
        return list(able)
    floor = able[0].worth - tier * (able[0].worth - able[-1].worth)
    top = [one for one in able if one.worth >= floor]
    return [*sorted(top, key=lambda one: one.length), *able[len(top) :]]


def worst_of(able: Sequence[Rated], tier: float | None) -> Rated:
    """The last of `able`, which is ranked and not empty; where there are tiers, the longest of the bottom one."""
    if tier is None:
        return able[-1]
    ceiling = able[-1].worth + tier * (able[0].worth - able[-1].worth)
    bottom = [one for one in able if one.worth <= ceiling]
    return max(reversed(bottom), key=lambda one: one.length)


def _shorter_first(one: Rated) -> tuple[float, ...]:
    return -one.worth, one.length, one.candidate.index
