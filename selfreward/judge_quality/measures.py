"""All measures of one judge on labelled items, and of the people who labelled them; and as reports hold them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from selfreward.judge_quality import accuracy, bias
from selfreward.judge_quality.accuracy import Scale
from selfreward.judge_quality.agreement import fleiss_kappa, krippendorff_alpha, mean_pairwise_kappa
from selfreward.judge_quality.corrected import right_rates
from selfreward.judge_quality.estimate import Measure, Prompts
from selfreward.judge_quality.verdicts import Labelled, Verdicts, judged
from selfreward.metrics.intervals import Interval
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
_DECIMALS = 6  # far above what another order of summation moves, far below what a gate would notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measure over `n` items with its 95% limits; `why_missing` says why it has none. See `Measure` for the rest."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    why_missing: str | None
    left_out: int
    prompts: int
    error: float | None
    effective: float | None


Figures = dict[str, Figure]
"""By the name of the measure."""


def judge_measures(
    items: Sequence[Labelled], verdicts: Sequence[Verdicts], *, own: Collection[str], scale: Scale | None, seed: int
) -> tuple[Measure, ...]:
    """Every measure of a judge: quality, those named in `BIASES`, two of them corrected, mean score, ties, `RATES`.

    `own` names the authors whose answers are the judge's own, `scale` the lowest and highest score it can give (None:
    no bounds, or no scores). Raises ValueError where verdicts and items do not belong together one by one.
    """
    pairs = judged(items, verdicts)
    return (
        accuracy.accuracy(pairs),
        accuracy.kappa(pairs, seed),
        accuracy.score_kappa(pairs, scale, seed),
        *accuracy.rank_correlations(pairs, seed),
        accuracy.calibration_error(pairs, seed),
        bias.flip_rate(pairs),
        bias.same_position(pairs),
        bias.position_preference(pairs, seed),
        bias.length_slope(pairs, own, seed),
        bias.self_preference(pairs, own, seed),
        bias.share_at_maximum(pairs, scale),
        bias.parse_rate(pairs),
        bias.length_slope(pairs, own, seed, corrected=True),
        bias.self_preference(pairs, own, seed, corrected=True),
        accuracy.mean_score(pairs, seed),
        accuracy.tie_share(pairs),
        *right_rates(pairs, scale, seed),
    )


def rater_measures(
    votes_P: Sequence[Sequence[Verdict | None]], seed: int, prompts: Prompts | None = None
) -> tuple[Measure, ...]:
    """How far raters agree among themselves: people (the ceiling for any judge) or the members of a jury.

    Fleiss' kappa, Krippendorff's alpha (nominal) and the mean pairwise Cohen's kappa; one sequence an item, one place
    a rater, None for a missing verdict. As in `quality`, each item counts in both orientations: of pairs that all have
    the right answer first, chance would agree nearly always. Items that share one of `prompts` are resampled together.
    """
    both_O = [*votes_P, *([None if vote is None else SWAPPED[vote] for vote in votes] for votes in votes_P)]
    # What is said of an item in both orientations is resampled as one.
    those_O = [*(prompts or range(len(votes_P)))] * 2
    measures = (
        fleiss_kappa(both_O, seed, those_O),
        krippendorff_alpha(both_O, "nominal", seed, those_O),
        mean_pairwise_kappa(both_O, seed, those_O),
    )
    return tuple(
        replace(one, interval=one.interval and replace(one.interval, n=one.interval.n // 2), left_out=one.left_out // 2)
        for one in measures
    )


def figures_of(measures: Sequence[Measure]) -> Figures:
    """Measures as figures by name; `measures_of` gives them back."""
    found: Figures = {}
    for one in measures:
        known = asdict(one)
        name, interval = known.pop("name"), known.pop("interval")
        found[name] = Figure(**(interval or {"value": None, "low": None, "high": None, "n": 0}), **known)
    return found


def measures_of(figures: Mapping[str, Figure]) -> list[Measure]:
    """The measures that `figures_of` was given."""
    found = []
    for name, one in figures.items():
        known = asdict(one)
        limits = [known.pop(limit) for limit in ("value", "low", "high", "n")]
        found.append(Measure(name=name, interval=None if one.value is None else Interval(*limits), **known))
    return found


def rounded(figures: Mapping[str, Figure]) -> Figures:
    """Figures with six decimals: the last digits hang on the order in which a machine adds."""
    return {
        name: Figure(**{field: _rounded(one) for field, one in asdict(figure).items()})
        for name, figure in figures.items()
    }


def _rounded(value: Any) -> Any:
    return round(value, _DECIMALS) + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0
