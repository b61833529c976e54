"""How good a reward model is on pairs that it was not trained on, and how far its members agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

from selfreward.judge_quality.estimate import Measure, mean_of, share_of

_NOTHING = "no pair was scored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """What each member gave both answers of a pair, whose first is the better one, and how many words they have."""

    prompt_id: str
    better: tuple[float, ...]
    worse: tuple[float, ...]
    better_words: int
    worse_words: int

    @property
    def apart(self) -> float:
        """By how much the mean reward of the better answer is the higher one."""
        return fmean(self.better) - fmean(self.worse)


def reward_measures(pairs: Sequence[ScoredPair], left_out: int, seed: int) -> dict[str, Measure]:
    """The measures of a reward model, or an ensemble by its mean, on pairs; intervals resample prompts.

    accuracy: the share of pairs whose better answer has the higher reward, a tie for half. Also of the pairs in which
        that is the longer answer, in words, and of those in which it is the shorter one: a model that goes by length
        alone has 1 and 0.
    log_loss: the mean of -log sigmoid(d), d by how much the reward of the better answer is higher, in nats; a model
        that tells nothing has log 2.
    overconfidence: the mean of sigmoid(|d|), which is the chance that it gives its own choice, less the accuracy. It
        rests at 0 for a calibrated model, without the upward bias of binned errors.
    mean_reward: of both answers. spread: the mean distance of the two rewards.
    member_agreement: of an ensemble, the share of two members who prefer the same answer, mean over all two of them.

    `left_out` pairs had no reward, and are told of with the accuracy.
    """
    prompts = [one.prompt_id for one in pairs]
    hits = [_hit(one.apart) for one in pairs]
    longer = [hit if one.better_words > one.worse_words else None for hit, one in zip(hits, pairs, strict=True)]
    shorter = [hit if one.better_words < one.worse_words else None for hit, one in zip(hits, pairs, strict=True)]
    return {
        "accuracy": replace(share_of(hits, prompts, _NOTHING), left_out=left_out),
        "accuracy_where_longer": share_of(longer, prompts, "no better answer was the longer one"),
        "accuracy_where_shorter": share_of(shorter, prompts, "no better answer was the shorter one"),
        "log_loss": mean_of([_softplus(-one.apart) for one in pairs], prompts, seed, _NOTHING),
        "overconfidence": mean_of(
            [1 / (1 + math.exp(-abs(one.apart))) - hit for hit, one in zip(hits, pairs, strict=True)],
            prompts,
            seed,
            _NOTHING,
        ),
        "mean_reward": mean_of([fmean((*one.better, *one.worse)) for one in pairs], prompts, seed, _NOTHING),
        "spread": mean_of([abs(one.apart) for one in pairs], prompts, seed, _NOTHING),
        "member_agreement": share_of([_agreement(one) for one in pairs], prompts, "it has one member"),
    }


def accuracy_by_set(pairs: Sequence[ScoredPair], sets: Sequence[Sequence[str]]) -> dict[str, Measure]:
    """The accuracy on each set that is a part of `pairs`, and not all of them, by its name; `sets` names those of each.

    Whether a model is as good on all that it is asked about does not show in a mean.
    """
    names = sorted({name for of_pair in sets for name in of_pair})
    parts = {name: [one for one, own in zip(pairs, sets, strict=True) if name in own] for name in names}
    return {
        name: share_of([_hit(one.apart) for one in part], [one.prompt_id for one in part], _NOTHING)
        for name, part in parts.items()
        if len(part) < len(pairs)
    }


def _hit(apart: float) -> float:
    return 0.5 if apart == 0 else float(apart > 0)


def _softplus(value: float) -> float:
    """The logarithm of 1 + exp(value), without overflow."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _agreement(pair: ScoredPair) -> float | None:
    """The share of two members who prefer the same answer; None of a single member."""
    hits = [_hit(better - worse) for better, worse in zip(pair.better, pair.worse, strict=True)]
    both = [float(one == other) for one, other in combinations(hits, 2)]
    return fmean(both) if both else None
