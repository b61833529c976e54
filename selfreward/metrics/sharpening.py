"""Sharpening told from learning: a policy beside the start model at the temperature of equal diversity.

Training on one's own likeliest answers lowers entropy, and so does sampling the start model at a lower temperature.
What a policy gains over the start model *at the same distinct share* is what sharpening alone does not give.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.estimators import distinct_share, pass_at_k
from selfreward.metrics.evaluation import Gains, MatchedStart, StratumScores
from selfreward.metrics.intervals import Interval, bootstrap_mean, bootstrap_of, matched_weight, paired_difference
from selfreward.records import Finish, Stratum
from selfreward.thought import estimated_answer_tokens

GREEDY = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedAnswer:
    """One answer to a held-out prompt. Temperature 0 is greedy.

    `answer` is the extracted short answer (closed prompts; None where the text commits to none), `right` whether it
    matches a reference; None where there is nothing to compare with, or nobody can tell in time. `thought` and `tokens`
    as in `records.Candidate`.
    """

    prompt_id: str
    stratum: Stratum
    temperature: float
    index: int
    text: str
    answer: str | None
    right: bool | None
    finish: Finish
    tokens: int
    thought: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """What answers at one temperature say of each closed prompt, over prompts in a fixed order."""

    right_P: NDArray[np.float64]
    distinct_P: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _OnLadder:
    """A policy beside the start model as it was sampled at each rung, over the same closed prompts.

    Row 0 is the policy's and the others are the rungs', so that a resample takes the mean of all at once.
    """

    right_SP: NDArray[np.float64]
    distinct_SP: NDArray[np.float64]

    def place(self, chosen_P: NDArray[np.intp]) -> tuple[int, int, float]:
        """Where on the ladder the start model is as varied, over the chosen prompts."""
        return matched_weight(*_means(self.distinct_SP, chosen_P))

    def gain(self, chosen_P: NDArray[np.intp]) -> float:
        """The gain in pass@1 there."""
        own, rungs_T = _means(self.right_SP, chosen_P)
        # Where on the ladder diversity is equal is itself an estimate, so every resample of prompts has its own place.
        return own - _between(self.place(chosen_P), rungs_T)


def stratum_scores(
    answers: Sequence[EvaluatedAnswer], stratum: Stratum, k: int, temperature: float, seed: int
) -> StratumScores | None:
    """The scores of one stratum, sampled at `temperature`; None where it has no prompt."""
    greedy = _by_prompt(answers, stratum, GREEDY)
    sampled = _by_prompt(answers, stratum, temperature)
    if not sampled:
        return None
    drawn = [one for group in sampled.values() for one in group]
    judged = [group for group in sampled.values() if _is_decided(group)]
    of_k = [pass_at_k(sum(bool(one.right) for one in group), len(group), k) for group in judged]
    return StratumScores(
        prompts=len(sampled),
        k=k,
        temperature=temperature,
        greedy_accuracy=bootstrap_mean(_right(greedy), seed),
        pass_at_1=bootstrap_mean(_right(sampled), seed),
        pass_at_k=bootstrap_mean(of_k, seed),
        distinct_share=fmean(_distinct_shares(sampled)),
        mean_tokens=fmean(estimated_answer_tokens(one.tokens, one.thought, one.text) for one in drawn),
        truncation_rate=fmean(one.finish == "length" for one in drawn),
        unread_rate=fmean(one.answer is None for one in drawn) if stratum == "closed" else None,
    )


def compare_with_start(
    answers: Sequence[EvaluatedAnswer],
    start: Sequence[EvaluatedAnswer],
    temperature: float,
    rungs: Sequence[float],
    seed: int,
) -> tuple[Gains, MatchedStart] | None:
    """The gains over the start model as it is, and over it at equal diversity; None without a scored closed prompt.

    `rungs` are the temperatures, ascending from greedy, at which `start` was sampled. The start model at equal
    distinct share is read off between two neighbouring rungs, prompt by prompt. Its greedy answer does not depend on
    a temperature, so the greedy difference is the same in both.
    """
    answers, start = _all_decided(answers, start)
    found = _on_ladder(answers, start, temperature, rungs)
    if found is None:
        return None
    own_P = found.right_SP[0]
    greedy_P = _right(_by_prompt(answers, "closed", GREEDY))
    start_greedy_P, start_P = (_right(_by_prompt(start, "closed", one)) for one in (GREEDY, temperature))
    greedy = paired_difference(greedy_P, start_greedy_P, seed)
    since_start = Gains(greedy_accuracy=greedy, pass_at_1=paired_difference(own_P, start_P, seed))
    everyone_P = np.arange(len(own_P))
    place = found.place(everyone_P)
    return since_start, MatchedStart(
        temperature=_between(place, rungs),
        distinct_share=_between(place, _means(found.distinct_SP, everyone_P)[1]),
        off_ladder=place[0] == place[1],
        pass_at_1=_between(place, _means(found.right_SP, everyone_P)[1]),
        gain=Gains(greedy_accuracy=greedy, pass_at_1=bootstrap_of(found.gain, len(own_P), seed)),
    )


def matched_difference(
    answers: Sequence[EvaluatedAnswer],
    others: Sequence[EvaluatedAnswer],
    start: Sequence[EvaluatedAnswer],
    temperature: float,
    seed: int,
) -> Interval | None:
    """How much more the policy of `answers` gains over `start` at equal diversity than that of `others`.

    Each policy is matched by itself, over the same prompts in every resample; None without a scored closed prompt.
    `start` was sampled on its ladder.
    """
    answers, others, start = _all_decided(answers, others, start)
    rungs = sorted({one.temperature for one in start if one.stratum == "closed"})
    own, other = (_on_ladder(one, start, temperature, rungs) for one in (answers, others))
    if own is None or other is None:
        return None
    return bootstrap_of(lambda chosen_P: own.gain(chosen_P) - other.gain(chosen_P), own.right_SP.shape[1], seed)


def _between(place: tuple[int, int, float], values_T: Sequence[float]) -> float:
    """A value read off the ladder at `place`, between two of its rungs."""
    low, high, weight = place
    return (1 - weight) * values_T[low] + weight * values_T[high]


def _on_ladder(
    answers: Sequence[EvaluatedAnswer], start: Sequence[EvaluatedAnswer], temperature: float, rungs: Sequence[float]
) -> _OnLadder | None:
    """None where the policy was asked no closed prompt."""
    own = _sampled(answers, temperature)
    if not len(own.right_P):
        return None
    drawn = sum(one.temperature == temperature for one in answers if one.stratum == "closed")
    all_S = (own, *(_sampled(start, rung, drawn // len(own.right_P)) for rung in rungs))
    return _OnLadder(np.stack([one.right_P for one in all_S]), np.stack([one.distinct_P for one in all_S]))


def _sampled(answers: Sequence[EvaluatedAnswer], temperature: float, k: int = 1) -> _Sampled:
    groups = _by_prompt(answers, "closed", temperature)
    right_P = np.array(_right(groups))
    if temperature == GREEDY:
        # k greedy answers would all be the same one, so their distinct share is known.
        return _Sampled(right_P, np.full(len(right_P), 1 / k))
    return _Sampled(right_P, np.array(_distinct_shares(groups)))


def _means(values_SP: NDArray[np.float64], chosen_P: NDArray[np.intp]) -> tuple[float, list[float]]:
    """The means over the chosen prompts: of the policy, and of each rung."""
    own, *rungs_T = values_SP.take(chosen_P, axis=1).mean(axis=1).tolist()
    return own, rungs_T


def _by_prompt(
    answers: Sequence[EvaluatedAnswer], stratum: Stratum, temperature: float
) -> dict[str, list[EvaluatedAnswer]]:
    groups: dict[str, list[EvaluatedAnswer]] = defaultdict(list)
    for answer in answers:
        if answer.stratum == stratum and answer.temperature == temperature:
            groups[answer.prompt_id].append(answer)
    return dict(sorted(groups.items()))


def _right(groups: dict[str, list[EvaluatedAnswer]]) -> list[float]:
    """The share of right answers for each prompt of which every answer is known to be right or wrong."""
    return [fmean(bool(one.right) for one in group) for group in groups.values() if group and _is_decided(group)]


def _is_decided(group: Sequence[EvaluatedAnswer]) -> bool:
    return all(one.right is not None for one in group)


def _all_decided(*several: Sequence[EvaluatedAnswer]) -> list[list[EvaluatedAnswer]]:
    """Each without the closed prompts that have an undecided answer in any, so that they stay paired by prompt."""
    undecided = {one.prompt_id for some in several for one in some if one.stratum == "closed" and one.right is None}
    return [[one for one in some if one.prompt_id not in undecided] for some in several]


def _distinct_shares(groups: dict[str, list[EvaluatedAnswer]]) -> list[float]:
    """That of each prompt; there is an answer to every one."""
    shares = [
        distinct_share([one.text if one.answer is None else one.answer for one in group]) for group in groups.values()
    ]
    return [share for share in shares if share is not None]
