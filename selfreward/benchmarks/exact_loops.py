"""A self-training loop small enough to be exact: P prompts with K answers each, best of k by a noisy judge.

The policy of a prompt is a distribution over its K answers, and an update is worked out, not sampled. Where people
answer as the start policy does, every loss of human mass is the loop's doing. Only the probe draws.

Shape suffixes: P prompts, K answers, M draws, G points of a grid of judge scores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from selfreward.metrics.intervals import Family, Paired
from selfreward.monitor.detector import ProbeRound

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ANSWERS = 30
WORDINGS = 6
HUMAN_ANSWERS = 8
DRAWS = 8
BASELINE_DRAWS = 32
UPDATE = 0.5
_GRID = np.linspace(-8, 8, 49)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Prompts with known truth: what people say, how good each answer is, and what a noisy judge makes of that.

    `score_PKG` is the density of the judge's score of an answer on a grid, `below_PKG` its distribution function.
    The judge's noise is as large as the spread of quality: the squared correlation of the two is one half.
    """

    human_PK: Floats
    quality_PK: Floats
    score_PKG: Floats
    below_PKG: Floats


def make_people(rng: np.random.Generator, prompts: int, spread: float) -> Floats:
    """What people answer: distributions (P, K) whose log weights are normal with standard deviation `spread`."""
    human_PK: Floats = special.softmax(spread * rng.standard_normal((prompts, ANSWERS)), axis=1)
    return human_PK


def make_world(rng: np.random.Generator, prompts: int, spread: float = 1.0) -> World:
    """Prompts answered by people as `make_people` says; quality is normal and has nothing to do with frequency."""
    human_PK = make_people(rng, prompts, spread)
    quality_PK = rng.standard_normal((prompts, ANSWERS))
    gap_PKG = _GRID - quality_PK[..., None]
    return World(human_PK, quality_PK, np.exp(-(gap_PKG**2) / 2) / math.sqrt(2 * math.pi), special.ndtr(gap_PKG))


def updated(world: World, policy_PK: Floats, k: int, real_share: float) -> Floats:
    """The next policy: half of it is the old one, half is trained on the best of k mixed with human answers."""
    below_P1G = policy_PK[:, None, :] @ world.below_PKG
    best_PK: Floats = policy_PK * (world.score_PKG * below_P1G ** (k - 1)).sum(axis=2)
    best_PK /= best_PK.sum(axis=1, keepdims=True)
    target_PK = (1 - real_share) * best_PK + real_share * world.human_PK
    return (1 - UPDATE) * policy_PK + UPDATE * target_PK


def diversity(policy_PK: Floats) -> float:
    """The chance that two answers to a prompt differ, mean over prompts: exact."""
    return float(1 - (policy_PK**2).sum(axis=1).mean())


def human_cost(human_PK: Floats, policy_PK: Floats) -> float:
    """Nats per human answer under the policy, mean over people and prompts: exact."""
    return float(-(human_PK * np.log(policy_PK)).sum(axis=1).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a probe draw of each prompt says: one value a prompt, `recall` for DRAWS answers however many there are."""

    sem_P: Floats
    lex_P: Floats
    ent_P: Floats
    recall_P: Floats
    duplicate_rate: float


def drawn_measures(policy_PK: Floats, drawn_PM: Indices, people_PH: Indices, rng: np.random.Generator) -> Drawn:
    """The families of answers that were drawn; every answer is worded in one of a few equally likely ways."""
    prompts, draws = drawn_PM.shape
    worded_PM = drawn_PM * WORDINGS + rng.integers(WORDINGS, size=drawn_PM.shape)
    counts_PK, worded_PV = _counts(drawn_PM, ANSWERS), _counts(worded_PM, ANSWERS * WORDINGS)
    absent_PH = draws - np.take_along_axis(counts_PK, people_PH, axis=1)
    missed_PH = special.binom(absent_PH, DRAWS) / special.binom(draws, DRAWS)
    return Drawn(
        sem_P=_unequal(counts_PK, draws),
        lex_P=_unequal(worded_PV, draws),
        ent_P=-np.log(np.take_along_axis(policy_PK, drawn_PM, axis=1)).mean(axis=1),
        recall_P=1 - missed_PH.mean(axis=1),
        duplicate_rate=1 - float((worded_PV > 0).sum()) / (prompts * draws),
    )


def draw(rng: np.random.Generator, policy_PK: Floats, draws: int) -> Indices:
    """Independent answers of the policy, as (P, M) indices."""
    sums_PK = np.cumsum(policy_PK, axis=1)
    chance_PM = rng.random((len(policy_PK), draws)) * sums_PK[:, -1:]
    drawn_PM: Indices = (sums_PK[:, None, :] <= chance_PM[..., None]).sum(axis=2)
    return drawn_PM


@dataclass(frozen=True, slots=True, eq=False)
class ExactProbe:
    """The frozen part of a probe: what people answered, and the start policy's draws."""

    people_PH: Indices
    human_sem_P: Floats
    baseline: Drawn


def make_probe(rng: np.random.Generator, human_PK: Floats, start_PK: Floats) -> ExactProbe:
    """Human answers to every prompt, and baseline draws of the start policy."""
    people_PH = draw(rng, human_PK, HUMAN_ANSWERS)
    baseline = drawn_measures(start_PK, draw(rng, start_PK, BASELINE_DRAWS), people_PH, rng)
    return ExactProbe(people_PH, _unequal(_counts(people_PH, ANSWERS), HUMAN_ANSWERS), baseline)


def human_nats(probe: ExactProbe, policy_PK: Floats) -> Floats:
    """Nats of one human answer a prompt, the same one in every round."""
    chosen_P1 = np.take_along_axis(policy_PK, probe.people_PH[:, :1], axis=1)
    nats_P: Floats = -np.log(chosen_P1[:, 0])
    return nats_P


def by_prompt(values_P: Floats) -> dict[str, float]:
    """The values under their prompts' names."""
    return {str(prompt): value for prompt, value in enumerate(values_P.tolist())}


def probe_round(number: int, probe: ExactProbe, now: Drawn, human_nll: Sequence[Mapping[str, float]]) -> ProbeRound:
    """What the detector is told; `human_nll` holds `human_nats` of rounds 0 to `number`, by prompt."""
    base = probe.baseline
    families: dict[Family, Paired] = {
        "sem": Paired(now.sem_P, base.sem_P),
        "lex": Paired(now.lex_P, base.lex_P),
        "ent": Paired(now.ent_P, base.ent_P),
        "recall": Paired(now.recall_P, base.recall_P),
        "human": Paired(now.sem_P, probe.human_sem_P),
    }
    return ProbeRound(
        number=number,
        draws=DRAWS,
        baseline_draws=BASELINE_DRAWS,
        families=families,
        human_nll=tuple(human_nll),
        start_over_people=Paired(base.sem_P, probe.human_sem_P).ratio(),
        raw_sem_drop=1 - float(now.sem_P.mean() / base.sem_P.mean()),
        duplicate_rate=now.duplicate_rate,
        truncation_rate=0.0,
        baseline_truncation_rate=0.0,
        mismatch=None,
    )


def _counts(drawn_PM: Indices, kinds: int) -> Indices:
    prompts = len(drawn_PM)
    offsets_P1 = kinds * np.arange(prompts)[:, None]
    return np.bincount((drawn_PM + offsets_P1).ravel(), minlength=prompts * kinds).reshape(prompts, kinds)


def _unequal(counts_PK: Indices, draws: int) -> Floats:
    """The share of pairs of draws that differ."""
    unequal_P: Floats = 1 - (counts_PK * (counts_PK - 1)).sum(axis=1) / (draws * (draws - 1))
    return unequal_P
