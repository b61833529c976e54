"""How the judge of a round differs from that of the round before: both scored the same gold answers."""

from dataclasses import dataclass

import numpy as np

from selfreward.judge_quality.accuracy import hit
from selfreward.judge_quality.agreement import kendall
from selfreward.judge_quality.estimate import Measure, Measures, mean_of, missing
from selfreward.judge_quality.verdicts import Judged, Verdicts, judged, labelled
from selfreward.reading.rounds import Round
from selfreward.records import GoldPair

_SEED = 0  # of the intervals taken here; those of the stages come with their own


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChange:
    """The judge of a round beside that of the round before, whose pairs of judgments it was trained on.

    `measures` are `accuracy_change` and `mean_score_change`, pair by pair on gold, and `kendall`: tau-b of the scores
    that both gave to the same gold answers. Replies are drawn, so two draws of one judge have a tau below 1 too.
    """

    measures: Measures


def judge_change(one: Round, before: Round | None) -> JudgeChange | None:
    """How the judge changed; None where no judgments were judged in the round `before`, or none is measured now."""
    if before is None or before.meta is None or "health" not in one.stages or "health" not in before.stages:
        return None
    earlier, now = _on_gold(before), _on_gold(one)
    prompts = [item.messages for item, _ in now]
    hits = [_less(hit(new), hit(old)) for old, new in zip(earlier, now, strict=True)]
    means = [_less(_mean(new[1]), _mean(old[1])) for old, new in zip(earlier, now, strict=True)]
    return JudgeChange(
        measures={
            "accuracy_change": mean_of(hits, prompts, _SEED, "no gold pair has a verdict of both judges"),
            "mean_score_change": mean_of(means, prompts, _SEED, "no gold pair has the scores of both judges"),
            "kendall": _consistency(earlier, now),
        }
    )


def _on_gold(one: Round) -> list[Judged]:
    said = list(one.stages["health"].records(Verdicts))
    pairs = {pair.id: labelled(pair) for pair in one.sources["gold_gate"].records(GoldPair)}
    return judged([pairs[each.id] for each in said], said)


def _less(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old


def _mean(said: Verdicts) -> float | None:
    if said.first_score is None or said.second_score is None:
        return None
    return (said.first_score + said.second_score) / 2


def _consistency(earlier: list[Judged], now: list[Judged]) -> Measure:
    """Kendall's tau-b of the scores of all answers that both judges scored; pairs of one prompt are resampled as one.

    Source: Wang et al. 2024 (2410.12735), which rank the answers of each prompt by both models. Here the answers of all
    gold pairs are ranked together, since a pair has but two.
    """
    numbers: dict[object, int] = {}
    rows = [
        (old, new, numbers.setdefault(item.messages, len(numbers)))
        for (_, before), (item, after) in zip(earlier, now, strict=True)
        for old, new in ((before.first_score, after.first_score), (before.second_score, after.second_score))
        if old is not None and new is not None
    ]
    if not rows:
        return missing("no gold answer has the scores of both judges", 2 * len(now))
    old_O, new_O, item_O = (np.array(column) for column in zip(*rows, strict=True))
    found = kendall(old_O.astype(np.float64), new_O.astype(np.float64), item_O, range(len(numbers)), _SEED)
    return found
