"""The monitor in the log of a run: its state and why, what would have escaped it, and what was done about it.

`diagnosis.json` has the same in whole sentences, with the statistics.
"""

from collections.abc import Iterator

from selfreward.monitor.verdict_words import blind, moved, reason
from selfreward.reading.rounds import Round
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Verdict


def monitor_lines(one: Round) -> list[str]:
    """The lines of one iteration: two of the monitor, and one of the controller where it had something to answer."""
    lines: list[str] = []
    if (verdict := one.verdict) is not None:
        unjudged = verdict.state in ("INVALID", "INCONCLUSIVE")
        why = verdict.why if unjudged else reason(verdict.ordered, moved, ", ")
        lines += [f"  monitor {_state(verdict)}: {why}", f"    {blind(verdict.ordered)}"]
    if one.decision is not None:
        lines += _action(one.decision)
    return lines


def _state(verdict: Verdict) -> str:
    match verdict.state:
        case "WARMUP":
            return "WARMUP, not judged yet"
        case "ALARM" if not verdict.standing.alarms:
            return f"ALARM, held until two calm rounds in a row ({verdict.standing.calm} so far)"
        case state:
            return state


def _action(decision: Decision) -> Iterator[str]:
    course, before = decision.course, decision.previous
    changed = before is not None and (course.shadow_share, course.rung) != (before.shadow_share, before.rung)
    if course.action != "hold" or changed or decision.evidence.alarms:
        exhausted = ", human data used up" if course.state == "BUDGET_EXHAUSTED" else ""
        yield f"  controller {course.action}{exhausted}: {course.why}"
