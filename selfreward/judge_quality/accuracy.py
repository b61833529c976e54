"""How often a judge says what people say, and whether it knows when it does not.

Which answer is called the first carries no meaning, so for chance agreement and correlations each item counts half in
each orientation: pairs that all have the right answer first would have a kappa of 0, whatever the judge says.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from selfreward.judge_quality.agreement import kendall, quadratic_kappa, spearman, table_kappa
from selfreward.judge_quality.estimate import Array, Measure, mean_of, measure_of, missing, share_of
from selfreward.judge_quality.verdicts import Judged, prompts_of
from selfreward.judges.base import Scale
from selfreward.judges.both_orders import verdict_of
from selfreward.records import SWAPPED, Verdict, majority

_BINS = 10
_NO_DECIDED = "no item has both a preference of the judge and a side that most people took"
_NO_SCORES = "the judge gives no scores"


def accuracy(judged: Sequence[Judged]) -> Measure:
    """The share of items on which the judge prefers the answer most people prefer; 0.5 of an item for a tie.

    Left out: items the judge did not answer, and those on which most people saw a tie or there is no majority.
    """
    return share_of([hit(pair) for pair in judged], prompts_of(judged), _NO_DECIDED)


def kappa(judged: Sequence[Judged], seed: int) -> Measure:
    """Cohen's kappa of the judge against the majority of people, each item in both orientations.

    Three classes where any person called any item a tie, else two: the judge's tie then counts half for each side, and
    kappa is 2 * accuracy - 1. Left out: items without a preference or a majority.
    """
    both = [
        (people, verdict_of(said.preference), item.messages)
        for item, said in judged
        if (people := majority(item.verdicts)) is not None and said.preference is not None
    ]
    left_out = len(judged) - len(both)
    if not both:
        return missing("no item has both a preference of the judge and a majority of people", left_out)
    may_tie = any("tie" in item.verdicts for item, _ in judged)
    classes: tuple[Verdict, ...] = ("first", "second", "tie") if may_tie else ("first", "second")
    tables_PKK = np.zeros((len(both), len(classes), len(classes)))
    for table_KK, (people, judge, _) in zip(tables_PKK, both, strict=True):
        votes: tuple[Verdict, ...] = (judge,) if judge in classes else ("first", "second")
        for vote in votes:
            table_KK[classes.index(people), classes.index(vote)] += 0.5 / len(votes)
            table_KK[classes.index(SWAPPED[people]), classes.index(SWAPPED[vote])] += 0.5 / len(votes)
    why, those = "people and the judge use one class alone", [prompt for _, _, prompt in both]

    def library() -> float:
        from sklearn.metrics import cohen_kappa_score

        table_KK = tables_PKK.sum(axis=0)
        rows, columns = np.indices(table_KK.shape)
        return float(cohen_kappa_score(rows.ravel(), columns.ravel(), sample_weight=table_KK.ravel()))

    return measure_of(table_kappa(tables_PKK), those, seed, why, left_out=left_out, library=library)


def score_kappa(judged: Sequence[Judged], scale: Scale | None, seed: int) -> Measure:
    """Quadratic-weighted kappa of the judge's scores against people's ratings of the single answers.

    Missing without ratings or scores, and where a rating lies outside the judge's `scale` (lowest, highest).
    """
    answers = [
        (position, score, rating)
        for position, (item, said) in enumerate(judged)
        for score, rating in ((said.first_score, item.first_rating), (said.second_score, item.second_rating))
        if score is not None and rating is not None
    ]
    left_out = len(judged) - len({position for position, _, _ in answers})
    if not any(rating is not None for item, _ in judged for rating in (item.first_rating, item.second_rating)):
        return missing("people gave no ratings of single answers", left_out)
    if not answers:
        return missing("no answer has both a score and a rating", left_out)
    if scale is None:
        return missing("the judge's scores have no scale to compare with people's ratings", left_out)
    positions, scores, ratings = zip(*answers, strict=True)
    if min(ratings) < scale[0] or max(ratings) > scale[1]:
        why = f"people rate from {min(ratings):g} to {max(ratings):g}, the judge from {scale[0]:g} to {scale[1]:g}"
        return missing(why, left_out)
    items, item_O = np.unique(positions, return_inverse=True)
    those = [judged[item][0].messages for item in items]
    measure = quadratic_kappa(np.array(scores, np.float64), np.array(ratings, np.float64), item_O, those, seed)
    return replace(measure, left_out=left_out)


def rank_correlations(judged: Sequence[Judged], seed: int) -> tuple[Measure, Measure]:
    """Spearman and Kendall (tau-b) of the judge's margin, first score less second, with people's mean verdict.

    People's mean verdict is the share that took the first less the share that took the second; it is coarse, so a
    perfect judge stays below 1. Missing without scores, or where either is 0 throughout.
    """
    there, those = [], []
    for item, said in judged:
        if said.first_score is not None and said.second_score is not None and item.verdicts:
            votes = item.verdicts.count("first") - item.verdicts.count("second")
            there.append((said.first_score - said.second_score, votes / len(item.verdicts)))
            those.append(item.messages)
    left_out = len(judged) - len(there)
    if not there:
        return missing(_NO_SCORES, left_out), missing(_NO_SCORES, left_out)
    margin_P, people_P = np.array(there, dtype=np.float64).T
    margin_O, people_O = np.concatenate([margin_P, -margin_P]), np.concatenate([people_P, -people_P])
    item_O = np.tile(np.arange(len(there)), 2)
    rho = spearman(margin_O, people_O, item_O, those, seed)
    tau = kendall(margin_O, people_O, item_O, those, seed)
    return replace(rho, left_out=left_out), replace(tau, left_out=left_out)


def calibration_error(judged: Sequence[Judged], seed: int) -> Measure:
    """The expected calibration error of soft preferences: the mean distance between confidence and accuracy.

    Confidence is max(p, 1 - p), in 10 equal bins from 0.5 to 1, which weigh by their items. Items as in `accuracy`.
    Biased upwards: a perfectly calibrated judge shows up to 1.26 / sqrt(n) on n items, and its interval is shifted as
    much again. Missing for hard verdicts. Source: Naeini, Cooper and Hauskrecht 2015, on the chosen side.
    """
    there, those = [], []
    for item, said in judged:
        if said.preference is not None and (found := hit((item, said))) is not None:
            there.append((said.preference, found))
            those.append(item.messages)
    left_out = len(judged) - len(there)
    if not there:
        return missing(_NO_DECIDED, left_out)
    preference_P, hit_P = np.array(there, dtype=np.float64).T
    if np.isin(preference_P, (0, 0.5, 1)).all():
        return missing("hard verdicts carry no confidence", left_out)
    confidence_P = np.maximum(preference_P, 1 - preference_P)
    bin_P = np.minimum(((confidence_P - 0.5) * 2 * _BINS).astype(int), _BINS - 1)
    gap_PD = np.eye(_BINS)[bin_P] * (confidence_P - hit_P)[:, None]

    def error(weights_BP: Array) -> Array:
        return np.asarray(np.abs(weights_BP @ gap_PD).sum(axis=1) / weights_BP.sum(axis=1))

    return measure_of(error, those, seed, _NO_DECIDED, left_out=left_out)


def mean_score(judged: Sequence[Judged], seed: int) -> Measure:
    """The judge's mean score, in its own unit; the scores of one item are averaged first."""
    means = [fmean(scores) if scores else None for scores in map(scores_of, judged)]
    return mean_of(means, prompts_of(judged), seed, _NO_SCORES)


def tie_share(judged: Sequence[Judged]) -> Measure:
    """The share of answered items on which the judge prefers neither answer."""
    ties = [None if said.preference is None else float(said.preference == 0.5) for _, said in judged]
    return share_of(ties, prompts_of(judged), "the judge answered no item")


def hit(pair: Judged) -> float | None:
    """1 where the judge prefers the answer most people prefer, 0 where the other, 0.5 for its tie; None if unknown."""
    item, said = pair
    side = majority(item.verdicts)
    if said.preference is None or side is None or side == "tie":
        return None
    judge = verdict_of(said.preference)
    return 0.5 if judge == "tie" else float(judge == side)


def scores_of(pair: Judged) -> list[float]:
    """The scores the judge gave to the answers of one item: none, one or two."""
    return [score for score in (pair[1].first_score, pair[1].second_score) if score is not None]
