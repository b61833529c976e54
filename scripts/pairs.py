"""Two ways to do the same, in turn and in one process run: their ratio in every pair, its median and an interval.

The interval is that of the median by order statistics: of five pairs the smallest and the largest ratio, which hold the
median of all pairs in 94 of 100 such runs. A ratio that is wanted is met or missed where the whole interval says so.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

_CONFIDENCE = 0.9
_FEWEST = 5
HEAD = "| what | ours | beside | ratio | interval | wanted | |\n|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Done:
    """How many `units` (tokens, judgments, trainings) were done in how many `seconds` of wall time."""

    units: float
    seconds: float

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


Way = Callable[[int], Done]
"""Does its work once; it is given the number of the pair, a seed for what is drawn."""


@dataclass(frozen=True)
class Wanted:
    """A bound of a ratio."""

    bound: float
    least: bool = True

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:g}"

    def verdict(self, low: float, high: float) -> str:
        """Whether the interval lies on the right side of the bound."""
        inside = [one >= self.bound if self.least else one <= self.bound for one in (low, high)]
        return "met" if all(inside) else "undecided" if any(inside) else "missed"


def timed(work: Callable[[], float]) -> Done:
    """The units that `work` returns, and the seconds that it took."""
    began = time.perf_counter()
    units = work()
    return Done(units, time.perf_counter() - began)


def in_turn(ours: Way, other: Way, pairs: int) -> list[tuple[Done, Done]]:
    """Both ways `pairs` times; which comes first changes with every pair."""
    found = []
    for number in range(pairs):
        if number % 2:
            beside = other(number)
            found.append((ours(number), beside))
        else:
            own = ours(number)
            found.append((own, other(number)))
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The narrowest pair of order statistics that holds the median with 90% confidence; else the whole range."""
    ordered, n = sorted(values), len(values)
    rank = 1
    while 2 * (rank + 1) <= n and 1 - 2 * sum(math.comb(n, k) for k in range(rank + 1)) / 2**n >= _CONFIDENCE:
        rank += 1
    return ordered[rank - 1], ordered[-rank]


def row(what: str, found: Sequence[tuple[Done, Done]], unit: str, wanted: Wanted | None, *, of_time: bool) -> str:
    """A Markdown row of `HEAD`: ratios of rates (how many times as fast is ours), or `of_time` of seconds a unit."""
    ratios = [other.rate / own.rate if of_time else own.rate / other.rate for own, other in found]
    shown = [median((1 / one.rate) if of_time else one.rate for one in side) for side in zip(*found, strict=True)]
    unit = f"s each {unit}" if of_time else f"{unit}s a s"
    return "| " + " | ".join([what, *(f"{one:.3g} {unit}" for one in shown), *_judged(ratios, wanted)]) + " |"


def share_row(what: str, shares: Sequence[float], seconds: Sequence[float], wanted: Wanted) -> str:
    """A Markdown row of `HEAD` for a share of the seconds."""
    own = median(share * whole for share, whole in zip(shares, seconds, strict=True))
    return f"| {what} | {own:.2f} s | {median(seconds):.1f} s | {' | '.join(_judged(shares, wanted))} |"


def _judged(ratios: Sequence[float], wanted: Wanted | None) -> list[str]:
    low, high = interval(ratios)
    judged = ["", ""]
    if wanted is not None:
        judged = [str(wanted), wanted.verdict(low, high) if len(ratios) >= _FEWEST else "too few pairs"]
    return [f"{median(ratios):.3g}", f"{low:.3g} to {high:.3g} ({len(ratios)} pairs)", *judged]
