"""What share of answers is right, when a judge that errs says so of some: corrected by how it errs on gold.

A judge that calls answers right states a share that is off by both of its errors, however many answers it sees. Gold
says how often it calls a right answer right (sensitivity) and a wrong one wrong (specificity), and then both can be
taken out (Rogan and Gladen 1978; of judges that are models, Lee et al. 2025, 2511.21140).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from selfreward.judge_quality.accuracy import Scale
from selfreward.judge_quality.estimate import Measure, mean_of, missing, share_of
from selfreward.judge_quality.verdicts import Judged
from selfreward.metrics.intervals import Interval
from selfreward.records import Message, majority

RATES = ("sensitivity", "specificity", "informedness")

_Z = 1.959964
_NO_SCALE = "the judge's scores have no scale, in whose upper half an answer is right"
_NO_BOTH = "no item on which most people took a side has the judge's score of both answers"


def right_rates(judged: Sequence[Judged], scale: Scale | None, seed: int) -> tuple[Measure, ...]:
    """The `RATES` of a judge that scores: how well being called right tells the answer most people prefer.

    Right is a score in the upper half of the judge's `scale` (lowest, highest), half of it one at the middle.
    Sensitivity is the share of preferred answers that are called right, specificity that of the others that are not,
    and informedness (Youden's J) their sum less 1: 1 all are told, 0 none. Left out: items on which a score is missing
    or most people took no side.
    """
    if scale is None:
        return tuple(missing(name, _NO_SCALE, len(judged)) for name in RATES)
    right: list[float | None] = []
    wrong: list[float | None] = []
    prompts: list[tuple[Message, ...]] = []
    for item, said in judged:
        side, scores = majority(item.verdicts), {"first": said.first_score, "second": said.second_score}
        better, worse = scores.get(str(side)), scores["first" if side == "second" else "second"]
        known = better is not None and worse is not None
        right.append(called_right([better], scale) if known and better is not None else None)
        wrong.append(1 - called_right([worse], scale) if known and worse is not None else None)
        prompts.append(item.messages)
    apart = [None if a is None or b is None else a + b - 1 for a, b in zip(right, wrong, strict=True)]
    return (
        share_of("sensitivity", right, prompts, _NO_BOTH),
        share_of("specificity", wrong, prompts, _NO_BOTH),
        mean_of("informedness", apart, prompts, seed, _NO_BOTH),
    )


def called_right(scores: Sequence[float], scale: Scale) -> float:
    """The share of `scores` in the upper half of `scale`, one at the middle for half."""
    middle = sum(scale) / 2
    return fmean(0.5 + ((score > middle) - (score < middle)) / 2 for score in scores)


def corrected_share(name: str, said: Measure, sensitivity: Measure, specificity: Measure, apart: Measure) -> Measure:
    """The share of answers that are right, when `said` is the share that the judge calls right.

    (said + specificity - 1) / (sensitivity + specificity - 1), cut to [0, 1], with a 95% interval by the delta method
    that counts the noise of the answers and of gold. `apart`, the informedness, says how the two rates vary together.
    A success and a failure are added to each of the three shares for their variance and the middle of the interval
    (Lang and Reiczigel 2014), since a judge that made no mistake on gold may make one. Missing where one of them is,
    or where the judge may not tell right from wrong: where the interval of `apart` holds 0.
    """
    for one in (said, sensitivity, specificity, apart):
        if one.interval is None:
            return missing(name, str(one.why_missing))
    given, told = said.interval, apart.interval
    assert given is not None, "what does not exist was returned"
    assert told is not None, "what does not exist was returned"
    if told.low <= 0:
        reason = f"informedness {told.low:.3g} to {told.high:.3g}"
        return missing(name, f"on gold the judge does not tell right answers from wrong ones: {reason}")
    p, right, wrong = (_smoothed(one) for one in (said, sensitivity, specificity))
    middle = _solved(p.share, right.share, wrong.share)
    variance = p.variance + (1 - middle) ** 2 * wrong.variance + middle**2 * right.variance
    variance -= 2 * middle * (1 - middle) * _together(right, wrong, apart)
    room = right.share + wrong.share - 1
    reach = _Z * max(variance, 0.0) ** 0.5 / room if room > 0 else 1.0
    value = _solved(p.seen, right.seen, wrong.seen)
    low, high = max(0.0, min(value, middle - reach)), min(1.0, max(value, middle + reach))
    interval = Interval(value, low, high, given.n)
    return Measure(name=name, interval=interval, left_out=said.left_out, prompts=said.prompts)


@dataclass(frozen=True, slots=True)
class _Smoothed:
    """A share as `seen`, and with a success and a failure more: `share`, its variance, and the error of the measure."""

    seen: float
    share: float
    variance: float
    error: float


def _smoothed(measure: Measure) -> _Smoothed:
    assert measure.interval is not None, "only what exists is smoothed"
    assert measure.effective is not None, "it is a share"
    share = (measure.interval.value * measure.effective + 1) / (measure.effective + 2)
    variance = share * (1 - share) / (measure.effective + 2)
    return _Smoothed(measure.interval.value, share, variance, measure.error or 0.0)


def _together(right: _Smoothed, wrong: _Smoothed, apart: Measure) -> float:
    """The covariance of sensitivity and specificity, from the variance of their sum."""
    most = float((right.variance * wrong.variance) ** 0.5)
    return min(most, max(-most, ((apart.error or 0.0) ** 2 - right.error**2 - wrong.error**2) / 2))


def _solved(said: float, right: float, wrong: float) -> float:
    room = right + wrong - 1
    return min(1.0, max(0.0, (said + wrong - 1) / room)) if room > 0 else 0.5
