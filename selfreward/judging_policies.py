"""Which policy judges, the engine that holds it, and which judge is trusted after its health is known."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from selfreward.artifacts import Artifact, Part, part_of
from selfreward.backends import AnyBackend, endpoint_of
from selfreward.backends.base import Backend
from selfreward.backends.rendering import ChatSpec
from selfreward.backends.reward_model import free_reward_models
from selfreward.data.models import model_policy, named_folder
from selfreward.errors import ConfigError
from selfreward.judges.asked_policy import AskedPolicy
from selfreward.judges.base import Brought, JudgeBase, PolicyJudgeBase
from selfreward.judges.jury import juror
from selfreward.monitor.gate_rules import GateSpec
from selfreward.policies import Judging, Policies, Policy, RewardModels
from selfreward.spec import Json
from selfreward.stages.gate import asks_to_freeze
from selfreward.stages.source import Sources
from selfreward.stages.update import judge_policy
from selfreward.updates import AnyUpdate
from selfreward.writing.settings import AnyPrompts, TrainingPrompts


@dataclass(frozen=True, slots=True)
class TrustedJudge:
    """A judging policy, None for a judge that is no policy, and the health that was measured with it."""

    policy: Judging | None
    health: Artifact


class Judges:
    """The policies that may judge or write prompts in an iteration, and the engines that hold them.

    `backend`, of the run's `engine`, holds the live one. In a `with` block one other policy at a time is held by an
    engine of its own, which is closed at the end of the block or when the next one is needed. `trained` are the reward
    models that the run trained at its start.
    """

    def __init__(
        self,
        engine: AnyBackend,
        backend: Backend,
        store: Path,
        policies: Policies,
        trained: tuple[Policy, ...] = (),
    ) -> None:
        """Opens nothing; `store` keeps the folders of external models."""
        self._engine, self._backend, self._store, self._policies = engine, backend, store, policies
        self._trained = trained
        self._held: tuple[AnyBackend, str, Backend] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exit: object) -> None:
        """Closes the engines that this block opened, and frees the reward models that it loaded."""
        self._held = None
        self._open.close()
        free_reward_models()

    def named(self, spec: JudgeBase, jury: JudgeBase | None = None) -> Judging | None:
        """What `spec`, perhaps a member of a `jury`, judges with in this iteration; None for what needs no model."""
        if not isinstance(spec, PolicyJudgeBase):
            return None if spec.brings is None else self._brought(spec.brings)
        return self._asked(spec, self._engine_of(spec, jury))

    def holding(self, spec: AskedPolicy) -> tuple[Judging, Backend]:
        """The policy that a part other than a judge asks, and a backend that holds it."""
        engine = spec.engine or self._engine
        policy = self._asked(spec, engine)
        return policy, self._backend_of(engine, policy)

    def inputs(self, spec: JudgeBase, policy: Judging | None) -> dict[str, Any]:
        """What a stage that asks `spec` is given: the `policy` that judges, a backend that holds it, and jurors.

        Jurors are the policies that members of a jury name; `engines` are the backends of those on another engine.
        """
        if not isinstance(spec, PolicyJudgeBase):
            if policy is not None:
                self._make_room(whole=True)
            return {"policy": policy, "backend": None}
        assert policy is not None
        engine = self._engine_of(spec)
        backend = self._backend_of(engine, policy)
        jurors: dict[str, Judging] = {}
        engines: dict[str, Backend] = {}
        for name, named, own in self._seated(spec):
            if named is not None:
                jurors[juror(name)] = named
            if own != engine:
                engines[name] = self._open.enter_context(own.open(named or policy))
        return {"policy": policy, "backend": backend, "engines": engines, **jurors}

    def rewarding(
        self, update: AnyUpdate, judge: JudgeBase, trusted: Judging | None, weights: Part | None, standard: Part | None
    ) -> dict[str, Any]:
        """What an update is given that may ask judges for rewards: their policies, and in `engine` what holds them.

        The run's own `judge` judges with the policy that is `trusted`, by its `weights` and `standard`. Nothing is
        opened: where it trains, an update opens engines of its own.
        """
        given: dict[str, Any] = {}
        engines: dict[str, Json] = {}
        for name, spec in update.judged_by(judge, self._engine).judges.items():
            assert spec is not None
            if update.judges[name] is None:
                given |= {"weights": weights, "standard": standard}
            policy = trusted if update.judges[name] is None else self.named(spec)
            given[judge_policy(name)] = policy
            if not isinstance(spec, PolicyJudgeBase) or policy is None:
                continue
            engine = self._engine_of(spec)
            engines[name] = dict(engine.open(policy).identity)
            for member, named, own in self._seated(spec):
                given[judge_policy(name, member)] = named
                if own != engine:
                    engines[f"{name}.{member}"] = dict(own.open(named or policy).identity)
        return {"engine": update.engine() | ({"judges": engines} if engines else {}), **given}

    def _seated(self, spec: JudgeBase) -> Iterator[tuple[str, Judging | None, AnyBackend]]:
        """The members of a jury, each with the policy that it names, None where it names none, and with its engine."""
        for name, member in sorted(spec.seats.items()):
            named = None if member.judges_with_jury else self.named(member, spec)
            yield name, named, self._engine_of(member, spec)

    def scorers(self, proxy: JudgeBase, gold: JudgeBase, frozen: Judging | None) -> dict[str, Any]:
        """What a stage is given that asks gold, the initial policy and then the proxy, and frees each for the next.

        Under `proxy` and `gold` the policies that these judge with, None for a judge that is none; `frozen` is that of
        a proxy that is frozen. A jury as a proxy is not asked. `engines` are the backends, by these names and
        `initial`.
        """
        judges = {"gold": self.named(gold), "proxy": None if proxy.seats else frozen or self.named(proxy)}
        engines = {"gold": self.inputs(gold, judges["gold"])["backend"]}
        engines["initial"] = self._backend_of(self._engine, self._policies.initial)
        engines["proxy"] = None if proxy.seats else self.inputs(proxy, judges["proxy"])["backend"]
        held = {name: one for name, one in engines.items() if one is not None}
        return {**judges, "initial": self._policies.initial, "engines": held}

    def gold(self, gold: JudgeBase) -> dict[str, Any]:
        """What a stage is given that draws and then asks gold: its policy, and the engine that holds it."""
        judging = self.named(gold)
        held = self.inputs(gold, judging)["backend"]
        return {"gold": judging, "engines": {} if held is None else {"gold": held}}

    def writing(self, spec: AnyPrompts, data: Sources) -> dict[str, Any]:
        """What `prompts` is given where new ones are written: the `writer`, its backend, and what is measured on."""
        if isinstance(spec, TrainingPrompts):
            return {}
        writer, backend = self.holding(spec)
        return {"writer": writer, "backend": backend, **data.measured}

    def _asked(self, spec: AskedPolicy, engine: AnyBackend) -> Judging:
        if spec.policy == "endpoint":
            return endpoint_of(engine)
        if spec.policy == "external":
            assert spec.path is not None
            return model_policy(spec.path, spec.chat, self._store, trusted=engine.trusts)
        return self._policies.named(spec.policy)

    def _brought(self, brings: Brought) -> RewardModels:
        if brings.folders is not None:
            members = brought_models(brings.folders, brings.chat, self._store)
        elif self._trained:
            members = self._trained
        else:
            raise ConfigError(
                "models=trained names the reward models that a run trains at its start, and this is no run: give "
                "judge.models their folders, as in [runs/store/reward/KEY/model-1]"
            )
        return RewardModels(members=members, engine=brings.engine)

    def _make_room(self, *, whole: bool) -> None:
        """Frees every model that judges, and with `whole` the one that draws, which is loaded again when it is asked.

        An accelerator rarely has memory for two. An endpoint needs none.
        """
        self._held = None
        self._open.close()
        if whole:
            self._backend.close()

    def _engine_of(self, spec: JudgeBase, jury: JudgeBase | None = None) -> AnyBackend:
        return spec.engine or (jury and jury.engine) or self._engine

    def _backend_of(self, engine: AnyBackend, policy: Judging) -> Backend:
        if engine == self._engine and policy.digest == self._policies.live.digest:
            return self._backend
        if self._held is None or (engine, policy.digest) != self._held[:2]:
            self._make_room(whole="weights" in engine.can)
            self._held = engine, policy.digest, self._open.enter_context(engine.open(policy))
        return self._held[2]


def brought_models(folders: Sequence[Path], chat: ChatSpec, store: Path) -> tuple[Policy, ...]:
    """The models that a judge brings, in order, those of the hub fetched. Raises AssetError and BackendError."""
    named = [named_folder(one, "judge.models") for one in folders]
    return tuple(model_policy(one, chat, store, trusted=False) for one in named)


def trusted_judge(
    spec: GateSpec, policy: Judging | None, health: Artifact, passed: TrustedJudge | None
) -> TrustedJudge:
    """The judge of this round: `policy`, or the last one that `passed` the gate where gold says to freeze.

    A jury then judges by the weights that it learned with that policy; from the next round on it is measured with it
    again.
    """
    if passed is None or passed.policy in (None, policy) or not asks_to_freeze(spec, health.part("figures")):
        return TrustedJudge(policy, health)
    return passed


def learned_weights(spec: JudgeBase, health: Artifact) -> Part | None:
    """The weights that a jury learned when it was measured; None for a judge that learns none."""
    return health.part("weights") if spec.learns else None


def first_standard(spec: JudgeBase, first: Artifact | None) -> Part | None:
    """What scores are standardised by, of `first`, the judgments of iteration 0; None there, and for other judges."""
    return part_of(first, "standard") if spec.standardises else None
