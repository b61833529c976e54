"""What the monitor saw, decided and did in one iteration, by the names of docs/metrics.md."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from selfreward.monitor.detector import State
from selfreward.reading.rounds import Round
from selfreward.selection import select_spec
from selfreward.stages.diagnose import Verdict

Metric = int | float | bool | str | None

# A state that says how the policy stands; the others say that it could not be told.
_CODES: Mapping[State, int] = {"WARMUP": 0, "OK": 0, "WARN": 1, "ALARM": 2, "SEVERE": 3}
_SAME = ("drop", "low", "high", "z", "critical", "margin", "detectable", "hit")
_OF_FINDING = {"value": "now", "baseline": "base", **dict(zip(_SAME, _SAME, strict=True))}
_NOTHING_LEFT = 1e-6  # of the start model's diversity; what remains is rounding, and no ratio of it means anything
_OF_COURSE = ("rung", "action", "real_share", "shadow_share")


def monitor_metrics(one: Round, before: Round | None) -> dict[str, Metric]:
    """`collapse/`, `policy/`, `selection/` and `control/` of an iteration; `before` is the iteration before.

    What does not exist is left out.
    """
    row: dict[str, Metric] = {}
    if (verdict := one.verdict) is not None:
        row |= _verdict(verdict)
        row |= {"policy/ratio": policy_ratio(verdict.sem_ratios), "policy/kl_bound": _bound(one.t, before)}
    if (decision := one.decision) is not None:
        course = decision.course
        row |= {f"selection/{name}": value for name, value in asdict(decision.selection).items()}
        row |= {f"control/{name}": getattr(course, name) for name in _OF_COURSE}
        row["control/stop"] = course.stop is not None
        row["control/budget_exhausted"] = course.state == "BUDGET_EXHAUSTED"
    return {name: value for name, value in row.items() if value is not None}


def policy_ratio(sem_ratios: Sequence[float | None]) -> float | None:
    """The last policy's diversity over that of the one before, both at matched length: what one update did to it.

    None without two of them, and where the earlier one has no diversity left.
    """
    before, now = [None, *sem_ratios][-2:]
    return now / before if before is not None and now is not None and before > _NOTHING_LEFT else None


def kl_bound(k: int, rounds: int) -> float:
    """The most that `rounds` exact refits to the best of `k` can move a policy: KL to the start policy, in nats.

    Formula: ln(K) - (1 - 1 / K) with K = k^rounds, as best-of-k of best-of-k is best-of-k^2. An upper bound; a real
    update moves less. Source: Beirami et al. 2024 (2401.01879).
    """
    log_choices = rounds * math.log(k)
    return log_choices + math.expm1(-log_choices)


def _verdict(verdict: Verdict) -> dict[str, Metric]:
    row: dict[str, Metric] = {
        f"collapse/{found.family}/{name}": getattr(found, field)
        for found in verdict.ordered
        for name, field in _OF_FINDING.items()
    }
    drops = [found.drop / found.margin for found in verdict.ordered]
    code, falling = _CODES.get(verdict.state), verdict.half_life
    return row | {
        "collapse/state": verdict.state,
        "collapse/state_code": code,
        "collapse/judged": code is not None,
        "collapse/index": sum(drops) / len(drops) if drops else None,
        "collapse/alarms": verdict.standing.alarms,
        "collapse/half_life_rounds": None if falling is None else falling.rounds,
        "collapse/half_life_rounds_low": None if falling is None else falling.low,
        "collapse/half_life_rounds_high": None if falling is None else falling.high,
    }


def _bound(t: int, before: Round | None) -> float | None:
    """The bound for policy `t`, where the round before it took the best of its candidates, whatever their scores.

    A round that was ordered to choose among fewer counts with the `k` of the settings, which bounds it too.
    """
    if before is None or "select" not in before.stages:
        return None
    spec = select_spec(before.stages["select"])
    return kl_bound(spec.k, t) if spec.takes_best else None
