"""The words of the monitor: what a family did beside its margin, what would not have shown, a row of its table."""

from collections.abc import Callable, Sequence

from selfreward.metrics.intervals import Family
from selfreward.monitor.findings import PARTS, Finding


def amount(family: Family, value: float, sign: str = "") -> str:
    """A drop, a margin or a standard error: nats per token for `nll`, else percent; `sign` is a format's."""
    return f"{value:{sign}.3f}" if family == "nll" else f"{value:{sign}.1%}"


def moved(finding: Finding) -> str:
    """A family's change beside its margin, for a line of a log; that of `nll` is a rise."""
    family, change = finding.family, finding.drop if finding.family == "nll" else -finding.drop
    return f"{family} {_measured(family, change, '+')} (margin {_measured(family, finding.margin)})"


def moved_sentence(finding: Finding) -> str:
    """As `moved`, with the statistic, as diagnoses keep it."""
    limits = f"z {finding.z:.1f}, critical {finding.critical:.1f}"
    if finding.family == "nll":
        change = f"{finding.drop:+.2f} nats per token since round {finding.since}"
        return f"human NLL moved by {change} (margin {finding.margin:.2f}, {limits})"
    name = "sem against that of human answers" if finding.family == "human" else finding.family
    return f"{name} moved by {-finding.drop:+.1%} (margin {finding.margin:.1%}, {limits})"


def reason(found: Sequence[Finding], tell: Callable[[Finding], str] = moved_sentence, joint: str = " and ") -> str:
    """The hits with their numbers, or the family nearest to one."""
    if hits := [tell(finding) for finding in found if finding.hit]:
        return joint.join(hits)
    if not found:
        return "no family was measured"
    return f"none is clearly beyond its margin; nearest: {tell(max(found, key=lambda one: one.z - one.critical))}"


def blind(found: Sequence[Finding]) -> str:
    """The smallest true drop of each family that is seen four times in five, for a line of a log."""
    told = [f"{one.family} under {_measured(one.family, one.margin + one.detectable)}" for one in found]
    return "; ".join([*([f"cannot see drops of {', '.join(told)} (80% power)"] if told else []), *_unmeasured(found)])


def blind_sentence(found: Sequence[Finding]) -> str:
    """As `blind`, with the margins, as diagnoses keep it."""
    told = [f"cannot see, at 80% power, {', '.join(map(_smallest, found))}"] if found else []
    return "; ".join([*told, *_unmeasured(found)])


def finding_cells(finding: Finding) -> dict[str, str]:
    """A finding by the columns of its table: what moved, its noise and limits, and what could have been seen."""
    family = finding.family
    return {
        "family": family,
        "part": finding.part,
        "now": f"{finding.now:.3f}",
        "base": f"{finding.base:.3f}",
        "drop": amount(family, finding.drop, "+"),
        "se": amount(family, finding.se),
        "low": amount(family, finding.low, "+"),
        "high": amount(family, finding.high, "+"),
        "z": f"{finding.z:.2f}",
        "critical": f"{finding.critical:.2f}",
        "margin": amount(family, finding.margin),
        "detectable": amount(family, finding.detectable),
        "hit": "yes" if finding.hit else "no",
        "prompts": str(finding.prompts),
        "since": "people" if finding.since is None else f"round {finding.since}",
    }


def _measured(family: Family, value: float, sign: str = "") -> str:
    return amount(family, value, sign) + (" nats" if family == "nll" else "")


def _unmeasured(found: Sequence[Finding]) -> list[str]:
    missing = [family for family in PARTS if family not in {one.family for one in found}]
    return [f"not measured: {', '.join(missing)}"] if missing else []


def _smallest(finding: Finding) -> str:
    smallest = finding.margin + finding.detectable
    if finding.family == "nll":
        return f"a rise of human NLL below {smallest:.2f} nats (margin {finding.margin:.2f})"
    name = "a shortfall of sem to human answers" if finding.family == "human" else f"a drop of {finding.family}"
    return f"{name} below {smallest:.1%} (margin {finding.margin:.1%})"
