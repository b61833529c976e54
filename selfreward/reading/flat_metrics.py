"""Reports as metrics: a flat name for each value in them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from selfreward.judge_quality.estimate import Measures
from selfreward.metrics.intervals import Interval
from selfreward.reading.monitor_metrics import Metric


def figures(prefix: str, found: Measures) -> dict[str, Metric]:
    """The value and both limits of the measures that exist."""
    row: dict[str, Metric] = {}
    for name, one in found.items():
        if one.value is not None:
            row |= {f"{prefix}/{name}": one.value, f"{prefix}/{name}_low": one.low, f"{prefix}/{name}_high": one.high}
    return row


def flat(prefix: str, found: Any) -> dict[str, Metric]:
    """Nested figures as slash-separated names; an interval keeps its value under the plain name."""
    if isinstance(found, Interval):
        return {prefix: found.value, f"{prefix}_low": found.low, f"{prefix}_high": found.high}
    if is_dataclass(found):
        found = {one.name: getattr(found, one.name) for one in fields(found)}
    if not isinstance(found, Mapping):
        return {} if found is None else {prefix: found}
    return {key: value for name, inner in found.items() for key, value in flat(f"{prefix}/{name}", inner).items()}
