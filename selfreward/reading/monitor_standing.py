"""How a run stands with the monitor, in sentences that claim no more than its verdicts."""

from collections.abc import Sequence

from selfreward.stages.diagnose import Verdict


def headline(verdicts: Sequence[tuple[int, Verdict]]) -> str:
    """What the headline must say of the monitor; nothing where there is no reason to worry."""
    if not verdicts:
        return ""
    now, last = verdicts[-1]
    first, alarm = next(((t, one) for t, one in verdicts if one.is_alarm), (now, None))
    if last.is_alarm:
        since = "" if first == now else f", first at M{first}"
        return f"The monitor stands at {last.state}{since}: contraction together with lost human mass."
    if alarm is not None:
        return f"The monitor raised {alarm.state} at M{first}; M{now} is {last.state}."
    return f"The monitor could not judge M{now}." if last.state in ("INVALID", "INCONCLUSIVE") else ""


def standing(verdicts: Sequence[tuple[int, Verdict]]) -> list[str]:
    """Sentences on the last policy: the state, why, and what it means."""
    if not verdicts:
        return []
    now, last = verdicts[-1]
    told = [f"M{now} is {last.state}: {last.why}."]
    if meaning := _meaning(last):
        told.append(meaning)
    if (alarms := [t for t, one in verdicts if one.is_alarm]) and not last.is_alarm:
        told.append(f"An alarm stood at {', '.join(f'M{t}' for t in alarms)}.")
    return told


def blind_spots(verdicts: Sequence[tuple[int, Verdict]]) -> str:
    """What the monitor would not have seen of the last policy."""
    told = verdicts[-1][1].cannot_see if verdicts else ""
    return f"{told[:1].upper()}{told[1:]}." if told else ""


def _meaning(found: Verdict) -> str:
    contracted = any(one.hit for one in found.ordered if one.part == "contraction")
    losses = [one for one in found.ordered if one.part == "loss" and one.family in found.counted]
    lost = [one.family for one in losses if one.hit]
    match found.state:
        case "ALARM" | "SEVERE" if found.standing.alarms:
            rounds = found.standing.alarms
            return f"Fresh evidence of both parts in {rounds} round{'' if rounds == 1 else 's'} in a row."
        case "WARN" if contracted and losses and not lost:
            kept = ", ".join(one.family for one in losses)
            return (
                f"Answers narrowed, and no loss of human mass beyond a margin was seen ({kept}): that is convergence, "
                "which alone is no alarm."
            )
        case "WARN" if contracted and not losses:
            return "Answers narrowed, and whether human mass was lost was not measured."
        case "WARN" if lost and set(lost) == {"human"}:
            return (
                "Answers are less varied than people's own, and neither meaning nor entropy clearly contracted: a "
                "warning, no alarm."
            )
        case "WARN" if lost:
            return "Human mass was lost, but neither meaning nor entropy clearly contracted: a warning, no alarm."
        case "INVALID" | "INCONCLUSIVE":
            return "Nothing is decided on such a round."
    return ""
