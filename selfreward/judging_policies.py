"""Which policy judges, the engine that holds it, and which judge is trusted after its health is known."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from selfreward.artifacts import Artifact, Part
from selfreward.backends import AnyBackend, open_backend, trusts
from selfreward.backends.base import Backend
from selfreward.data.models import model_policy
from selfreward.judges import AnyJudge
from selfreward.judges.base import PolicyJudgeBase
from selfreward.judges.jury import JurySpec, juror
from selfreward.monitor.gate_rules import GateSpec
from selfreward.records import Policy
from selfreward.stages.gate import asks_to_freeze


@dataclass(frozen=True, slots=True)
class TrustedJudge:
    """A judging policy, None for a judge that is no policy, and the health that was measured with it."""

    policy: Policy | None
    health: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy that draws now, the one before it, and the first, by the names that settings have for them."""

    live: Policy
    previous: Policy
    initial: Policy


class Judges:
    """The policies that may judge in an iteration, and the engines that hold them.

    `backend` holds the live one. In a `with` block one other policy at a time is held by an engine of its own, which
    is closed at the end of the block or when the next one is needed.
    """

    def __init__(self, engine: AnyBackend, backend: Backend, store: Path, policies: Policies) -> None:
        """Opens nothing; `store` keeps the folders of external models."""
        self._engine, self._backend, self._store, self._policies = engine, backend, store, policies
        self._held: tuple[str, Backend] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exit: object) -> None:
        """Closes the engine that this block opened."""
        self._held = None
        self._open.close()

    def named(self, spec: AnyJudge) -> Policy | None:
        """The policy that `spec` names as the judge of this iteration; None for a judge that is no policy."""
        if not isinstance(spec, PolicyJudgeBase):
            return None
        if spec.policy == "external":
            assert spec.path is not None
            return model_policy(spec.path, spec.chat, self._store, trusted=trusts(self._engine))
        policy: Policy = getattr(self._policies, spec.policy)
        return policy

    def inputs(self, spec: AnyJudge, policy: Policy | None) -> dict[str, Any]:
        """What a stage that asks `spec` is given: the `policy` that judges, a backend that holds it, and jurors."""
        members = spec.named if isinstance(spec, JurySpec) else {}
        named = {juror(name): self.named(member) for name, member in members.items()}
        jurors = {name: one for name, one in named.items() if one is not None}
        return {"policy": policy, "backend": None if policy is None else self._backend_of(policy), **jurors}

    def _backend_of(self, policy: Policy) -> Backend:
        if policy.digest == self._policies.live.digest:
            return self._backend
        if self._held is None or policy.digest != self._held[0]:
            self._open.close()
            self._held = policy.digest, self._open.enter_context(open_backend(self._engine, policy))
        return self._held[1]


def trusted_judge(spec: GateSpec, policy: Policy | None, health: Artifact, passed: TrustedJudge | None) -> TrustedJudge:
    """The judge of this round: `policy`, or the last one that `passed` the gate where gold says to freeze.

    A jury then judges by the weights that it learned with that policy; from the next round on it is measured with it
    again.
    """
    if passed is None or passed.policy in (None, policy) or not asks_to_freeze(spec, health.part("figures")):
        return TrustedJudge(policy, health)
    return passed


def learned_weights(spec: AnyJudge, health: Artifact) -> Part | None:
    """The weights that a jury learned when it was measured; None for a judge that learns none."""
    return health.part("weights") if isinstance(spec, JurySpec) and spec.learns else None
