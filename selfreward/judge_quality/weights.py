"""How much the vote of each member of a jury weighs, learned from pairs that people compared.

Of voters that err independently, the best decision weighs each by the log-odds of its being right (Nitzan and Paroush
1982). They are estimated with one hit and one miss added; a member no better than a coin has no say.
"""

import math
from collections.abc import Mapping, Sequence

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.reports import load_report
from selfreward.judge_quality.accuracy import hit
from selfreward.judge_quality.verdicts import Labelled, Verdicts, judged
from selfreward.judges.jury import Weights

MembersSaid = Mapping[str, Sequence[Verdicts]]
"""What each member said of the same items by itself, by its name."""


def save_weights(out: Output, weights: Weights) -> None:
    """Writes the weights of a jury, by member, to `weights.json`."""
    out.write_json("weights", dict(weights))


def weights_of(measured: Artifact | Part) -> Weights:
    """The weights that a jury learned when it was measured."""
    return load_report(measured, "weights", dict[str, float])


def learned(items: Sequence[Labelled], said: MembersSaid) -> Weights:
    """The weight of every member: max(0, log((hits + 1) / (misses + 1))).

    A hit is an item on which it prefers the answer most people prefer, a miss one on which it prefers the other, a tie
    half of each. Items that it did not answer, and those on which most people took no side, count for nothing.
    """
    return {name: _weight(*_counted(hits)) for name, hits in _hits(items, said).items()}


def learned_on_others(items: Sequence[Labelled], said: MembersSaid) -> Mapping[str, Weights]:
    """For the id of every item the weights learned on all the others, so that none is judged by its own label."""
    found: dict[str, dict[str, float]] = {item.id: {} for item in items}
    for name, hits in _hits(items, said).items():
        right, wrong = _counted(hits)
        for item, one in zip(items, hits, strict=True):
            here = _counted([one])
            found[item.id][name] = _weight(right - here[0], wrong - here[1])
    return found


def _hits(items: Sequence[Labelled], said: MembersSaid) -> dict[str, list[float | None]]:
    return {name: [hit(pair) for pair in judged(items, verdicts)] for name, verdicts in said.items()}


def _counted(hits: Sequence[float | None]) -> tuple[float, float]:
    """Hits and misses, in halves, which sums of floats hold exactly."""
    there = [one for one in hits if one is not None]
    return sum(there), len(there) - sum(there)


def _weight(hits: float, misses: float) -> float:
    return max(0.0, math.log((hits + 1) / (misses + 1)))
