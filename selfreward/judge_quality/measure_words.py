"""What each measure of a judge says, in a few words."""

from collections.abc import Mapping

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
