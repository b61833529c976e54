"""Measures as reports hold them: plain figures by name, that can be written, rounded and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from selfreward.judge_quality.estimate import Measure
from selfreward.metrics.intervals import Interval

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


def figures_of(measures: Sequence[Measure]) -> Figures:
    """Measures as figures by name; `measures_of` gives them back."""
    return {
        one.name: Figure(
            value=None if one.interval is None else one.interval.value,
            low=None if one.interval is None else one.interval.low,
            high=None if one.interval is None else one.interval.high,
            n=0 if one.interval is None else one.interval.n,
            why_missing=one.why_missing,
            left_out=one.left_out,
            prompts=one.prompts,
            error=one.error,
            effective=one.effective,
        )
        for one in measures
    }


def measures_of(figures: Mapping[str, Figure]) -> list[Measure]:
    """The measures that `figures_of` was given."""
    return [
        Measure(
            name=name,
            interval=None
            if one.value is None or one.low is None or one.high is None
            else Interval(one.value, one.low, one.high, one.n),
            why_missing=one.why_missing,
            left_out=one.left_out,
            prompts=one.prompts,
            error=one.error,
            effective=one.effective,
        )
        for name, one in figures.items()
    ]


def rounded(figures: Mapping[str, Figure]) -> Figures:
    """Figures with six decimals: the last digits hang on the order in which a machine adds."""
    return {
        name: replace(
            one,
            value=_rounded(one.value),
            low=_rounded(one.low),
            high=_rounded(one.high),
            error=_rounded(one.error),
            effective=_rounded(one.effective),
        )
        for name, one in figures.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS) + 0.0  # -0.0 is 0.0
