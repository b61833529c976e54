"""Which human answers a policy still reaches: balls around its own answers, which never go from prompt to prompt."""

from statistics import fmean

import numpy as np

from selfreward.diversity.coverage import inside, neighbour_radii
from selfreward.diversity.embed import Texts, Vectors

FEWEST_HUMAN_ANSWERS = 128
FEWEST_DRAWS = 2
"""Answers a prompt without which `recall` is not measured."""
_MOST_NEIGHBOURS = 5


def neighbours_of(draws: int) -> int:
    """The k of the nearest neighbours by which `recall` reaches, for so many answers a prompt; 0 for a single one.

    Neighbours are sought among the answers to all prompts, so they must be fewer than the answers to any one: else
    the balls of a policy that says one thing to each prompt go from prompt to prompt and hold everything. Three
    quarters of the answers, so that a fourth may be refused, empty or short; at most 5, as in Naeem et al. 2020. Fewer
    see less: on 64 questions to a small model 5 of 8 give a standard error of .02, 3 of 4 of .03, 2 of 4 of .05.
    """
    return min(_MOST_NEIGHBOURS, 3 * draws // 4)


def reached(texts: Texts, human: Texts, vectors: Vectors, neighbours: int) -> dict[str, float]:
    """By prompt, the share of its human answers that lie in the ball of an answer, to whatever prompt.

    A ball reaches to the `neighbours`-th nearest other answer. Prompts that have no more answers than that take no
    part, nor do their human answers; {} where no prompt does.
    """
    enough = {name: group for name, group in texts.items() if len(group) > neighbours > 0}
    asked = {name: human[name] for name in enough if human[name]}
    if not asked:
        return {}
    centres_MD = np.array([vectors[text] for group in enough.values() for text in group])
    points_ND = np.array([vectors[text] for group in asked.values() for text in group])
    found = iter(inside(points_ND, centres_MD, neighbour_radii(centres_MD, neighbours)))
    return {name: fmean(float(next(found)) for _ in group) for name, group in asked.items()}


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
    """By prompt, the share of human answers that answers now reach, and that the baseline's reached; {} of too few."""
    found = reached(drawn, people, vectors, neighbours)
    if sum(len(people[name]) for name in found) < FEWEST_HUMAN_ANSWERS:
        return {}, {}
    size = max(map(len, drawn.values()))
    earlier = [
        reached(
            {name: group[start : start + len(drawn[name])] for name, group in before.items()},
            people,
            vectors,
            neighbours,
        )
        for start in range(0, max(map(len, before.values())) - size + 1, size)
    ]
    values = {name: [part[name] for part in earlier if name in part] for name in found}
    return found, {name: fmean(shares) for name, shares in values.items() if shares}
