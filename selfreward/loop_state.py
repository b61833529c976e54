"""What one iteration of the loop hands to the next. It is not written anywhere: a resumed run makes it again."""

from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.judging_policies import TrustedJudge
from selfreward.observing import Observed
from selfreward.policies import Judging, Policies
from selfreward.stages.gate import gate_of


@dataclass(frozen=True)
class First:
    """What iteration 0 made and later ones are compared with; nothing while it lasts."""

    observed: Observed | None = None
    candidates: Artifact | None = None
    judgments: Artifact | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """The policies, and what the iteration before made; at iteration 0 there is nothing before."""

    policies: Policies
    first: First = First()
    observed: Observed | None = None
    asked: Artifact | None = None
    metas: Artifact | None = None
    gated: Artifact | None = None
    passed: TrustedJudge | None = None
    decision: Artifact | None = None
    training: Artifact | None = None

    @property
    def frozen(self) -> Judging | None:
        """The policy that judges from now on, whatever `judge.policy` says; None where that names it."""
        frozen = self.gated is not None and gate_of(self.gated).frozen
        return self.passed.policy if frozen and self.passed is not None else None
