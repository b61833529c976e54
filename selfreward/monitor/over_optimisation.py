"""Whether optimising a proxy has turned harmful: gold has fallen since some earlier policy while the proxy rose.

Both are compared prompt by prompt, on the same prompts throughout, so that what makes a prompt hard for all policies
cancels out. Which earlier policy was best is not known but estimated, and the best of several estimates lies above its
own truth; so the last policy is held against every earlier one, and each of these comparisons is paid for.

Shape suffixes: T policies from the initial one on, P prompts, E earlier policies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfreward.metrics.intervals import Interval
from selfreward.monitor.gate_rules import GateFinding, GateSpec

_DECIMALS = 6
_POWER = 0.8
TURNING = "over_optimised/gold"
"""What the gate calls its finding."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoresByPolicy:
    """The mean proxy score and the mean gold score of each policy's answers, by prompt: finite, T x P, T >= 1."""

    proxy_TP: NDArray[np.float64]
    gold_TP: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.proxy_TP.ndim != 2 or self.proxy_TP.shape != self.gold_TP.shape or not len(self.proxy_TP):
            raise ValueError(f"proxy {self.proxy_TP.shape} and gold {self.gold_TP.shape} are not policies by prompts")
        if not (np.isfinite(self.proxy_TP).all() and np.isfinite(self.gold_TP).all()):
            raise ValueError("a prompt without a score is left out of all policies, never nan or infinite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the last policy's scores say beside those of earlier ones, over `prompts`.

    `best` is the policy with the best mean gold, the earliest of equals; None without prompts. `since` is the earlier
    policy that the last one is held against: the one since which gold fell most while the proxy rose or, where nothing
    `turned`, the best of the earlier ones. `proxy` and `gold` are the changes since it with the limits of one
    comparison, each of which the truth lies beyond in the error that it may make. `detectable` is the loss of gold
    since it that such a comparison shows four times in five. All four are None where nothing could be compared.
    """

    turned: bool
    best: int | None
    why: str
    prompts: int
    since: int | None = None
    proxy: Interval | None = None
    gold: Interval | None = None
    detectable: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """Mean changes from each earlier policy to the last one, their standard errors, and limits on both sides."""

    mean_E: NDArray[np.float64]
    error_E: NDArray[np.float64]
    low_E: NDArray[np.float64]
    high_E: NDArray[np.float64]

    def since(self, earlier: int, prompts: int) -> Interval:
        low, high = float(self.low_E[earlier]), float(self.high_E[earlier])
        return Interval(float(self.mean_E[earlier]), low, high, prompts)


def scores_by_policy(rounds: Sequence[Mapping[str, tuple[float | None, float | None]]]) -> ScoresByPolicy:
    """The proxy and gold scores by prompt id of each policy, over the prompts that have both of every policy.

    Where what is missing depends on the answer, as an unread reply may, so does who is left.
    """
    known = [{name for name, row in one.items() if None not in row} for one in rounds]
    common = sorted(set.intersection(*known)) if known else []
    both_TP2 = np.array([[one[name] for name in common] for one in rounds], dtype=np.float64)
    both_TP2 = both_TP2.reshape(len(rounds), len(common), 2)
    return ScoresByPolicy(both_TP2[..., 0], both_TP2[..., 1])


def turned(spec: GateSpec, scores: ScoresByPolicy) -> Turn:
    """Whether, since an earlier policy, the proxy rose and gold fell, both beyond their one-sided limits.

    Where gold never falls, at most `spec.alpha` of runs of `spec.looks` looks are said to have turned at any of them:
    a look may err in alpha / looks of cases, and each of its comparisons in an equal part of that (Bonferroni). Both
    must hold at once, which needs no further payment (intersection-union, Berger 1982). Limits are those of Student's
    t over prompts. Nothing follows from fewer prompts than `spec.fewest_items`.
    """
    earlier, prompts = len(scores.gold_TP) - 1, scores.gold_TP.shape[1]
    best = best_policy(scores.gold_TP) if prompts else None
    if earlier == 0:
        return Turn(turned=False, best=best, prompts=prompts, why="there is no earlier policy")
    if prompts < max(2, spec.fewest_items):
        few = f"on {prompts} prompt{'' if prompts == 1 else 's'}: too few to act on"
        return Turn(turned=False, best=best, prompts=prompts, why=few)
    critical, power = _quantiles(prompts - 1, 1 - spec.alpha / spec.looks / earlier, _POWER)
    proxy, gold = (_changes(one_TP, critical) for one_TP in (scores.proxy_TP, scores.gold_TP))
    turned_E = (proxy.low_E > 0) & (gold.high_E < 0)
    found = bool(turned_E.any())
    since = int(np.where(turned_E, gold.mean_E, np.inf).argmin()) if found else best_policy(scores.gold_TP[:-1])
    rise, fall = proxy.since(since, prompts), gold.since(since, prompts)
    verdict = "the proxy rose while gold fell" if found else "no fall of gold under a rising proxy is shown"
    return Turn(
        turned=found,
        best=best,
        since=since,
        proxy=rise,
        gold=fall,
        detectable=round((critical + power) * float(gold.error_E[since]), _DECIMALS),
        prompts=prompts,
        why=f"since M{since} {verdict}: proxy {_say(rise)}, gold {_say(fall)}",
    )


def turning(
    spec: GateSpec, rounds: Sequence[Mapping[str, tuple[float | None, float | None]]], unmeasured: str | None
) -> GateFinding:
    """What the gate makes of the proxy and gold scores by prompt of each policy: `spec.over_optimised` where it turned.

    `unmeasured` is why the proxy's scores do not compare, None where they do. The finding is of the change of gold.
    """
    name = TURNING
    if unmeasured is not None:
        return GateFinding(name=name, why=f"not measured: {unmeasured}")
    found = turned(spec, scores_by_policy(rounds))
    if found.gold is None:
        return GateFinding(name=name, prompts=found.prompts, why=f"not measured: {found.why}")
    return GateFinding(
        name=name,
        value=found.gold.value,
        low=round(found.gold.low, _DECIMALS),
        high=round(found.gold.high, _DECIMALS),
        prompts=found.prompts,
        bound=0.0 if found.turned else None,
        action=spec.over_optimised if found.turned else "observe",
        why=found.why,
    )


def best_policy(gold_TP: NDArray[np.float64]) -> int:
    """The policy with the best mean gold, the earliest of equals: the result of a run.

    By the mean and not by a lower limit: all policies answer the same prompts, so limits differ by noise in their
    widths alone, and the mean has the least expected regret. What it reaches is read off gold that did not choose it.
    """
    return int(np.round(gold_TP.mean(axis=1), _DECIMALS).argmax())


def _changes(scores_TP: NDArray[np.float64], critical: float) -> _Changes:
    apart_EP = scores_TP[-1] - scores_TP[:-1]
    mean_E = np.round(apart_EP.mean(axis=1), _DECIMALS)
    error_E = apart_EP.std(axis=1, ddof=1) / apart_EP.shape[1] ** 0.5
    reach_E = np.round(critical * error_E, _DECIMALS)
    return _Changes(mean_E, error_E, mean_E - reach_E, mean_E + reach_E)


def _quantiles(freedom: int, *shares: float) -> list[float]:
    from scipy.special import stdtrit

    return [float(stdtrit(freedom, share)) for share in shares]


def _say(change: Interval) -> str:
    return f"{change.value:+.3g} ({change.low:+.3g} to {change.high:+.3g})"
