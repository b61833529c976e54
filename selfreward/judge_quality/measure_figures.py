"""Measures as reports hold them: plain figures by name, that can be written, rounded and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from selfreward.judge_quality.estimate import Measure
from selfreward.metrics.intervals import Interval

_DECIMALS = 6  # far above what another order of summation moves, far below what a gate would notice

_SHARED = ("why_missing", "left_out", "prompts", "error", "effective")
_FLOATS = ("value", "low", "high", "error", "effective")


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
    none = {"value": None, "low": None, "high": None, "n": 0}
    return {
        one.name: Figure(**(none if one.interval is None else asdict(one.interval)), **_fields_of(one, _SHARED))
        for one in measures
    }


def measures_of(figures: Mapping[str, Figure]) -> list[Measure]:
    """The measures that `figures_of` was given."""
    return [Measure(name=name, interval=_interval(one), **_fields_of(one, _SHARED)) for name, one in figures.items()]


def rounded(figures: Mapping[str, Figure]) -> Figures:
    """Figures with six decimals: the last digits hang on the order in which a machine adds."""
    found: Figures = {}
    for name, one in figures.items():
        floats = _fields_of(one, _FLOATS).items()
        # -0.0 is 0.0
        known = {field: round(value, _DECIMALS) + 0.0 for field, value in floats if value is not None}
        found[name] = replace(one, **known)
    return found


def _interval(figure: Figure) -> Interval | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return Interval(figure.value, figure.low, figure.high, figure.n)


def _fields_of(one: Figure | Measure, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}
