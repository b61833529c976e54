"""Decide: how much real human data this round's training set holds, and why.

For now the share is fixed. What a calibrated rule will need is here already: the measurements of this policy, those
of the baseline, and the decision before.
"""

from typing import Any

from pydantic import Field

from selfreward.artifacts import Artifact, Output
from selfreward.spec import Json, Spec
from selfreward.stages.mix import training_table

VERSION = 1


class MonitorSpec(Spec):
    """`real_share` of the answer tokens to train on are human, in every round."""

    real_share: float = Field(0.2, ge=0, lt=1)


def decide(
    out: Output,
    spec: MonitorSpec,
    *,
    measured: Artifact,
    baseline: Artifact,
    selected: Artifact,
    previous: Artifact | None,
) -> None:
    """`decision.json`: the real share, the rule that set it, and what was seen (relative changes since iteration 0)."""
    now, then = measured.json("metrics"), baseline.json("metrics")
    out.write_json(
        "decision",
        {
            "round": 0 if previous is None else previous.json("decision")["round"] + 1,
            "real_share": spec.real_share,
            "rule": "fixed",
            "why": f"mix.real_share is fixed at {spec.real_share}",
            "seen": {stratum: _changes(then[stratum], now[stratum]) for stratum in now},
            "rows_selected": selected.rows(training_table(selected)[0]),
        },
    )


def _changes(then: dict[str, Any], now: dict[str, Any]) -> Json:
    """Relative change of each rate since the baseline; None where either is missing or the baseline is 0."""
    watched = ("distinct_share", "pairwise_distance", "distinct2", "mean_tokens", "human_nll")
    return {
        name: None if then[name] is None or now[name] is None or then[name] == 0 else now[name] / then[name] - 1
        for name in watched
    }
