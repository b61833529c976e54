"""Verdicts and decisions as a run would hold them, with one thing changed at a time."""

from dataclasses import replace
from typing import Any

from selfreward.metrics.intervals import Family
from selfreward.monitor.controller import Evidence, Intervention, Orders
from selfreward.monitor.detector import AlarmState, State
from selfreward.monitor.findings import PARTS, Finding
from selfreward.reading.rounds import Round
from selfreward.selection.narrowing import Narrowing
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Guard, Verdict


def finding(
    family: Family, drop: float, *, margin: float = 0.1, hit: bool = False, detectable: float = 0.08
) -> Finding:
    return Finding(
        family=family, part=PARTS[family], now=1 - drop, base=1.0, drop=drop, se=0.02, low=drop - 0.06,
        high=drop + 0.06, z=(drop - margin) / 0.02, critical=3.0, margin=margin, detectable=detectable, hit=hit,
        prompts=64, since=0,
    )  # fmt: skip


def verdict(state: State, *findings: Finding, stood: State = "OK", alarms: int = 0, **changed: Any) -> Verdict:
    """`stood` is the state that is carried on."""
    found = {one.family: one for one in findings}
    guard = Guard(duplicate_rate=None, truncation_rate=None, baseline_truncation_rate=None, raw_sem_drop=None)
    plain: dict[str, Any] = {
        "round": 0, "state": state, "why": "so it is", "cannot_see": "cannot see small drops", "findings": found,
        "standing": AlarmState(stood, alarms, 0), "counted": tuple(found), "human_nll": 3.0, "sem_ratios": (1.0,),
        "half_life": None, "guard": guard,
    }  # fmt: skip
    return Verdict(**{**plain, **changed})


def decision(
    *, acts: bool = True, selection_ratio: float | None = None, before: Any = None, **changed: Any
) -> Decision:
    """Changes are those of the course; `before` is the state of the course before, None for the first."""
    plain: dict[str, Any] = {
        "round": 3, "state": "OK", "real_share": 0.1, "rung": 0, "orders": Orders(), "action": "hold",
        "why": "nothing to answer", "stop": None, "best_healthy": None, "healthy_nll": None, "shadow_share": 0.1,
    }  # fmt: skip
    course = Intervention(**{**plain, **changed})
    evidence = Evidence(
        3, "ALARM", 0.2, 1, 0, pairs=False, select_k=4, human_left=0, human_wanted_short=False, human_nll=3.0
    )
    narrowed = Narrowing(
        prompts=1, accepted=1, selection_ratio=selection_ratio, accepted_entropy=0.0, score_gap=0.0, zero_gap_share=0.0
    )
    return Decision(
        round=3, real_share=course.real_share, human_left=0, orders=course.orders, course=course,
        settings={"mode": "act" if acts else "observe"}, evidence=evidence,
        previous=None if before is None else replace(course, state=before), selection=narrowed, rows_selected=9,
    )  # fmt: skip


class Told(Round):
    """A round that says what it is given, without artifacts."""

    def __init__(self, t: int, *, verdict: Verdict | None = None, decision: Decision | None = None) -> None:
        super().__init__(t, {}, {})
        self.__dict__.update(verdict=verdict, decision=decision)
