"""Who plays whom, and how strong that shows everyone to be."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

_PRIOR = 0.1
_DIGITS = 9
_STEPS = 100

Bout = tuple[int, int, float]
"""Two players, and how far the first was preferred, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Strength:
    """A log-odds score, in nats, of a field whose mean is 0, and its standard error, None where it has none."""

    score: float
    se: float | None


def schedule(k: int, budget: int | None, seed: int) -> list[tuple[int, int]]:
    """Which of `k` players meet, each pair (lower, higher) once: all, or `budget` of the pairs.

    Of a budget, at least k - 1, the pairs connect all players, and no player meets more than one opponent more than
    another does; the seed says who is who.
    """
    pairs = list(combinations(range(k), 2))
    if budget is None or budget >= len(pairs):
        return pairs
    assert budget >= k - 1, "fewer comparisons than that leave somebody out"
    names = random.Random(seed).sample(range(k), k)
    met = [(names[one], names[other]) for one, other in _balanced(k)[:budget]]
    return sorted((min(pair), max(pair)) for pair in met)


def bradley_terry(k: int, bouts: Sequence[Bout]) -> list[Strength | None]:
    """The strength of each of `k` players: P(i beats j) = 1 / (1 + exp(s_j - s_i)); None for one in no bout.

    Everybody in a bout also has a tenth of a win and of a loss against everybody else in one, so that the undefeated
    stay finite. Standard errors are those of the Fisher information under a mean of 0; there are none where a
    preference is a probability and no verdict (0, 0.5 or 1). Source: Bradley and Terry 1952, fitted by Newton's method.
    """
    players = sorted({player for one, other, _ in bouts for player in (one, other)})
    if not players:
        return [None] * k
    wins = np.full((len(players), len(players)), _PRIOR)
    np.fill_diagonal(wins, 0.0)
    for one, other, preference in bouts:
        wins[players.index(one), players.index(other)] += preference
        wins[players.index(other), players.index(one)] += 1 - preference
    scores, covariance = _fit(wins)
    # A probability that differs from a verdict by less than a rounding cannot be told from one.
    tossed = all(min(abs(preference - verdict) for verdict in (0, 0.5, 1)) < 1e-12 for _, _, preference in bouts)
    found: list[Strength | None] = [None] * k
    for player, score, variance in zip(players, scores, np.diag(covariance), strict=True):
        # Equal records give scores equal but for their last bits, which would decide between them.
        se = round(float(np.sqrt(variance)), _DIGITS) if tossed else None
        found[player] = Strength(round(float(score), _DIGITS) + 0.0, se)
    return found


def _fit(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of mean 0 that maximise the likelihood of a matrix of wins, and their covariance."""
    games = wins + wins.T
    scores = np.zeros(len(wins))
    # The information is singular along equal scores. Shifted there by one, it has the inverse wanted after shifting
    # back; a pseudo-inverse would have to tell a zero from rounding, and sometimes takes one for the other.
    along = np.full_like(wins, 1 / len(wins))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
        weights = games * chance * (1 - chance)
        covariance = np.linalg.inv(np.diag(weights.sum(axis=1)) - weights + along) - along
        step = covariance @ (wins - games * chance).sum(axis=1)
        longest = float(np.abs(step).max())
        if longest < 10.0**-_DIGITS / 100:
            return scores, covariance
        # A whole step may overshoot far from the maximum; one of at most 1 does not.
        scores = scores + step / max(longest, 1.0)
    raise AssertionError("Newton's method did not converge")


def _balanced(k: int) -> list[tuple[int, int]]:
    """All pairs, in an order in which the first n differ by one in how often a player occurs, and k - 1 connect all.

    An even field plays rounds in which everybody plays (the circle method): two make a ring. An odd one plays ring
    after ring (Walecki's), each first without neighbours, so that nobody but one plays twice.
    """
    last = k - 1
    if k % 2 == 0:
        return [
            pair
            for turn in range(last)
            for pair in [(last, turn)] + [((turn + step) % last, (turn - step) % last) for step in range(1, k // 2)]
        ]
    met = []
    for turn in range(last // 2):
        ring = [last] + [(turn + (place + 1) // 2 * (1 if place % 2 else -1)) % last for place in range(last)]
        links = [(one, ring[(place + 1) % k]) for place, one in enumerate(ring)]
        met += links[::2] + links[1::2]
    return met
