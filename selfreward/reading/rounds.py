"""One iteration of a run with the typed reports of its stages; pages, metrics and notebooks read a run through it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.monitor.gate_rules import GateFinding
from selfreward.monitor.over_optimisation import TURNING
from selfreward.reading.members import Member, members_of
from selfreward.selection.choice import selection_counts
from selfreward.selection.training_rows import row_kind
from selfreward.stages.decide import Decision, decision_of, stop_reason
from selfreward.stages.diagnose import Verdict, verdict_of
from selfreward.stages.duel import duel_of
from selfreward.stages.evaluate import evaluation_by_set, evaluation_of
from selfreward.stages.gate import gate_of, gate_reason
from selfreward.stages.health import health_of
from selfreward.stages.judge import judged_of
from selfreward.stages.measure import measurement_of
from selfreward.stages.meta import meta_of
from selfreward.stages.mix import mixing_of
from selfreward.stages.overoptimisation import curve_of
from selfreward.stages.prompts import written_of
from selfreward.stages.red_team import red_teamed_of
from selfreward.stages.revise import revising_of
from selfreward.stages.reward import rewarding_of
from selfreward.stages.sample import sampled_of
from selfreward.stages.update import rl_steps_of, training_of

MAKING = ("sample", "revise", "judge", "select")
"""The stages that turn prompts into rows of the policy's own; what the others cost does not buy rows."""

Report = TypeVar("Report")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time in seconds, the tokens that were drawn or read, and money; None where none are counted."""

    seconds: float
    tokens: float | None
    money: float | None = None

    def per(self, rows: int) -> "Cost":
        """The share of one of `rows`."""
        tokens, money = (None if one is None else one / rows for one in (self.tokens, self.money))
        return Cost(self.seconds / rows, tokens, money)


def _report(stage: str, read: Callable[[Artifact], Report]) -> "cached_property[Report | None]":
    """The report of `stage`, read when it is first asked for; None where the stage has not run."""
    return cached_property(lambda one: read(one.stages[stage]) if stage in one.stages else None)


@dataclass(frozen=True)
class Round:
    """Iteration `t`: the policy M`t`, and the round that trains the next one.

    Every figure is read when it is first asked for, and is None where its stage has not run. `sources` are the data of
    the run.
    """

    t: int
    stages: Mapping[str, Artifact]
    sources: Mapping[str, Artifact]

    measurement = _report("measure", measurement_of)
    verdict = _report("diagnose", verdict_of)
    evaluation = _report("evaluate", evaluation_of)
    evaluation_by_set = _report("evaluate", evaluation_by_set)
    duel = _report("duel", duel_of)
    red_teamed = _report("red_team", red_teamed_of)
    curve = _report("overoptimisation", curve_of)
    written = _report("prompts", written_of)
    sampled = _report("sample", sampled_of)
    revising = _report("revise", revising_of)
    health = _report("health", health_of)
    judged = _report("judge", judged_of)
    meta = _report("meta", meta_of)
    gate = _report("gate", gate_of)
    selection = _report("select", selection_counts)
    decision = _report("decide", decision_of)
    mixing = _report("mix", mixing_of)
    reward = _report("reward", rewarding_of)
    training = _report("update", training_of)
    rl_steps = _report("update", rl_steps_of)

    @property
    def turning(self) -> GateFinding | None:
        """Whether the proxy rose while gold fell, as the gate saw it; None where no gold is held against the judge."""
        findings = () if self.gate is None else self.gate.findings
        return next((one for one in findings if one.name == TURNING), None)

    @property
    def drawn(self) -> int | None:
        """How many candidates were drawn."""
        return None if self.sampled is None else self.sampled.drawn

    @property
    def eligible_share(self) -> float | None:
        """The share of the candidates looked at that could have been chosen; None before there is a selection."""
        counts = self.selection
        return None if counts is None else share_of(counts.eligible, counts.candidates)

    @property
    def kept(self) -> int | None:
        """The policy's own rows, examples or pairs, that came into this round's training set; None without one."""
        if "mix" not in self.stages:
            return None
        selected = self.stages["select"]
        return selected.rows(row_kind(selected).table)

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """The members of the jury that judges, by name; nothing where one alone does."""
        return members_of(self.stages.get("health"), self.stages.get("judge"), self.sources.get("gold_gate"))

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """What each stage took to make, whichever run made it."""
        return {name: cost_of(artifact) for name, artifact in self.stages.items()}

    @property
    def costs_per_row(self) -> Mapping[str, Cost]:
        """What each stage spent for each kept row; nothing where no row was kept."""
        kept = self.kept
        return {name: one.per(kept) for name, one in self.costs.items()} if kept else {}

    @property
    def making_per_row(self) -> Cost | None:
        """The sum of what the stages that make rows spent for each kept row; None where no row was kept."""
        return total(self.costs[name] for name in MAKING if name in self.costs).per(self.kept) if self.kept else None

    @property
    def stop(self) -> str | None:
        """Why the gate or the controller ended the run here; None where neither did."""
        by_gate = None if self.gate is None else gate_reason(self.gate)
        return by_gate or (None if self.decision is None else stop_reason(self.decision))


def rounds_of(view: RunView) -> tuple[Round, ...]:
    """Every iteration of a run, however far it came."""
    return tuple(Round(t, stages, view.sources) for t, stages in enumerate(view.iterations))


def verdicts_of(rounds: Iterable[Round]) -> list[tuple[int, Verdict]]:
    """The policies that the monitor has judged, by number, with its verdicts."""
    return [(one.t, one.verdict) for one in rounds if one.verdict is not None]


def decisions_of(rounds: Iterable[Round]) -> list[tuple[int, Decision]]:
    """The rounds that came to a decision, by number."""
    return [(one.t, one.decision) for one in rounds if one.decision is not None]


def cost_of(artifact: Artifact) -> Cost:
    """What an artifact took to make."""
    return Cost(artifact.manifest.seconds, artifact.tokens, artifact.money)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs; tokens and money are None if none of them counts any."""
    listed = list(costs)
    tokens = [one.tokens for one in listed if one.tokens is not None]
    money = [one.money for one in listed if one.money is not None]
    return Cost(sum(one.seconds for one in listed), sum(tokens) if tokens else None, sum(money) if money else None)


def share_of(part: int | None, whole: int | None) -> float | None:
    """`part` of `whole`; None where either is not known or there is no whole."""
    return part / whole if part is not None and whole else None
