"""Changes between policies that no stage has taken: prompt by prompt from the tables, with an interval over prompts."""

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.intervals import Interval, paired_difference
from selfreward.metrics.probe_rows import PromptMeasure
from selfreward.metrics.sharpening import EvaluatedAnswer, matched_difference
from selfreward.reading.rounds import Round
from selfreward.records import Stratum

_SEED = 0  # of the intervals taken here; those of the stages come with their own


def running_minimum(rounds: Sequence[Round]) -> list[tuple[int, float]]:
    """For every policy with a human NLL, (t, the lowest human NLL up to then)."""
    measured = [(one.t, one.measurement.human_nll) for one in rounds if one.measurement is not None]
    known = [(t, nll) for t, nll in measured if nll is not None]
    lowest = accumulate((nll for _, nll in known), min)
    return [(t, nll) for (t, _), nll in zip(known, lowest, strict=True)]


def probe_change(view: RunView, stratum: Stratum, quantity: str, until: int) -> Interval | None:
    """The paired difference from M0 of a PromptMeasure quantity, over a stratum's prompts that have it in both."""
    before, after = (_probe_values(view.iterations[t].get("measure"), stratum, quantity) for t in (0, until))
    return _difference(after, before)


def control_gap(view: RunView, control: RunView) -> tuple[int, Interval] | None:
    """At the last policy that both runs evaluated, how much higher this run's pass@1 is, prompt by prompt."""
    for t in reversed(range(1, min(len(view.iterations), len(control.iterations)))):
        own, other = (_right_shares(run, t) for run in (view, control))
        if (gap := _difference(own, other)) is not None:
            return t, gap
    return None


def matched_gap(view: RunView, t: int, other: RunView, other_t: int) -> Interval | None:
    """How much more M`other_t` of `other` gains over M0 at matched diversity than M`t` of this run, prompt by prompt.

    Both runs have the same evaluation of M0; None without a closed question.
    """
    evaluation = Round(t, view.iterations[t], view.sources).evaluation
    if evaluation is None or evaluation.closed is None:
        return None
    made = (other.iterations[other_t], view.iterations[t], view.iterations[0])
    theirs, own, start = (list(stages["evaluate"].records(EvaluatedAnswer)) for stages in made)
    return matched_difference(theirs, own, start, evaluation.closed.temperature, _SEED)


def _difference(a: dict[str, float], b: dict[str, float]) -> Interval | None:
    both = sorted(a.keys() & b.keys())
    return paired_difference([a[one] for one in both], [b[one] for one in both], _SEED)


def _right_shares(view: RunView, t: int) -> dict[str, float]:
    """The share of right sampled answers of policy `t` to each held-out question."""
    evaluation = Round(t, view.iterations[t], view.sources).evaluation
    if evaluation is None or evaluation.closed is None:
        return {}
    right: dict[str, list[bool]] = {}
    for row in view.iterations[t]["evaluate"].records(EvaluatedAnswer):
        if row.temperature == evaluation.closed.temperature and row.right is not None:
            right.setdefault(row.prompt_id, []).append(row.right)
    return {prompt_id: fmean(marks) for prompt_id, marks in right.items()}


def _probe_values(measured: Artifact | None, stratum: Stratum, quantity: str) -> dict[str, float]:
    if measured is None:
        return {}
    rows = (row for row in measured.records(PromptMeasure, "prompts") if row.stratum == stratum)
    return {row.prompt_id: value for row in rows if (value := getattr(row, quantity)) is not None}
