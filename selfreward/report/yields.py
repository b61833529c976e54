"""What one training row of the policy's own took to make: how many candidates, seconds and tokens."""

from collections.abc import Callable, Sequence

from selfreward.reading.rounds import Round, RowCost, share_of
from selfreward.report.figures import DASH, count, seconds, share
from selfreward.report.markup import Child, Markup, element, joined
from selfreward.report.tables import table

_STAGES = ("sample", "judge", "select", "update", "measure", "evaluate", "health", "duel")  # not the bookkeeping
_COUNTS: dict[str, Callable[[Round], str]] = {
    "candidates drawn": lambda one: count(one.drawn),
    "judgments with a score": lambda one: (
        DASH if one.judged is None else share(share_of(one.judged.scored, one.judged.judgments))
    ),
    "candidates good enough to choose": lambda one: (
        DASH if one.selection is None else share(share_of(one.selection.eligible, one.selection.candidates))
    ),
    "own rows kept": lambda one: count(one.kept),
    "rows kept of candidates drawn": lambda one: share(share_of(one.kept, one.drawn)),
}


def per_kept_row(every: Sequence[Round]) -> Markup:
    """For every round with a training set: the yield, then what each stage spent on one kept row."""
    rounds = [one for one in every if one.costs_per_row]
    if not rounds:
        return element("p", "No row kept yet.", class_="empty")
    rows: list[tuple[Child, ...]] = [(name, *(write(one) for one in rounds)) for name, write in _COUNTS.items()]
    rows.append(("what makes a row: sample, judge, select", *(_cost(one.making_per_row) for one in rounds)))
    made = {stage for one in rounds for stage in one.costs_per_row}
    rows += [(stage, *(_cost(one.costs_per_row.get(stage)) for one in rounds)) for stage in _STAGES if stage in made]
    return table(("round", *(f"M{one.t} → M{one.t + 1}" for one in rounds)), rows)


def _cost(found: RowCost | None) -> Child:
    if found is None:
        return DASH
    # Of 99.5 ms and more, two digits would be 1e+02.
    time = f"{1000 * found.seconds:.2g} ms" if found.seconds < 0.0995 else seconds(found.seconds)
    if found.tokens is None:
        return time
    return joined((time, element("small", f"{found.tokens:,.1f} tokens")))
