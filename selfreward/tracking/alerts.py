"""When somebody should be told at once: monitor or judge became worse, or a round could not be judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from selfreward.artifacts import Artifact
from selfreward.monitor.detector import State
from selfreward.monitor.gate_rules import STRENGTH, Action
from selfreward.stages.decide import decision_of
from selfreward.stages.diagnose import verdict_of
from selfreward.stages.gate import gate_of

_RANK: Mapping[State, int] = {"ALARM": 1, "SEVERE": 2}


@dataclass(frozen=True, slots=True)
class Alert:
    """A title, a sentence with the numbers, and how grave it is in W&B's terms."""

    title: str
    text: str
    level: Literal["WARN", "ERROR"]


def policy_alerts(t: int, stages: Mapping[str, Artifact], before: Mapping[str, Artifact]) -> Iterator[Alert]:
    """What is to be said of policy `t`: at ALARM or SEVERE, if it was not as bad before; at INVALID, every time.

    Before counts what `before`, the iteration before, says of the last policy that could be judged.
    """
    if "diagnose" not in stages:
        return
    verdict = verdict_of(stages["diagnose"])
    state, text = verdict.state, f"{verdict.why}; {verdict.cannot_see}"
    stood: State = verdict_of(before["diagnose"]).standing.state if "diagnose" in before else "WARMUP"
    if state == "INVALID":
        yield Alert(f"INVALID at iteration {t}", text, "WARN")
    elif _RANK.get(state, 0) > _RANK.get(stood, 0):
        yield Alert(f"{state} at iteration {t}", text, "ERROR")


def gate_alerts(t: int, stages: Mapping[str, Artifact], before: Mapping[str, Artifact]) -> Iterator[Alert]:
    """What is to be said of judge `t`: that the gate warns, freezes or stops, if it did nothing as strong before."""
    if "gate" not in stages:
        return
    gated = gate_of(stages["gate"])
    stood: Action = gate_of(before["gate"]).action if "gate" in before else "observe"
    if STRENGTH.index(gated.action) > STRENGTH.index(stood):
        why = "; ".join(f"{one.name} {one.why}" for one in gated.findings if one.action == gated.action)
        yield Alert(f"judge: {gated.action} at iteration {t}", why, "WARN" if gated.action == "warn" else "ERROR")


def decision_alerts(t: int, stages: Mapping[str, Artifact]) -> Iterator[Alert]:
    """What is to be said of decision `t`: that human data is used up, if the decision before could still have some."""
    if "decide" not in stages:
        return
    decision = decision_of(stages["decide"])
    course, before = decision.course, decision.previous
    if course.state == "BUDGET_EXHAUSTED" and (before is None or before.state != "BUDGET_EXHAUSTED"):
        yield Alert(f"BUDGET_EXHAUSTED at iteration {t}", course.why, "ERROR")
