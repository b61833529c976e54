"""All measures of one judge on labelled items, and of the people who labelled them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from selfreward.judge_quality import accuracy, bias
from selfreward.judge_quality.agreement import fleiss_kappa, krippendorff_alpha, mean_pairwise_kappa
from selfreward.judge_quality.corrected import right_rates
from selfreward.judge_quality.estimate import Measure, Measures, Prompts
from selfreward.judge_quality.verdicts import Labelled, Verdicts, judged
from selfreward.judges.base import Scale
from selfreward.records import SWAPPED, Verdict

BIASES = (
    "flip_rate",
    "same_position",
    "position_preference",
    "length_slope",
    "self_preference",
    "share_at_maximum",
    "parse_rate",
)
ABOUT: Mapping[str, str] = {
    "accuracy": "pairs on which it prefers what most people prefer, a tie for half; a coin has .5",
    "kappa": "agreement with most people beyond chance; a coin has 0",
    "quadratic_kappa": "agreement of its scores with people's ratings, near misses counted less",
    "spearman": "rank correlation of its margins with people's",
    "kendall": "the same by pairs of items, tau-b",
    "calibration_error": "how far its confidence is from its accuracy; 0 is best",
    "flip_rate": "verdicts that change when the two answers change places; rests at 0",
    "same_position": "the same place wins in both orders, of decided pairs; rests at 0",
    "position_preference": "preference for the answer shown first, less one half; rests at 0",
    "length_slope": "preference gained by being twice as long, at equal human label; rests at 0",
    "self_preference": "preference for its own answers, at equal human label and length; rests at 0",
    "length_slope_corrected": "length slope without the errors of people's labels; needs several verdicts a pair",
    "self_preference_corrected": "self-preference without those errors; needs several verdicts a pair",
    "share_at_maximum": "scores at the top of the scale",
    "parse_rate": "verdicts that could be read; rests at 1",
    "mean_score": "in the judge's own unit",
    "tie_share": "pairs on which it prefers neither",
    "sensitivity": "preferred answers that it calls right: scores in the upper half of its scale",
    "specificity": "the other answers that it does not call right",
    "informedness": "sensitivity and specificity less 1; 0 tells nothing",
    "fleiss_kappa": "agreement of people beyond chance, all at once",
    "krippendorff_alpha": "the same, for any number of people",
    "mean_pairwise_kappa": "Cohen's kappa, mean over all two of them: the ceiling of the judge's kappa",
}
"""What each measure says, in a few words."""
_DECIMALS = 6  # far above what another order of summation moves, far below what a gate would notice


def judge_measures(
    items: Sequence[Labelled], verdicts: Sequence[Verdicts], *, own: Collection[str], scale: Scale | None, seed: int
) -> dict[str, Measure]:
    """Every measure of a judge: quality, those named in `BIASES`, two of them corrected, mean score, ties, `RATES`.

    `own` names the authors whose answers are the judge's own, `scale` the lowest and highest score it can give (None:
    no bounds, or no scores). Raises ValueError where verdicts and items do not belong together one by one.
    """
    pairs = judged(items, verdicts)
    spearman, kendall = accuracy.rank_correlations(pairs, seed)
    return {
        "accuracy": accuracy.accuracy(pairs),
        "kappa": accuracy.kappa(pairs, seed),
        "quadratic_kappa": accuracy.score_kappa(pairs, scale, seed),
        "spearman": spearman,
        "kendall": kendall,
        "calibration_error": accuracy.calibration_error(pairs, seed),
        "flip_rate": bias.flip_rate(pairs),
        "same_position": bias.same_position(pairs),
        "position_preference": bias.position_preference(pairs, seed),
        "length_slope": bias.length_slope(pairs, own, seed),
        "self_preference": bias.self_preference(pairs, own, seed),
        "share_at_maximum": bias.share_at_maximum(pairs, scale),
        "parse_rate": bias.parse_rate(pairs),
        "length_slope_corrected": bias.length_slope(pairs, own, seed, corrected=True),
        "self_preference_corrected": bias.self_preference(pairs, own, seed, corrected=True),
        "mean_score": accuracy.mean_score(pairs, seed),
        "tie_share": accuracy.tie_share(pairs),
        **right_rates(pairs, scale, seed),
    }


def rater_measures(
    votes_P: Sequence[Sequence[Verdict | None]], seed: int, prompts: Prompts | None = None
) -> dict[str, Measure]:
    """How far raters agree among themselves: people (the ceiling for any judge) or the members of a jury.

    Fleiss' kappa, Krippendorff's alpha (nominal) and the mean pairwise Cohen's kappa; one sequence an item, one place
    a rater, None for a missing verdict. Each item counts in both orientations, as `accuracy.py` says. Items that
    share one of `prompts` are resampled together.
    """
    both_O = [*votes_P, *([None if vote is None else SWAPPED[vote] for vote in votes] for votes in votes_P)]
    # What is said of an item in both orientations is resampled as one.
    those_O = [*(prompts or range(len(votes_P)))] * 2
    measures = {
        "fleiss_kappa": fleiss_kappa(both_O, seed, those_O),
        "krippendorff_alpha": krippendorff_alpha(both_O, "nominal", seed, those_O),
        "mean_pairwise_kappa": mean_pairwise_kappa(both_O, seed, those_O),
    }
    return {name: replace(one, n=one.n // 2, left_out=one.left_out // 2) for name, one in measures.items()}


def rounded(measures: Measures) -> dict[str, Measure]:
    """Measures with six decimals: the last digits hang on the order in which a machine adds."""
    return {
        name: Measure(**{field: _rounded(value) for field, value in asdict(one).items()})
        for name, one in measures.items()
    }


def _rounded(value: Any) -> Any:
    return round(value, _DECIMALS) + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0
