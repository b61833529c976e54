"""How far the judge could be trusted in one iteration, what the gate did about it, and who won duels."""

from collections.abc import Mapping

from selfreward.artifacts import Artifact
from selfreward.judge_quality.measures import Figure
from selfreward.reading.monitor_metrics import Metric
from selfreward.stages.duel import duel_of
from selfreward.stages.gate import gate_of
from selfreward.stages.health import health_of


def judge_metrics(stages: Mapping[str, Artifact]) -> dict[str, Metric]:
    """`judge/health/`, `judge/people/`, `judge/round/`, `judge/gate/` and `duel/` of an iteration.

    With final pairs, `judge/final/` and `judge/final_people/` too. What does not exist is left out.
    """
    row: dict[str, Metric] = {}
    if "health" in stages:
        health = health_of(stages["health"])
        row |= _measures("judge/health", health.measures) | _measures("judge/people", health.people)
        row |= _measures("judge/final", health.final or {})
        row |= _measures("judge/final_people", health.final_people or {})
    if "gate" in stages:
        gate = gate_of(stages["gate"])
        row |= _measures("judge/round", gate.measures)
        row |= {"judge/gate/action": gate.action, "judge/gate/healthy": gate.healthy, "judge/gate/frozen": gate.frozen}
    if "duel" in stages:
        duel = duel_of(stages["duel"])
        for name, met in (("start", duel.start), ("previous", duel.previous)):
            row |= {f"duel/{name}/prompts": met.prompts, f"duel/{name}/identical": met.identical}
            row |= _measures(f"duel/{name}", met.measures)
    return row


def judge_lines(stages: Mapping[str, Artifact]) -> list[str]:
    """What the gate has to say of this iteration's judge, in lines."""
    return [] if "gate" not in stages else [*gate_of(stages["gate"]).told]


def _measures(prefix: str, figures: Mapping[str, Figure]) -> dict[str, Metric]:
    """The value and both limits of the measures that exist."""
    row: dict[str, Metric] = {}
    for name, one in figures.items():
        if one.value is not None:
            row |= {f"{prefix}/{name}": one.value, f"{prefix}/{name}_low": one.low, f"{prefix}/{name}_high": one.high}
    return row
