"""How far the judge could be trusted in one iteration, what the gate did about it, and who won duels."""

from collections.abc import Mapping
from typing import Any

from selfreward.artifacts import Artifact
from selfreward.reading.monitor_metrics import Metric


def judge_metrics(stages: Mapping[str, Artifact]) -> dict[str, Metric]:
    """`judge/health/`, `judge/people/`, `judge/round/`, `judge/gate/` and `duel/` of an iteration.

    With final pairs, `judge/final/` and `judge/final_people/` too. What does not exist is left out.
    """
    row: dict[str, Metric] = {}
    if (measured := stages.get("health")) is not None:
        told = measured.json("health")
        row |= _measures("judge/health", told["measures"])
        row |= _measures("judge/people", told["people"])
        row |= _measures("judge/final", told["final"] or {})
        row |= _measures("judge/final_people", told["final_people"] or {})
    if (gated := stages.get("gate")) is not None:
        told = gated.json("gate")
        row |= _measures("judge/round", told["measures"])
        row |= {f"judge/gate/{name}": told[name] for name in ("action", "healthy", "frozen")}
    if (fought := stages.get("duel")) is not None:
        for name, met in fought.json("duel").items():
            row |= {f"duel/{name}/{count}": met[count] for count in ("prompts", "identical")}
            row |= _measures(f"duel/{name}", met["measures"])
    return row


def judge_lines(stages: Mapping[str, Artifact]) -> list[str]:
    """What the gate has to say of this iteration's judge, in lines."""
    return [] if "gate" not in stages else list(stages["gate"].json("gate")["told"])


def _measures(prefix: str, measures: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    """The value and both limits of the measures that exist."""
    row: dict[str, Metric] = {}
    for name, one in measures.items():
        if one["value"] is not None:
            row |= {f"{prefix}/{name}": one["value"]}
            row |= {f"{prefix}/{name}_{end}": one[end] for end in ("low", "high")}
    return row
