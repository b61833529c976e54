"""The result of a run that is held against gold: the policy with the best gold, and where it lies."""

from dataclasses import dataclass
from pathlib import Path

from selfreward.artifacts.runs import RunView
from selfreward.metrics.intervals import Interval
from selfreward.reading.rounds import rounds_of
from selfreward.stages.update import policy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfRun:
    """The policy M`t`, chosen among `policies` by its mean gold; `folder` is None where it is the start model."""

    t: int
    policies: int
    gold: Interval
    gold_name: str
    folder: Path | None

    @property
    def told(self) -> str:
        """Which it is and by what, and why that figure is no estimate of what it reaches."""
        gold = f"{self.gold.value:.3g} ({self.gold.low:.3g} to {self.gold.high:.3g})"
        which = f"M{self.t}" if self.t else "M0, the start model,"
        return (
            f"best: {which} with gold ({self.gold_name}) {gold} on {self.gold.n} prompts; it was chosen among "
            f"{self.policies} policies by this figure, which flatters it: read what it reaches off other gold"
        )


def best_of(view: RunView) -> BestOfRun | None:
    """The best policy of a run so far; None where it is held against no gold, or gold says nothing of all policies."""
    curves = [one.curve for one in rounds_of(view) if one.curve is not None]
    if not curves or (best := curves[-1].best) is None:
        return None
    trained = view.iterations[best.policy - 1]["update"] if best.policy else None
    return BestOfRun(
        t=best.policy,
        policies=curves[-1].policy + 1,
        gold=best.gold,
        gold_name=curves[-1].gold_name,
        folder=None if trained is None else policy_of(trained).path,
    )
