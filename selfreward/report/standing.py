"""What the monitor's states mean for the last policy, in words that claim no more than was measured."""

from selfreward.reading.rounds import Diagnosed
from selfreward.report.figures import plural


def headline(watches: tuple[Diagnosed, ...]) -> str:
    """What the headline must say of the monitor; nothing where there is no reason to worry."""
    if not watches:
        return ""
    last, first = watches[-1], next((one for one in watches if one.verdict.is_alarm), None)
    if last.verdict.is_alarm:
        assert first is not None
        since = "" if first.t == last.t else f", first at M{first.t}"
        return f"The monitor stands at {last.verdict.state}{since}: contraction together with lost human mass."
    if first is not None:
        return f"The monitor raised {first.verdict.state} at M{first.t}; M{last.t} is {last.verdict.state}."
    if last.verdict.state in ("INVALID", "INCONCLUSIVE"):
        return f"The monitor could not judge M{last.t}."
    return ""


def standing(watches: tuple[Diagnosed, ...]) -> list[str]:
    """Sentences on the last policy: the state, why, and what it means."""
    if not watches:
        return []
    last = watches[-1]
    told = [f"M{last.t} is {last.verdict.state}: {last.verdict.why}.", *_meaning(last)]
    if (alarms := [one.t for one in watches if one.verdict.is_alarm]) and not last.verdict.is_alarm:
        told.append(f"An alarm stood at {', '.join(f'M{t}' for t in alarms)}.")
    return told


def blind_spots(watches: tuple[Diagnosed, ...]) -> str:
    """What the monitor would not have seen of the last policy."""
    told = watches[-1].verdict.cannot_see if watches else ""
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def _meaning(last: Diagnosed) -> list[str]:
    contracted = [one for one in last.verdict.ordered if one.part == "contraction" and one.hit]
    losses = [one for one in last.verdict.ordered if one.part == "loss" and one.family in last.verdict.counted]
    lost = [one for one in losses if one.hit]
    beside_people = bool(lost) and all(one.family == "human" for one in lost)
    match last.verdict.state:
        case "ALARM" | "SEVERE" if last.verdict.standing.alarms:
            return [f"Fresh evidence of both parts in {plural(last.verdict.standing.alarms, 'round')} in a row."]
        case "WARN" if contracted and losses and not lost:
            kept = ", ".join(one.family for one in losses)
            return [
                f"Answers narrowed, and no loss of human mass beyond a margin was seen ({kept}): that is convergence, "
                "which alone is no alarm."
            ]
        case "WARN" if contracted and not losses:
            return ["Answers narrowed, and whether human mass was lost was not measured."]
        case "WARN" if beside_people:
            return [
                "Answers are less varied than people's own, and neither meaning nor entropy clearly contracted: a "
                "warning, no alarm."
            ]
        case "WARN" if lost:
            return ["Human mass was lost, but neither meaning nor entropy clearly contracted: a warning, no alarm."]
        case "INVALID" | "INCONCLUSIVE":
            return ["Nothing is decided on such a round."]
    return []
