"""A judge held against what people said of the pairs of a file: its figures, in words and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from selfreward.artifacts import Artifact
from selfreward.judge_quality.bias import ScoreBin
from selfreward.judge_quality.estimate import Measure, Measures
from selfreward.judge_quality.verdicts import Judged
from selfreward.judges.base import Weights
from selfreward.labels.items import Item
from selfreward.labels.kinds import KindOfPrompt, by_kind
from selfreward.monitor.gate_rules import GateDecision
from selfreward.policies import Judging
from selfreward.records import Judgment
from selfreward.spec import Json

# The one measure of a judge that people have too, in the same unit.
CEILINGS = {"kappa": "mean_pairwise_kappa"}
COIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What came of asking a judge, with settings `judge`, about `items` of the file `gold`; every item has a kind.

    `policy` judged, `artifact` holds what it said. `people` is how far people agree among themselves. `left_out` counts
    the pairs of the file that are no items, by reason, and `not_asked` those beyond the number that was asked for.
    `weights` are those that a jury learned on all items, None where none were to be learned.
    """

    gold: str
    judge: Mapping[str, Json]
    policy: Judging | None
    artifact: Artifact
    items: Sequence[Item]
    judgments: Sequence[Judgment]
    measures: Measures
    people: Measures
    scores: tuple[ScoreBin, ...]
    gate: GateDecision
    left_out: Mapping[str, int]
    not_asked: int
    weights: Weights | None

    @property
    def judged(self) -> list[Judged]:
        """Every item with what the judge said of it."""
        return [(item.labelled, item.judge) for item in self.items if item.judge is not None]

    @property
    def kinds(self) -> list[KindOfPrompt]:
        """How the judge fares by kind of prompt, the worst first."""
        return by_kind(self.judged, [str(item.kind) for item in self.items if item.judge is not None])

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many judgments had each outcome, the most frequent first."""
        return dict(Counter(str(one.outcome) for one in self.judgments).most_common())


def as_json(found: Calibrated) -> dict[str, Any]:
    """All figures of a calibration, without a text of the file."""
    cost = found.artifact.manifest
    return {
        "gold": found.gold,
        "pairs": len(found.items),
        "left_out": {**found.left_out},
        "not_asked": found.not_asked,
        "judge": {**found.judge},
        "policy": None if found.policy is None else found.policy.digest,
        "weights": None if found.weights is None else {**found.weights},
        "artifact": f"{cost.stage}/{cost.key}",
        "measures": {name: asdict(one) for name, one in found.measures.items()},
        "people": {name: asdict(one) for name, one in found.people.items()},
        "scores": [asdict(one) for one in found.scores],
        "outcomes": {**found.outcomes},
        "kinds": [asdict(one) for one in found.kinds],
        "gate": {"action": found.gate.action, "findings": [asdict(one) for one in found.gate.findings]},
        "tokens": found.artifact.tokens,
        "seconds": cost.seconds,
    }


def against_chance(accuracy: Measure) -> str:
    """Whether a judge is told from a coin, which has an accuracy of one half, by the whole interval."""
    one = accuracy.interval
    if one is None:
        return f"Accuracy is not known: {accuracy.why_missing}"
    told = f"accuracy {one.value:.3f}, 95% interval {one.low:.3f} to {one.high:.3f}, on {one.n:,} pairs"
    if one.low <= COIN <= one.high:
        return f"Near chance: {told}, which contains the .5 of a coin"
    return f"{'Better' if one.low > COIN else 'Worse'} than chance: {told}"


def ceiling(name: str, people: Measures) -> Measure | None:
    """What people reach among themselves in the measure called `name`; None where they have no such measure."""
    return people.get(CEILINGS.get(name, ""))


def weights_text(weights: Weights) -> str:
    """The weights of a jury in one line, the heaviest first."""
    heaviest = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name} {weight:.3g}{'' if weight > 0 else ' (no say)'}" for name, weight in heaviest)
