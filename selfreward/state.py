"""What one iteration of the loop hands to the next. It is not written anywhere: a resumed run makes it again."""

from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.judging import Judged
from selfreward.records import Policy


@dataclass(frozen=True)
class First:
    """What iteration 0 made and later ones are compared with; nothing while it lasts."""

    measured: Artifact | None = None
    evaluated: Artifact | None = None
    candidates: Artifact | None = None
    judgments: Artifact | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """The policies, and what the iteration before made; at iteration 0 there is nothing before."""

    initial: Policy
    previous: Policy
    policy: Policy
    first: First = First()
    diagnosis: Artifact | None = None
    evaluated: Artifact | None = None
    asked: Artifact | None = None
    judged: Judged | None = None
    decision: Artifact | None = None
    training: Artifact | None = None
