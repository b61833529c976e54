"""One iteration of a run with the typed reports of its stages; pages, metrics and notebooks read a run through it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.probed import Measurement
from selfreward.selection.choice import SelectionCounts, selection_counts
from selfreward.selection.training_rows import training_table
from selfreward.stages.decide import Decision, decision_of, stop_reason
from selfreward.stages.diagnose import Verdict, verdict_of
from selfreward.stages.duel import Duel, duel_of
from selfreward.stages.evaluate import evaluation_of
from selfreward.stages.gate import Gate, gate_of, gate_reason
from selfreward.stages.health import Health, health_of
from selfreward.stages.judge import Judged, judged_of
from selfreward.stages.measure import measurement_of
from selfreward.stages.mix import Mixing, mixing_of
from selfreward.stages.sample import Sampled, sampled_of
from selfreward.stages.update import training_of
from selfreward.updates import Training

MAKING = ("sample", "judge", "select")
"""The stages that turn prompts into rows of the policy's own; what the others cost does not buy rows."""

Report = TypeVar("Report")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time in seconds and the tokens that were drawn or read, None where none are counted."""

    seconds: float
    tokens: int | None

    def per(self, rows: int) -> "RowCost":
        """The share of one of `rows`."""
        return RowCost(self.seconds / rows, None if self.tokens is None else self.tokens / rows)


@dataclass(frozen=True, slots=True)
class RowCost:
    """Seconds and tokens for each kept row; tokens are None where none are counted."""

    seconds: float
    tokens: float | None


@dataclass(frozen=True)
class Round:
    """Iteration `t`: the policy M`t`, and the round that trains the next one.

    Every figure is read when it is first asked for, and is None where its stage has not run.
    """

    t: int
    stages: Mapping[str, Artifact]

    @cached_property
    def measurement(self) -> Measurement | None:
        """What the probe says of the policy."""
        return self._report("measure", measurement_of)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the monitor says of the policy."""
        return self._report("diagnose", verdict_of)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """What held-out prompts and gold pairs say of the policy."""
        return self._report("evaluate", evaluation_of)

    @cached_property
    def duel(self) -> Duel | None:
        """How the policy fared against others."""
        return self._report("duel", duel_of)

    @cached_property
    def health(self) -> Health | None:
        """How far the judge can be trusted on gold."""
        return self._report("health", health_of)

    @cached_property
    def gate(self) -> Gate | None:
        """What the gate made of the judge."""
        return self._report("gate", gate_of)

    @cached_property
    def selection(self) -> SelectionCounts | None:
        """What became of the candidates, by number."""
        return self._report("select", selection_counts)

    @cached_property
    def decision(self) -> Decision | None:
        """What the controller decided."""
        return self._report("decide", decision_of)

    @cached_property
    def mixing(self) -> Mixing | None:
        """What the training set is made of."""
        return self._report("mix", mixing_of)

    @cached_property
    def training(self) -> Training | None:
        """What the update saw and did."""
        return self._report("update", training_of)

    @cached_property
    def sampled(self) -> Sampled | None:
        """How many candidates were drawn, and of which kinds."""
        return self._report("sample", sampled_of)

    @property
    def drawn(self) -> int | None:
        """How many candidates were drawn."""
        return None if self.sampled is None else self.sampled.drawn

    @cached_property
    def judged(self) -> Judged | None:
        """How many judgments were asked for, and what came of them."""
        return self._report("judge", judged_of)

    @property
    def kept(self) -> int | None:
        """The policy's own rows, examples or pairs, that came into this round's training set; None without one."""
        if "mix" not in self.stages:
            return None
        selected = self.stages["select"]
        return selected.rows(training_table(selected)[0])

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """What each stage took to make, whichever run made it."""
        return {name: cost_of(artifact) for name, artifact in self.stages.items()}

    @property
    def costs_per_row(self) -> Mapping[str, RowCost]:
        """What each stage spent for each kept row; nothing where no row was kept."""
        kept = self.kept
        return {name: one.per(kept) for name, one in self.costs.items()} if kept else {}

    @property
    def making_per_row(self) -> RowCost | None:
        """The sum of what the stages that make rows spent for each kept row; None where no row was kept."""
        return total(self.costs[name] for name in MAKING).per(self.kept) if self.kept else None

    @property
    def stop(self) -> str | None:
        """Why the gate or the controller ended the run here; None where neither did."""
        return self._report("gate", gate_reason) or self._report("decide", stop_reason)

    def _report(self, stage: str, read: Callable[[Artifact], Report]) -> Report | None:
        return read(self.stages[stage]) if stage in self.stages else None


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """The verdict on policy M`t`, and the decision that followed, None where the run has not come to one."""

    t: int
    verdict: Verdict
    decision: Decision | None


def rounds_of(view: RunView) -> tuple[Round, ...]:
    """Every iteration of a run, however far it came."""
    return tuple(Round(t, stages) for t, stages in enumerate(view.iterations))


def diagnosed(rounds: Iterable[Round]) -> tuple[Diagnosed, ...]:
    """The policies that the monitor has judged."""
    return tuple(Diagnosed(one.t, one.verdict, one.decision) for one in rounds if one.verdict is not None)


def cost_of(artifact: Artifact) -> Cost:
    """What an artifact took to make."""
    return Cost(artifact.manifest.seconds, artifact.tokens)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs; tokens are None if none of them counts any."""
    listed = list(costs)
    counted = [one.tokens for one in listed if one.tokens is not None]
    return Cost(sum(one.seconds for one in listed), sum(counted) if counted else None)


def share_of(part: int | None, whole: int | None) -> float | None:
    """`part` of `whole`; None where either is not known or there is no whole."""
    return part / whole if part is not None and whole else None
