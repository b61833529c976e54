"""Metrics of the stages that run only where a run asks for them: new prompts, revisions, a red team."""

from selfreward.reading.flat_metrics import figures, flat
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import share_of
from selfreward.stages.prompts import Written
from selfreward.stages.red_team import RedTeamed
from selfreward.stages.revise import Revising


def written_metrics(found: Written | None) -> dict[str, Metric]:
    """What became of the drafts of new prompts, as `prompts/...`; nothing where none are written."""
    if found is None:
        return {}
    report = found.report
    names = ("budget", "max_draws", "replies", "drafts", "kept", "over_budget", "unread", "beside", "own")
    row: dict[str, Metric] = {f"prompts/{name}": getattr(report, name) for name in names}
    told = {"left_out": report.left_out, "fault": report.faults, "overlap": report.overlaps}
    shares = {"kept_share": share_of(report.kept, report.drafts), "new_share": share_of(report.kept, report.asked)}
    if (like := found.likeness) is not None:
        shares |= {"energy_distance": like.energy_distance, "p_value": like.p_value}
    return row | flat("prompts", told) | flat("prompts", shares)


def revised_metrics(found: Revising | None) -> dict[str, Metric]:
    """What came of the attempts to revise, each count with its share, and of the answers that were to be revised."""
    if found is None:
        return {}
    row: dict[str, Metric] = {
        "revise/attempts": found.attempts,
        "revise/in_critique": found.in_critique,
        "revise/answers": found.answers,
        "revise/answers_revised": found.revised,
        "revise/answers_revised_share": share_of(found.revised, found.answers),
    }
    for name, number in found.outcomes.items():
        row |= {f"revise/{name}": number, f"revise/{name}_share": share_of(number, found.attempts)}
    return row


def red_team_metrics(found: RedTeamed | None) -> dict[str, Metric]:
    """How a policy answers the red team, and the held-out prompts beside it."""
    if found is None:
        return {}
    row: dict[str, Metric] = {}
    for prefix, manner in (("red_team", found.red_team), ("red_team/benign", found.benign)):
        row |= {f"{prefix}/prompts": manner.prompts, f"{prefix}/answers": manner.answers}
        row |= figures(prefix, {"refused": manner.refused, "evaded": manner.evaded, "tokens": manner.tokens})
    unscored = {} if found.gold_name is None else {"red_team/gold_unscored": found.harmless.left_out}
    return row | unscored | figures("red_team", {"gold": found.harmless})
