"""Which human answers a policy still reaches: those in a ball around one of its own answers to the same prompt.

A ball reaches to a near neighbour among the policy's answers to that prompt, so balls shrink with what a policy says.
A strange answer, whose ball is wide, counts for its own prompt alone, and prompts are independent.
"""

from collections.abc import Sequence
from statistics import fmean

from selfreward.metrics.coverage import inside, neighbour_radii
from selfreward.metrics.embed import Texts, Vectors, stacked

FEWEST_HUMAN_ANSWERS = 128
FEWEST_DRAWS = 2
"""Answers a prompt without which `recall` is not measured."""
_MOST_NEIGHBOURS = 5


def neighbours_of(draws: int) -> int:
    """To the how many-th neighbour a ball reaches, for so many answers a prompt; 0 for a single one.

    A quarter of the answers, 1 to 5. More give less noise and see less all the same: where 64 prompts kept 4 of 8
    answers, the drop beyond a margin of 10% was 3.2 standard errors with 2 neighbours, 1.9 with 3 and 0.7 with 5.
    """
    return min(_MOST_NEIGHBOURS, max(1, draws // 4)) if draws >= FEWEST_DRAWS else 0


def reached(texts: Texts, human: Texts, vectors: Vectors, neighbours: int) -> dict[str, float]:
    """By prompt, the share of its human answers that lie in the ball of an answer to it.

    A prompt without human answers, or with no more answers than `neighbours`, has no value.
    """
    return {
        name: _share(group, human[name], vectors, neighbours)
        for name, group in texts.items()
        if len(group) > neighbours > 0 and human[name]
    }


def recall_of(texts: Texts, human: Texts, vectors: Vectors) -> float | None:
    """The share of all human answers that is reached; None where too few prompts have answers enough."""
    found = reached(texts, human, vectors, neighbours_of(max(map(len, texts.values()), default=0)))
    asked = sum(len(human[name]) for name in found)
    if asked < FEWEST_HUMAN_ANSWERS:
        return None
    return sum(share * len(human[name]) for name, share in found.items()) / asked


def recalls_of(
    drawn: Texts, before: Texts, people: Texts, vectors: Vectors, neighbours: int
) -> tuple[dict[str, float], dict[str, float]]:
    """By prompt, the share of human answers that answers now reach, and that the baseline's reached; {} of too few.

    As many answers to a prompt are compared; the baseline's share is the mean over its disjoint draws of that many.
    """
    sizes = {name: min(len(group), len(before[name])) for name, group in drawn.items()}
    now = reached({name: group[: sizes[name]] for name, group in drawn.items()}, people, vectors, neighbours)
    if sum(len(people[name]) for name in now) < FEWEST_HUMAN_ANSWERS:
        return {}, {}
    earlier = {
        name: fmean(
            _share(before[name][at : at + size], people[name], vectors, neighbours)
            for at in range(0, len(before[name]) - size + 1, size)
        )
        for name, size in sizes.items()
        if name in now
    }
    return now, earlier


def _share(texts: Sequence[str], human: Sequence[str], vectors: Vectors, neighbours: int) -> float:
    centres_MD = stacked(texts, vectors)
    return float(inside(stacked(human, vectors), centres_MD, neighbour_radii(centres_MD, neighbours)).mean())
