"""Decide: how much real human data this round's training set holds, what the next selection must do, and why."""

from dataclasses import dataclass
from typing import Any

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.reports import load_report, save_report
from selfreward.monitor.controller import ControllerSpec, Evidence, Intervention, steer
from selfreward.row_kinds import PAIRS
from selfreward.selection import select_spec
from selfreward.selection.mixing import Spent
from selfreward.selection.narrowing import Narrowing, narrowing
from selfreward.selection.orders import RoundOrders, save_orders
from selfreward.selection.training_rows import row_kind
from selfreward.stages.diagnose import RoundedVerdict, rounded_verdict_of
from selfreward.stages.mix import mixing_of

VERSION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(RoundOrders):
    """What is done after a round, and all that the rule was told: `settings`, `evidence`, the `previous` course.

    `selection` says how much the selection narrows; it decides nothing.
    """

    course: Intervention
    settings: dict[str, Any]
    evidence: Evidence
    previous: Intervention | None
    selection: Narrowing
    rows_selected: int

    @property
    def acts(self) -> bool:
        """Whether the rule is followed, not only watched."""
        return bool(self.settings["mode"] == "act")


@few_collections()
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
    """`decision.json` is a Decision. `diagnosis` is the part `verdict` of that stage.

    `previous` is the part `course` of the decision before. `training` is the training set of the round before, whose
    ledger says what human data is spent.

    Two parts are for later stages, which hang on nothing that is merely reported: `orders.json`, a RoundOrders, is what
    this round's mix and the next selection do; the next decision goes on from `course.json`, an Intervention. Their
    numbers are settings, and what the rule makes of settings and the rounded verdict in plain arithmetic: the same on
    every machine.
    """
    before = None if previous is None else load_report(previous, "course", Intervention)
    evidence = evidence_of(rounded_verdict_of(diagnosis), spec, selected, training)
    course = steer(spec, evidence, before)
    orders = RoundOrders(
        round=course.round, real_share=course.real_share, human_left=_budget_left(spec, training), orders=course.orders
    )
    save_orders(out, orders)
    save_report(out, "course", course)
    decision = Decision(
        round=orders.round,
        real_share=orders.real_share,
        human_left=orders.human_left,
        orders=orders.orders,
        course=course,
        settings=spec.model_dump(),
        evidence=evidence,
        previous=before,
        selection=narrowing(selected, candidates, judgments, prompts, seed),
        rows_selected=selected.rows(row_kind(selected).table),
    )
    save_report(out, "decision", decision)


def decision_of(decided: Artifact) -> Decision:
    """The report of a decision."""
    return load_report(decided, "decision", Decision)


def evidence_of(
    verdict: RoundedVerdict, spec: ControllerSpec, selected: Artifact, training: Artifact | None
) -> Evidence:
    """All that the rule is told beside its settings and the course before."""
    budget_left = _budget_left(spec, training)
    mixed = None if training is None else mixing_of(training)
    rule = select_spec(selected)
    return Evidence(
        round=verdict.round,
        state=verdict.state,
        loss=verdict.loss,
        alarms=verdict.alarms,
        calm=verdict.calm,
        human_nll=verdict.human_nll,
        pairs=row_kind(selected) is PAIRS,
        chooses=rule.chooses,
        # The setting, whatever an order has made of it.
        select_k=rule.k,
        human_left=0 if mixed is not None and mixed.human_rows_left == 0 else budget_left,
        human_wanted_short=mixed is not None and mixed.dry,
    )


def stop_reason(decision: Decision) -> str | None:
    """Why the run ends here; None where it goes on."""
    stop = decision.course.stop
    return None if stop is None else f"stopped by the monitor: {stop}"


def _budget_left(spec: ControllerSpec, training: Artifact | None) -> int | None:
    """Human tokens, or pairs, that the budget still allows; None without a budget."""
    if spec.budget is None:
        return None
    if training is None:
        return spec.budget
    spent = list(training.records(Spent, "ledger"))
    units = len(spent) if row_kind(training).unit == "pairs" else sum(one.tokens for one in spent)
    return max(0, spec.budget - units)
