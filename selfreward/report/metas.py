"""Judgments judged, on the page of a run: what was made of them, what moves the meta-judge, how the judge changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from selfreward.judge_quality.estimate import Measure
from selfreward.reading.judge_changes import judge_change
from selfreward.reading.rounds import Round
from selfreward.report.figures import DASH, MINUS, arrow, below, change, count, limits, share
from selfreward.selection.mixing import MetaMixing
from selfreward.stages.meta import LEFT_OUT, Meta

Row = Sequence[str]

_MEASURES = ("prefers_score", "prefers_first", "prefers_longer", "flip_rate")


@dataclass(frozen=True, slots=True)
class Metas:
    """What the page shows, a row a round: what was `made`, what `moves` the meta-judge, both `judges`."""

    made: Sequence[Row]
    moves: Sequence[Row]
    judges: Sequence[Row]


def metas(rounds: Sequence[Round]) -> Metas | None:
    """What there is to show of a run; None where no judgments were judged."""
    found = [(one, one.meta) for one in rounds if one.meta is not None]
    if not found:
        return None
    return Metas(
        made=[_made(one, meta) for one, meta in found],
        moves=[
            (arrow(one.t), *(_measured(meta.measures[name]) for name in _MEASURES), _gap(meta.measures["score_gap"]))
            for one, meta in found
        ],
        judges=list(_judges(rounds)),
    )


def _made(one: Round, meta: Meta) -> Row:
    looked = sum(meta.answers[name] for name in ("pair", "tie", "undecided"))
    left_out = ", ".join(f"{name.replace('_', ' ')} {meta.judgments[name]:,}" for name in LEFT_OUT)
    mixed = one.mixing if isinstance(one.mixing, MetaMixing) else None
    return (
        arrow(one.t),
        below(count(sum(meta.answers.values())), f"{looked:,} looked at"),
        below(count(meta.judgments["judgments"]), left_out),
        below(count(meta.comparisons), f"{meta.flipped:,} flipped, {meta.undecided:,} undecided"),
        count(meta.answers["pair"]),
        DASH if mixed is None else below(count(mixed.meta_rows), f"{mixed.meta_rows_over:,} over the share"),
    )


def _judges(rounds: Sequence[Round]) -> Iterator[Row]:
    """For each round after one with judgments judged: accuracy on gold before and after, and what changed."""
    for before, one in pairwise(rounds):
        changed = judge_change(one, before)
        if changed is None or before.health is None or one.health is None:
            continue
        accuracies = [health.measures["accuracy"] for health in (before.health, one.health)]
        measures = changed.measures
        yield (
            arrow(before.t),
            *(_measured(accuracy) for accuracy in accuracies),
            *(_gap(measures[name]) for name in ("accuracy_change", "mean_score_change")),
            _measured(measures["kendall"]),
        )


def _measured(found: Measure) -> str:
    if found.interval is None:
        return below(DASH, found.why_missing or "")
    return below(share(found.value).replace("-", MINUS), f"{limits(found.interval)}, n {found.n:,}")


def _gap(found: Measure) -> str:
    if found.interval is None:
        return below(DASH, found.why_missing or "")
    return below(change(found.value), f"{limits(found.interval, signed=True)}, n {found.n:,}")
