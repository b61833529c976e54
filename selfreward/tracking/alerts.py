"""When somebody should be told at once: monitor or judge became worse, or a round could not be judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from selfreward.monitor.detector import State
from selfreward.monitor.gate_rules import STRENGTH, Action
from selfreward.reading.rounds import Round

_RANK: Mapping[State, int] = {"ALARM": 1, "SEVERE": 2}


@dataclass(frozen=True, slots=True)
class Alert:
    """A title, a sentence with the numbers, and how grave it is in W&B's terms."""

    title: str
    text: str
    level: Literal["WARN", "ERROR"]


def policy_alerts(one: Round, before: Round | None) -> Iterator[Alert]:
    """What is to be said of a policy: at ALARM or SEVERE, if it was not as bad before; at INVALID, every time.

    Before counts what `before`, the iteration before, says of the last policy that could be judged.
    """
    if (verdict := one.verdict) is None:
        return
    state, text = verdict.state, f"{verdict.why}; {verdict.cannot_see}"
    earlier = None if before is None else before.verdict
    stood: State = "WARMUP" if earlier is None else earlier.standing.state
    if state == "INVALID":
        yield Alert(f"INVALID at iteration {one.t}", text, "WARN")
    elif _RANK.get(state, 0) > _RANK.get(stood, 0):
        yield Alert(f"{state} at iteration {one.t}", text, "ERROR")


def gate_alerts(one: Round, before: Round | None) -> Iterator[Alert]:
    """What is to be said of the judge: that the gate warns, freezes or stops, if it did nothing as strong before."""
    if (gated := one.gate) is None:
        return
    earlier = None if before is None else before.gate
    stood: Action = "observe" if earlier is None else earlier.action
    if STRENGTH.index(gated.action) > STRENGTH.index(stood):
        why = "; ".join(f"{found.name} {found.why}" for found in gated.findings if found.action == gated.action)
        yield Alert(f"judge: {gated.action} at iteration {one.t}", why, "WARN" if gated.action == "warn" else "ERROR")


def decision_alerts(one: Round) -> Iterator[Alert]:
    """What is to be said of a decision: that human data is used up, if the decision before could still have some."""
    if (decision := one.decision) is None:
        return
    course, before = decision.course, decision.previous
    if course.state == "BUDGET_EXHAUSTED" and (before is None or before.state != "BUDGET_EXHAUSTED"):
        yield Alert(f"BUDGET_EXHAUSTED at iteration {one.t}", course.why, "ERROR")
