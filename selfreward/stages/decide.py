"""Decide: how much real human data this round's training set holds, what the next selection must do, and why."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from selfreward.artifacts import Artifact, Output, Part
from selfreward.monitor.controller import ControllerSpec, Course, Evidence, Orders, steer
from selfreward.records import PreferencePair
from selfreward.selection.narrowing import narrowing
from selfreward.selection.training_rows import training_table
from selfreward.spec import Json
from selfreward.stages.mix import Spent, mixing_of

VERSION = 5


def decide(
    out: Output,
    spec: ControllerSpec,
    *,
    seed: int,
    diagnosis: Part,
    selected: Artifact,
    candidates: Artifact,
    judgments: Artifact,
    prompts: Artifact,
    training: Artifact | None,
    previous: Part | None,
) -> None:
    """`decision.json`: real share, orders, the course they come from, and all that the rule was told.

    `diagnosis` is the part `verdict` of that stage, `previous` the part `course` of the decision before. `training` is
    the training set of the round before, whose ledger says what human data is spent. `replay` gives the same course
    from the file alone.

    Two parts are for later stages, which hang on nothing that is merely reported: `orders.json`, what this round's mix
    and the next selection do, and `course.json`, from which the next decision goes on. Their numbers are settings,
    and what the rule makes of settings and the rounded verdict in plain arithmetic: the same on every machine.
    """
    before = None if previous is None else previous.json("course")
    told = told_of(spec, diagnosis.json("verdict"), selected, training, before)
    course = replay(told)
    orders: dict[str, Json] = {
        "round": course.round,
        "real_share": course.real_share,
        "human_left": _budget_left(spec, training),
        "orders": asdict(course.orders),
    }
    out.write_json("orders", orders)
    out.write_json("course", asdict(course))
    out.write_json(
        "decision",
        {
            **orders,
            "course": asdict(course),
            **told,
            "selection": narrowing(selected, candidates, judgments, prompts, seed),
            "rows_selected": selected.rows(training_table(selected)[0]),
        },
    )


def told_of(
    spec: ControllerSpec,
    verdict: Mapping[str, Any],
    selected: Artifact,
    training: Artifact | None,
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All that the rule is told: `settings`, `evidence` and the `previous` course; see `diagnose.verdict_of`."""
    evidence = _evidence(verdict, selected, training, _budget_left(spec, training))
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
    verdict: Mapping[str, Any], selected: Artifact, training: Artifact | None, budget_left: int | None
) -> Evidence:
    mixed = None if training is None else mixing_of(training)
    return Evidence(
        **verdict,
        pairs=training_table(selected)[1] is PreferencePair,
        select_k=_select_k(selected),
        human_left=0 if mixed is not None and mixed.human_rows_left == 0 else budget_left,
        human_wanted_short=mixed is not None and mixed.dry,
    )


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
