"""What share of answers is right, when a judge that errs says so of some: corrected by how it errs on gold.

Gold says how often it calls a right answer right (sensitivity) and a wrong one wrong (specificity), so that both errors
can be taken out (Rogan and Gladen 1978; of judges that are models, Lee et al. 2025, 2511.21140).
"""

from collections.abc import Sequence
from statistics import fmean

from selfreward.judge_quality.estimate import Measure, mean_of, missing, share_of
from selfreward.judge_quality.verdicts import Judged, prompts_of
from selfreward.judges.base import Scale
from selfreward.records import majority

RATES = ("sensitivity", "specificity", "informedness")

_Z = 1.959964
_NO_SCALE = "the judge's scores have no scale, in whose upper half an answer is right"
_NO_BOTH = "no item on which most people took a side has the judge's score of both answers"


def right_rates(judged: Sequence[Judged], scale: Scale | None, seed: int) -> dict[str, Measure]:
    """The `RATES` of a judge that scores: how well being called right tells the answer most people prefer.

    Right is as `called_right` says. Sensitivity is the share of preferred answers that are called right, specificity
    that of the others that are not, and informedness (Youden's J) their sum less 1: 1 all are told, 0 none. Left out:
    items on which a score is missing or most people took no side.
    """
    if scale is None:
        return dict.fromkeys(RATES, missing(_NO_SCALE, len(judged)))
    right: list[float | None] = []
    wrong: list[float | None] = []
    for item, said in judged:
        side, first, second = majority(item.verdicts), said.first_score, said.second_score
        if side in (None, "tie") or first is None or second is None:
            right.append(None)
            wrong.append(None)
        else:
            better, worse = (first, second) if side == "first" else (second, first)
            right.append(called_right([better], scale))
            wrong.append(1 - called_right([worse], scale))
    prompts = prompts_of(judged)
    apart = [None if a is None or b is None else a + b - 1 for a, b in zip(right, wrong, strict=True)]
    rates = share_of(right, prompts, _NO_BOTH), share_of(wrong, prompts, _NO_BOTH)
    return dict(zip(RATES, (*rates, mean_of(apart, prompts, seed, _NO_BOTH)), strict=True))


def called_right(scores: Sequence[float], scale: Scale) -> float:
    """The share of `scores` in the upper half of `scale` (lowest, highest), one at the middle for half."""
    middle = sum(scale) / 2
    return fmean(0.5 + ((score > middle) - (score < middle)) / 2 for score in scores)


def corrected_share(said: Measure, sensitivity: Measure, specificity: Measure, apart: Measure) -> Measure:
    """The share of answers that are right, when `said` is the share that the judge calls right.

    (said + specificity - 1) / (sensitivity + specificity - 1), cut to [0, 1], with a 95% interval by the delta method
    that counts the noise of the answers and of gold. `apart`, the informedness, says how the two rates vary together.
    A success and a failure are added to each of the three shares for their variance and the middle of the interval
    (Lang and Reiczigel 2014). Missing where one of them is, or where the interval of `apart` holds 0.
    """
    for one in (said, sensitivity, specificity, apart):
        if one.interval is None:
            return missing(str(one.why_missing))
    assert apart.low is not None, "what does not exist was returned"
    if apart.low <= 0:
        reason = f"informedness {apart.low:.3g} to {apart.high:.3g}"
        return missing(f"on gold the judge does not tell right answers from wrong ones: {reason}")
    (p, of_p), (right, of_right), (wrong, of_wrong) = (_smoothed(one) for one in (said, sensitivity, specificity))
    middle = _solved(p, right, wrong)
    # How the two rates vary together, from the variance of their sum.
    both = ((apart.error or 0.0) ** 2 - (sensitivity.error or 0.0) ** 2 - (specificity.error or 0.0) ** 2) / 2
    most = float((of_right * of_wrong) ** 0.5)
    variance = of_p + (1 - middle) ** 2 * of_wrong + middle**2 * of_right
    variance -= 2 * middle * (1 - middle) * min(most, max(-most, both))
    room = right + wrong - 1
    reach = _Z * max(variance, 0.0) ** 0.5 / room if room > 0 else 1.0
    value = _solved(*(_value(one) for one in (said, sensitivity, specificity)))
    low, high = max(0.0, min(value, middle - reach)), min(1.0, max(value, middle + reach))
    return Measure(value=value, low=low, high=high, n=said.n, left_out=said.left_out, prompts=said.prompts)


def _value(measure: Measure) -> float:
    assert measure.value is not None, "only what exists is used"
    return measure.value


def _smoothed(measure: Measure) -> tuple[float, float]:
    """A share with a success and a failure more, and its variance."""
    assert measure.effective is not None, "it is a share"
    share = (_value(measure) * measure.effective + 1) / (measure.effective + 2)
    return share, share * (1 - share) / (measure.effective + 2)


def _solved(said: float, right: float, wrong: float) -> float:
    room = right + wrong - 1
    return min(1.0, max(0.0, (said + wrong - 1) / room)) if room > 0 else 0.5
