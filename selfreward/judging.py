"""Who judges at an iteration, a backend that holds it, and the judging of a round with a look at its judge."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfreward.artifacts import Artifact, part_of
from selfreward.backends import AnyBackend, open_backend, trusts
from selfreward.backends.base import Backend
from selfreward.data.models import model_policy
from selfreward.judges import AnyJudge
from selfreward.judges.base import PolicyJudgeBase
from selfreward.judges.jury import JurySpec, juror
from selfreward.monitor.gate_rules import GateSpec
from selfreward.records import Policy
from selfreward.stages.duel import DuelSpec, duel
from selfreward.stages.gate import asks_to_freeze, gate
from selfreward.stages.health import health, health_spec
from selfreward.stages.judge import judge

Stage = Callable[..., Artifact]


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies that may judge: the one that draws now, the one before it, and the first."""

    live: Policy
    previous: Policy
    initial: Policy


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The policies that may judge, the engine that holds one, and `backend`, which holds the live one already."""

    policies: Policies
    engine: AnyBackend
    backend: Backend
    store: Path

    @contextmanager
    def holding(self, policy: Policy | None) -> Iterator[Backend | None]:
        """A backend that holds `policy`; none for a judge that is no policy."""
        if policy is None or policy.digest == self.policies.live.digest:
            yield None if policy is None else self.backend
            return
        with open_backend(self.engine, policy) as backend:
            yield backend


def jurors(spec: AnyJudge, bench: Bench) -> dict[str, Policy]:
    """The policies that members of a jury name, as inputs of the stages that ask it; none for another judge."""
    if not isinstance(spec, JurySpec):
        return {}
    named = {juror(name): judging_policy(member, bench) for name, member in spec.named.items()}
    return {name: policy for name, policy in named.items() if policy is not None}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The judgments of a round, what the gate says of them, and the last judging policy that passed it, if any.

    `passed_health` is what measured that policy when it passed, and has the weights that a jury learned for it.
    """

    judgments: Artifact
    gate: Artifact
    passed: Policy | None
    passed_health: Artifact | None

    @property
    def frozen(self) -> Policy | None:
        """The policy that judges from now on, whatever `judge.policy` says; None where that names it."""
        return self.passed if self.gate.json("gate")["frozen"] else None


def judge_round(
    stage: Stage,
    spec: AnyJudge,
    gate_spec: GateSpec,
    bench: Bench,
    *,
    gold: Artifact,
    final: Artifact,
    candidates: Artifact,
    prompts: Artifact,
    duel: Artifact | None,
    previous: Judged | None,
) -> Judged:
    """Measures the judge on gold, judges the candidates, and passes both through the gate.

    Where gold says to freeze, the last policy that passed judges this round already. A jury then judges by the weights
    that it learned with that policy; from the next round on it is measured with it again.
    """
    passed = None if previous is None else previous.passed
    passed_health = None if previous is None else previous.passed_health
    frozen = None if previous is None else previous.frozen
    members = jurors(spec, bench)
    with ExitStack() as held:
        policy = frozen or judging_policy(spec, bench)
        backend = held.enter_context(bench.holding(policy))
        measured = stage(
            health,
            health_spec(spec),
            backend=backend,
            policy=policy,
            gold=gold,
            final=final if gate_spec.final else None,
            **members,
        )
        figures, weighing = measured.part("figures"), measured
        if passed not in (None, policy) and asks_to_freeze(gate_spec, figures):
            assert passed_health is not None, "a policy that passed was measured"
            held.close()
            policy, weighing = passed, passed_health
            backend = held.enter_context(bench.holding(policy))
        judgments = stage(
            judge,
            spec,
            backend=backend,
            policy=policy,
            candidates=candidates,
            prompts=prompts,
            weights=weighing.part("weights") if isinstance(spec, JurySpec) and spec.learns else None,
            **members,
        )
    gated = stage(
        gate,
        gate_spec,
        health=figures,
        judgments=judgments,
        duel=part_of(duel, "figures"),
        previous=None if previous is None else previous.gate,
    )
    if gated.json("gate")["healthy"]:
        passed, passed_health = policy, measured
    return Judged(judgments=judgments, gate=gated, passed=passed, passed_health=passed_health)


def fight_duel(
    stage: Stage,
    spec: DuelSpec | None,
    bench: Bench,
    *,
    held_out: Artifact,
    evaluated: Artifact,
    start: Artifact | None,
    previous: Artifact | None,
) -> Artifact | None:
    """The duel of this policy's held-out answers with those of the start model and of the policy before.

    None where no duel is asked for, and at iteration 0, which has nobody to meet.
    """
    if spec is None or start is None or previous is None:
        return None
    policy = judging_policy(spec.judge, bench)
    with bench.holding(policy) as backend:
        return stage(
            duel,
            spec,
            backend=backend,
            policy=policy,
            held_out=held_out,
            evaluated=evaluated,
            start=start,
            previous=previous,
        )


def judging_policy(spec: AnyJudge, bench: Bench) -> Policy | None:
    """The policy that `spec` names as the judge of this iteration; None for a judge that is no policy."""
    if not isinstance(spec, PolicyJudgeBase):
        return None
    match spec.policy:
        case "live":
            return bench.policies.live
        case "previous":
            return bench.policies.previous
        case "initial":
            return bench.policies.initial
        case "external":
            assert spec.path is not None
            return model_policy(spec.path, spec.chat, bench.store, trusted=trusts(bench.engine))
