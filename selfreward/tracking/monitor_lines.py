"""The monitor in the log of a run: its state and why, what would have escaped it, and what was done about it.

`diagnosis.json` has the same in whole sentences, with the statistics.
"""

from collections.abc import Iterator, Sequence

from selfreward.metrics.paired import Family
from selfreward.monitor.findings import PARTS, Finding
from selfreward.reading.rounds import Round
from selfreward.stages.decide import Decision
from selfreward.stages.diagnose import Verdict


def monitor_lines(one: Round) -> list[str]:
    """The lines of one iteration: two of the monitor, and one of the controller where it had something to answer."""
    lines: list[str] = []
    if (verdict := one.verdict) is not None:
        lines += [f"  monitor {verdict.state}{_reason(verdict)}", f"    {_blind(verdict.ordered)}"]
    if one.decision is not None:
        lines += _action(one.decision)
    return lines


def _reason(verdict: Verdict) -> str:
    """What is beyond its margin, or what is nearest to it."""
    found = verdict.ordered
    hits = [one for one in found if one.hit]
    match verdict.state:
        case "INVALID" | "INCONCLUSIVE":
            return f": {verdict.why}"
        case "WARMUP":
            state = ", not judged yet: "
        case "ALARM" if not verdict.standing.alarms:
            state = f", held until two calm rounds in a row ({verdict.standing.calm} so far): "
        case _:
            state = ": "
    if hits:
        return f"{state}{', '.join(_moved(one) for one in hits)}"
    if not found:
        return f"{state}nothing was measured"
    nearest = max(found, key=lambda one: one.z - one.critical)
    return f"{state}nothing clearly beyond its margin; nearest {_moved(nearest)}"


def _blind(found: Sequence[Finding]) -> str:
    """The smallest true drop of each family that is seen four times in five, and which are not measured."""
    told = [f"{one.family} under {_amount(one.family, one.margin + one.detectable)}" for one in found]
    missing = [family for family in PARTS if family not in {one.family for one in found}]
    parts = [f"cannot see drops of {', '.join(told)} (80% power)"] if told else []
    return "; ".join([*parts, *([f"not measured: {', '.join(missing)}"] if missing else [])])


def _moved(found: Finding) -> str:
    """A family's drop beside its margin; that of `nll` is a rise."""
    moved = f"{found.drop:+.3f} nats" if found.family == "nll" else f"{-found.drop:+.1%}"
    return f"{found.family} {moved} (margin {_amount(found.family, found.margin)})"


def _amount(family: Family, value: float) -> str:
    return f"{value:.2f} nats" if family == "nll" else f"{value:.0%}"


def _action(decision: Decision) -> Iterator[str]:
    course, before = decision.course, decision.previous
    moved = before is not None and (course.shadow_share, course.rung) != (before.shadow_share, before.rung)
    if course.action != "hold" or moved or decision.evidence.alarms:
        exhausted = ", human data used up" if course.state == "BUDGET_EXHAUSTED" else ""
        yield f"  controller {course.action}{exhausted}: {course.why}"
