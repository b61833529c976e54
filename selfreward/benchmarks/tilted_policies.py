"""Scripted policies that optimise a proxy with a known blind spot; true gold at any KL is a sum, nothing is trained.

An answer has a quality and a trait. These are independent, exactly: the answers to a prompt are a grid of both, and the
initial policy draws all alike. A policy that optimises a score is the initial one tilted by it, p * exp(strength *
score) up to a constant, which is the policy that has the most of the score at its KL.

Shape suffixes: P prompts, A answers, Q qualities, S traits, T policies, R runs, N drawn prompts, M drawn answers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfreward.monitor.over_optimisation import ScoresByPolicy

Floats = NDArray[np.float64]

PROMPTS, QUALITIES, TRAITS = 512, 16, 16
GAIN, LOSS = 0.2, 0.1
BLIND_SPOTS = ("length", "a phrase", "a kind of question")

_SLOPE, _EASE = 3.0, 2.0
_PHRASE_HARM = 8.0
_LENGTH_HARM = 2.0
_STRONGEST = 100.0
_WORST = 8.0
_CLOSE = 1e-4
_BLOCK = 50


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """All answers that there are: what the proxy says of each, and the chance that gold says it is right."""

    proxy_PA: Floats
    gold_PA: Floats


@dataclass(frozen=True, slots=True)
class Truth:
    """A policy's KL to the initial one in nats per answer, and the means of its scores, over all prompts."""

    kl: float
    proxy: float
    gold: float


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The policies of a run, from the initial one on; `peak` is the one with the best true gold."""

    answers: Answers
    policies: Sequence[Floats]
    peak: int

    def truths(self) -> list[Truth]:
        """The truth of every policy."""
        return [truth_of(self.answers, one) for one in self.policies]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRun:
    """What a run draws: of each policy M answers to each of N prompts, their proxy scores and whether gold is right."""

    proxy_TNM: Floats
    right_TNM: NDArray[np.bool_]

    def seen(self, prompts: int, answers: int) -> ScoresByPolicy:
        """The scores of a run that has the first so many prompts and answers only."""
        proxy, right = (one[:, :prompts, :answers].mean(axis=2) for one in (self.proxy_TNM, self.right_TNM))
        return ScoresByPolicy(proxy, right)


def blind_spot(name: str, rng: np.random.Generator) -> Answers:
    """Answers that the proxy misjudges by `name`, just so much that no tilt by it gains more than `GAIN` of gold.

    The proxy is quality, and besides: `length` is liked, but past its mean does harm; `a phrase` in one answer of 16 is
    liked and makes it wrong; of `a kind of question`, half of the prompts, the worse answers are liked.
    """
    quality_PA, trait_PA, ease_P1 = _grid(rng)
    phrase_PA = np.tile(np.arange(TRAITS) == 0, (PROMPTS, QUALITIES)).astype(np.float64)
    reversed_P1 = (np.arange(PROMPTS) % 2)[:, None]
    liked_PA, harm_PA = {
        "length": (trait_PA, _LENGTH_HARM * np.maximum(trait_PA, 0) ** 2),
        "a phrase": (phrase_PA, _PHRASE_HARM * phrase_PA),
        "a kind of question": (-reversed_P1 * quality_PA, np.zeros_like(quality_PA)),
    }[name]
    known_PA = quality_PA * (1 - reversed_P1) if name == "a kind of question" else quality_PA
    gold_PA = chance_right(quality_PA, ease_P1, harm_PA)

    def with_fault(size: float) -> Answers:
        return Answers(known_PA + size * liked_PA, gold_PA)

    def gain(size: float) -> float:
        answers = with_fault(size)
        return _gold(answers, _peak(answers)) - _gold(answers, 0.0)

    return with_fault(_where(gain, GAIN, 0.0, _WORST))


def over_optimised(answers: Answers, rounds: int) -> Course:
    """A run that gains all of the gold there is in its first half, and in its second half loses `LOSS`."""
    top = _peak(answers)
    end = _where(lambda strength: _gold(answers, strength), _gold(answers, top) - LOSS, top, _STRONGEST)
    peak = (rounds + 1) // 2
    strengths = [*np.linspace(0, top, peak + 1), *np.linspace(top, end, rounds - peak + 1)[1:]]
    return Course(answers, [tilted(answers, one) for one in strengths], peak)


def harmless(name: str, rounds: int, rng: np.random.Generator) -> Course:
    """A run whose gold never falls.

    `both rise`: the proxy is quality, and gold gains `GAIN`. `gold levels off`: it has done so halfway, and then the
    proxy alone rises, by a trait that gold knows nothing of. `gold stands still`: that is so from the start.
    """
    quality_PA, trait_PA, ease_P1 = _grid(rng)
    gold_PA = chance_right(quality_PA, ease_P1)
    by_quality = Answers(quality_PA, gold_PA)
    end = _where(lambda strength: _gold(by_quality, strength), _gold(by_quality, 0.0) + GAIN, 0.0, _STRONGEST)
    part_T = np.linspace(0, 1, rounds + 1)
    quality_T, trait_T = {
        "both rise": (part_T, 0 * part_T),
        "gold levels off": (np.minimum(1, 2 * part_T), np.maximum(0, 2 * part_T - 1)),
        "gold stands still": (0 * part_T, part_T),
    }[name]
    scored = [Answers(end * q * quality_PA + t * trait_PA, gold_PA) for q, t in zip(quality_T, trait_T, strict=True)]
    return Course(Answers(quality_PA + trait_PA, gold_PA), [tilted(one, 1.0) for one in scored], rounds)


def tilted(answers: Answers, strength: float) -> Floats:
    """The chances (P, A) of the policy that optimises the proxy so much."""
    weights_PA = np.exp(strength * (answers.proxy_PA - answers.proxy_PA.max(axis=1, keepdims=True)))
    return np.asarray(weights_PA / weights_PA.sum(axis=1, keepdims=True))


def truth_of(answers: Answers, policy_PA: Floats) -> Truth:
    """What holds of a policy over all prompts; the initial one draws all answers alike."""
    nats_PA = np.log(np.maximum(policy_PA, np.finfo(np.float64).tiny) * policy_PA.shape[1])
    kl, proxy, gold = (
        float((policy_PA * one).sum(axis=1).mean()) for one in (nats_PA, answers.proxy_PA, answers.gold_PA)
    )
    return Truth(kl, proxy, gold)


def drawn_runs(course: Course, rng: np.random.Generator, runs: int, prompts: int, answers: int) -> Iterator[DrawnRun]:
    """What `runs` runs draw: so many of the prompts, the same for all policies, and so many answers of each policy."""
    for start in range(0, runs, _BLOCK):
        chosen_RN = rng.integers(len(course.answers.gold_PA), size=(min(_BLOCK, runs - start), prompts))
        drawn = [_drawn(course.answers, one, chosen_RN, answers, rng) for one in course.policies]
        proxy_RTNM, right_RTNM = (np.stack(scores, axis=1) for scores in zip(*drawn, strict=True))
        yield from (DrawnRun(proxy, right) for proxy, right in zip(proxy_RTNM, right_RTNM, strict=True))


def _drawn(
    answers: Answers, policy_PA: Floats, chosen_RN: NDArray[np.intp], count: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """The proxy score of `count` answers to each prompt, and whether gold says that they are right."""
    upto_PA = np.cumsum(policy_PA, axis=1)
    # All prompts in one rising sequence: prompt p has its answers between p and p + 1.
    upto = (upto_PA / upto_PA[:, -1:] + np.arange(len(policy_PA))[:, None]).ravel()
    wanted_RNM = chosen_RN[..., None] + rng.random((*chosen_RN.shape, count))
    place_RNM = np.minimum(np.searchsorted(upto, wanted_RNM, side="right"), len(upto) - 1)
    return answers.proxy_PA.ravel()[place_RNM], rng.random(place_RNM.shape) < answers.gold_PA.ravel()[place_RNM]


def _grid(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Qualities and traits, both P x A with A the product of their numbers, and how easy prompts are, P x 1."""
    quality_PQ1, trait_P1S = rng.standard_normal((PROMPTS, QUALITIES, 1)), rng.standard_normal((PROMPTS, 1, TRAITS))
    shape = (PROMPTS, QUALITIES, TRAITS)
    quality_PA, trait_PA = (np.broadcast_to(one, shape).reshape(PROMPTS, -1) for one in (quality_PQ1, trait_P1S))
    return quality_PA, trait_PA, rng.standard_normal((PROMPTS, 1))


def chance_right(quality_PA: Floats, ease_P1: Floats, harm_PA: Floats | float = 0.0) -> Floats:
    """The chance that gold says right: log odds of quality and of how easy the prompt is, less those of the harm."""
    logits_PA = _SLOPE * quality_PA + _EASE * ease_P1 - harm_PA
    return np.asarray(1 / (1 + np.exp(-logits_PA)))


def _gold(answers: Answers, strength: float) -> float:
    return truth_of(answers, tilted(answers, strength)).gold


def _peak(answers: Answers) -> float:
    """The strength at which gold is best."""
    from scipy.optimize import minimize_scalar

    # Gold may have a second, lower peak, so the highest one is looked for from close by.
    strengths = [0.0, *np.geomspace(0.01, _STRONGEST, 30).tolist()]
    nearest = int(np.argmax([_gold(answers, one) for one in strengths]))
    around = strengths[max(0, nearest - 1)], strengths[min(nearest + 1, len(strengths) - 1)]
    found = minimize_scalar(lambda one: -_gold(answers, one), bounds=around, method="bounded", options={"xatol": 1e-3})
    return float(found.x)


def _where(function: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Where between `low` and `high` a function that crosses `value` there does so."""
    from scipy.optimize import brentq

    return float(brentq(lambda at: function(at) - value, low, high, xtol=_CLOSE))
