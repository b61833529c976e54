"""A judge's figures on a page: what each measure says, biases beside where they rest, how scores are spread."""

from collections.abc import Mapping, Sequence

from selfreward.judge_quality.bias import ScoreBin
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.measures import BIASES
from selfreward.report.charts import Bar, Figure, bar_chart, interval_chart
from selfreward.report.figures import MINUS, below, count, limits, share

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
_RESTS = {name: 1.0 if name == "parse_rate" else 0.0 for name in BIASES if name != "share_at_maximum"}


def biases(measures: Sequence[Measure]) -> Figure:
    """The biases on one axis, each with its interval and, dashed, the value of a judge without it."""
    given = {one.name: one.interval for one in measures}
    there = [(name, found, _RESTS.get(name)) for name in BIASES if (found := given.get(name)) is not None]
    if not there:
        return Figure("Biases", None, missing="None could be measured.")
    rows = [(named(name), share(found.value), limits(found)) for name, found, _ in there]
    drawing = interval_chart("Biases with 95% intervals", there)
    return Figure("Biases", drawing, ("bias", "value", "95% interval"), rows)


def histogram(scores: Sequence[ScoreBin]) -> Figure | None:
    """How often each score was given; None where the judge gives no scores."""
    bars = []
    for one in scores:
        name = f"{one.low:.4g}" if one.low == one.high else f"{one.low:.3g} to {one.high:.3g}"
        bars.append(Bar(name.replace("-", MINUS), ((one.count, 0),), count(one.count)))
    most = max((one.count for one in scores), default=0)
    return Figure("Scores", bar_chart("Scores", bars, full=most)) if bars else None


def named(name: str) -> str:
    """The name of a measure, and below it what it says."""
    return below(name.replace("_", " "), ABOUT[name])
