"""What one training row of the policy's own took to make: how many candidates, seconds and tokens."""

from collections.abc import Callable

from selfreward.artifacts.runs import RunView
from selfreward.reading.yields import RoundYield, RowCost, cost_per_row, making_of, share_of, yield_of
from selfreward.report.figures import DASH, count, seconds, share
from selfreward.report.markup import Child, Markup, element, joined
from selfreward.report.tables import table

_STAGES = ("sample", "judge", "select", "update", "measure", "evaluate", "health", "duel")  # not the bookkeeping
_COUNTS: dict[str, Callable[[RoundYield], str]] = {
    "candidates drawn": lambda one: count(one.drawn),
    "judgments with a score": lambda one: share(share_of(one.scored, one.judgments)),
    "candidates good enough to choose": lambda one: share(share_of(one.eligible, one.looked_at)),
    "own rows kept": lambda one: count(one.kept),
    "rows kept of candidates drawn": lambda one: share(share_of(one.kept, one.drawn)),
}


def per_kept_row(view: RunView) -> Markup:
    """For every round with a training set: the yield, then what each stage spent on one kept row."""
    rounds = [(t, yield_of(stages), cost_per_row(stages)) for t, stages in enumerate(view.iterations)]
    rounds = [one for one in rounds if one[2]]
    if not rounds:
        return element("p", "No row kept yet.", class_="empty")
    rows: list[tuple[Child, ...]] = [
        (name, *(write(found) for _, found, _ in rounds)) for name, write in _COUNTS.items()
    ]
    rows.append(("what makes a row: sample, judge, select", *(_cost(making_of(costs)) for _, _, costs in rounds)))
    made = {stage for _, _, costs in rounds for stage in costs}
    rows += [(stage, *(_cost(costs.get(stage)) for _, _, costs in rounds)) for stage in _STAGES if stage in made]
    return table(("round", *(f"M{t} → M{t + 1}" for t, _, _ in rounds)), rows)


def _cost(found: RowCost | None) -> Child:
    if found is None:
        return DASH
    # Of 99.5 ms and more, two digits would be 1e+02.
    time = f"{1000 * found.seconds:.2g} ms" if found.seconds < 0.0995 else seconds(found.seconds)
    if found.tokens is None:
        return time
    return joined((time, element("small", f"{found.tokens:,.1f} tokens")))
