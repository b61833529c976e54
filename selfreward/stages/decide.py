"""Decide: how much real human data this round's training set holds, what the next selection must do, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from selfreward.artifacts import Artifact, Output
from selfreward.diversity.controller import ControllerSpec, Course, Evidence, Orders, steer
from selfreward.diversity.findings import worst_loss
from selfreward.records import PreferencePair
from selfreward.stages.diagnose import findings_of
from selfreward.stages.mix import Spent, training_table
from selfreward.stages.narrowing import narrowing

VERSION = 3
_NOTHING_LEFT = 1e-6  # of the start model's diversity; what remains is rounding, and no ratio of it means anything


def decide(
    out: Output,
    spec: ControllerSpec,
    *,
    seed: int,
    diagnosis: Artifact,
    selected: Artifact,
    candidates: Artifact,
    judgments: Artifact,
    prompts: Artifact,
    training: Artifact | None,
    previous: Artifact | None,
) -> None:
    """`decision.json`: real share, orders, the course they come from, and all that the rule was told.

    `training` is the training set of the round before, whose ledger says what human data is spent. `replay` gives the
    same course from the file alone.
    """
    seen = diagnosis.json("diagnosis")
    before = None if previous is None else previous.json("decision")["course"]
    told = told_of(spec, seen, selected, training, before)
    course = replay(told)
    out.write_json(
        "decision",
        {
            "round": course.round,
            "real_share": course.real_share,
            "human_left": _budget_left(spec, training),
            "orders": asdict(course.orders),
            "course": asdict(course),
            **told,
            "selection": narrowing(selected, candidates, judgments, prompts, seed),
            "policy_ratio": policy_ratio(seen["sem_ratios"]),
            "rows_selected": selected.rows(training_table(selected)[0]),
        },
    )


def told_of(
    spec: ControllerSpec,
    seen: Mapping[str, Any],
    selected: Artifact,
    training: Artifact | None,
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All that the rule is told: `settings`, `evidence` and the `previous` course; `seen` is the diagnosis."""
    evidence = _evidence(seen, selected, training, _budget_left(spec, training))
    return {"settings": spec.model_dump(), "evidence": asdict(evidence), "previous": before}


def replay(told: Mapping[str, Any]) -> Course:
    """The course that follows from the `settings`, `evidence` and `previous` course of a decision."""
    before = told["previous"]
    return steer(
        ControllerSpec(**told["settings"]),
        Evidence(**told["evidence"]),
        None if before is None else Course(**{**before, "orders": Orders(**before["orders"])}),
    )


def stop_reason(decision: Artifact) -> str | None:
    """Why the run ends here; None where it goes on."""
    stop = decision.json("decision")["course"]["stop"]
    return None if stop is None else f"stopped by the monitor: {stop}"


def _evidence(
    seen: Mapping[str, Any], selected: Artifact, training: Artifact | None, budget_left: int | None
) -> Evidence:
    findings = findings_of(seen)
    mixed = None if training is None else training.json("mixing")
    return Evidence(
        round=seen["round"],
        state=seen["state"],
        loss=worst_loss(findings[family] for family in seen["counted"]),
        alarms=seen["standing"]["alarms"],
        calm=seen["standing"]["calm"],
        pairs=training_table(selected)[1] is PreferencePair,
        select_k=_select_k(selected),
        human_left=0 if mixed is not None and mixed["human_rows_left"] == 0 else budget_left,
        human_wanted_short=mixed is not None and mixed["short"] > 0,
        human_nll=seen["human_nll"],
    )


def policy_ratio(sem_ratios: Sequence[float | None]) -> float | None:
    """The last policy's diversity over that of the one before, both at matched length: what one update did to it.

    None without two of them, and where the earlier one has no diversity left.
    """
    before, now = [None, *sem_ratios][-2:]
    return now / before if before is not None and now is not None and before > _NOTHING_LEFT else None


def _select_k(selected: Artifact) -> int:
    """The setting, whatever an order has made of it."""
    spec = selected.manifest.identity["spec"]
    assert isinstance(spec, dict)
    k = spec["k"]
    assert isinstance(k, int)
    return k


def _budget_left(spec: ControllerSpec, training: Artifact | None) -> int | None:
    """Human tokens, or pairs, that the budget still allows; None without a budget."""
    if spec.budget is None:
        return None
    if training is None:
        return spec.budget
    spent = list(training.records(Spent, "ledger"))
    units = len(spent) if training_table(training)[1] is PreferencePair else sum(one.tokens for one in spent)
    return max(0, spec.budget - units)
