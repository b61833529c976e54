"""One family's test in one round: has it moved the wrong way by more than a margin?

The test is paired by prompt. Per prompt the excess is e = loss - margin * unit, where for a relative family loss is
base - now and unit is base, and for `nll` loss is now - base and unit is 1 nat. Null: the mean excess over prompts is
at most 0. Statistic: z = mean(e) / (sd(e) / sqrt(P)), the same number as (drop - margin) / se. What one prompt has in
common with itself in both rounds cancels; what is left is taken as independent from prompt to prompt.

The drop is a ratio of means, drop = mean(loss) / mean(unit), so its own noise is not that of the excess but that of
loss - drop * unit (Cochran 1977, chapter 6).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from selfreward.metrics.intervals import Family, Paired, both_known
from selfreward.monitor.critical_values import detectable, student_critical, student_limit
from selfreward.spec import Spec

Part = Literal["contraction", "loss"]

PARTS: Mapping[Family, Part] = {
    "sem": "contraction",
    "lex": "contraction",
    "ent": "contraction",
    "nll": "loss",
    "recall": "loss",
    "human": "loss",
}
FEWEST_PROMPTS = 8
LEVEL = 0.95
_ROUNDING = 1e-9


class Margins(Spec):
    """The loss each family is allowed: `nll` in nats per token, the others as a share of their reference."""

    sem: float = Field(0.07, gt=0, lt=1)
    lex: float = Field(0.10, gt=0, lt=1)
    ent: float = Field(0.15, gt=0, lt=1)
    nll: float = Field(0.05, gt=0)
    recall: float = Field(0.10, gt=0, lt=1)
    human: float = Field(0.10, gt=0, lt=1)

    def of(self, family: Family) -> float:
        """The margin of `family`, in its unit."""
        return float(getattr(self, family))


@dataclass(frozen=True, slots=True)
class Finding:
    """One family's test in one round; `drop`, `se`, `low`, `high` and `detectable` are in the unit of `margin`.

    `now` and `base` are means over `prompts`, `since` is the round of `base` (None: the human answers). The family
    is hit where z = (drop - margin) / `se` exceeds `critical`, which pays for all rounds of a run. A true drop of
    margin + `detectable` is hit four times in five. `low` and `high` are a 95% interval of this one drop: they do not
    pay for the rounds, so `low` above the margin is not yet a hit.
    """

    family: Family
    part: Part
    now: float
    base: float
    drop: float
    se: float
    low: float
    high: float
    z: float
    critical: float
    margin: float
    detectable: float
    hit: bool
    prompts: int
    since: int | None


def margin_test(family: Family, paired: Paired, margin: float, critical: float, since: int | None) -> Finding | None:
    """The test of `family` at a normal `critical` value, which is widened for the number of prompts.

    None with fewer than 8 prompts, a reference of 0, or the same difference on every prompt.
    """
    prompts = len(paired.now_P)
    if prompts < FEWEST_PROMPTS:
        return None
    if family == "nll":
        loss_P, unit_P = paired.now_P - paired.base_P, np.ones(prompts)
    else:
        loss_P, unit_P = paired.base_P - paired.now_P, paired.base_P
    unit, excess_P = float(unit_P.mean()), loss_P - margin * unit_P
    if unit < _ROUNDING or np.ptp(excess_P) < _ROUNDING:
        return None
    drop = float(loss_P.mean()) / unit
    se = _mean_se(excess_P) / unit
    z = (drop - margin) / se
    bound = student_critical(critical, prompts)
    half = student_limit(LEVEL, prompts) * _mean_se(loss_P - drop * unit_P) / unit
    return Finding(
        family=family,
        part=PARTS[family],
        now=float(paired.now_P.mean()),
        base=float(paired.base_P.mean()),
        drop=drop,
        se=se,
        low=drop - half,
        high=drop + half,
        z=z,
        critical=bound,
        margin=margin,
        detectable=se * detectable(bound, prompts),
        hit=z > bound,
        prompts=prompts,
        since=since,
    )


def worst_loss(findings: Iterable[Finding]) -> float:
    """The largest (drop - margin) / margin of the loss families that hit; 0 where none did."""
    return max(
        ((one.drop - one.margin) / one.margin for one in findings if one.part == "loss" and one.hit), default=0.0
    )


def nll_test(human_nll: Sequence[Mapping[str, float]], margin: float, critical: float) -> Finding | None:
    """The rise of the last round's human NLL over every earlier round, each pair tested at `critical`.

    The answer format is learned first, so the NLL falls before it can rise. Told is the largest rise among those that
    are significant, or of all where none is. None without an earlier round that shares enough prompts.
    """
    *earlier, now = human_nll or [{}]
    found = []
    for since, then in enumerate(earlier):
        paired = both_known((now[prompt], then[prompt]) for prompt in sorted(now.keys() & then.keys()))
        if (test := margin_test("nll", paired, margin, critical, since)) is not None:
            found.append(test)
    return max(found, key=lambda finding: (finding.hit, finding.drop), default=None)


def _mean_se(values_P: NDArray[np.float64]) -> float:
    """The standard error of the mean over prompts."""
    return float(values_P.std(ddof=1)) / math.sqrt(len(values_P))
