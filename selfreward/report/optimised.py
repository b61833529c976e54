"""Over-optimisation on the page of a run: proxy and gold of each policy, best of n beside them, and which was best."""

from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.artifacts.runs import RunView
from selfreward.metrics.intervals import Interval
from selfreward.reading.best import BestOfRun, best_of
from selfreward.reading.rounds import Round
from selfreward.report.charts import ChartFigure
from selfreward.report.figures import change, decimals, limited
from selfreward.report.over_optimisation_figure import OptimisedPolicy, over_optimisation_figure
from selfreward.stages.overoptimisation import Curve

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimised:
    """What the page shows: the figure, a row a policy, `sets` a row a policy and held-out set, and what was not seen.

    `turning` says of each round that was looked at what the gate made of it.
    """

    proxy: str
    gold: str
    figure: ChartFigure
    rows: Sequence[Row]
    sets: Sequence[Row]
    turning: Sequence[tuple[str, bool, str]]
    missing: Sequence[str]
    best: BestOfRun | None


def optimised(view: RunView, rounds: Sequence[Round]) -> Optimised | None:
    """What there is to show of a run; None where its judge is held against no gold."""
    curves = [(one, one.curve) for one in rounds if one.curve is not None]
    if not curves:
        return None
    best, last = best_of(view), curves[-1][1]
    policies = [
        OptimisedPolicy(name=f"M{one.t}", kl=_kl(curve, "plain"), proxy=curve.proxy, gold=curve.gold)
        for one, curve in curves
    ]
    proxy, gold = f"judge: {last.proxy_name}", f"gold: {last.gold_name}"
    flagged = None if best is None else f"M{best.t}"
    figure = over_optimisation_figure(policies, curves[0][1].best_of_n, proxy=proxy, gold=gold, best=flagged)
    found = [(one.t, one.turning) for one, _ in curves if one.t and one.turning is not None]
    return Optimised(
        proxy=proxy,
        gold=gold,
        figure=figure,
        rows=[_row(one, curve) for one, curve in curves],
        sets=[
            (f"M{one.t}, {name}", limited(scores.proxy), limited(scores.gold))
            for one, curve in curves
            for name, scores in curve.sets.items()
        ],
        turning=[(f"M{t}", one.bound is not None, one.why) for t, one in found],
        missing=[*dict.fromkeys(why for _, curve in curves for why in _missing(curve))],
        best=best,
    )


def _row(one: Round, curve: Curve) -> Row:
    turning, far = one.turning, curve.distance
    return (
        f"M{one.t}",
        limited(curve.proxy),
        limited(curve.gold),
        f"{0 if curve.gold is None else curve.gold.n} of {curve.prompts}",
        decimals(None if curve.tokens is None else curve.tokens.value, 1),
        limited(None if far is None or far.kl is None else far.kl.plain),
        decimals(_kl(curve, "k3"), 3),
        None if far is None else f"{far.left_out} of {far.answers}",
        change(None if turning is None else turning.value),
    )


def _kl(curve: Curve, estimate: str) -> float | None:
    if curve.distance is None or curve.distance.kl is None:
        return None
    found: Interval = getattr(curve.distance.kl, estimate)
    return found.value


def _missing(curve: Curve) -> list[str]:
    named = {"judge": curve.no_proxy, "KL": curve.no_distance, "best of n": curve.no_best_of_n}
    missing = [f"{name}: {why}" for name, why in named.items() if why is not None]
    if curve.gold_unscored or curve.proxy_unscored:
        missing.append(
            f"M{curve.policy}: of {curve.answers} answers {curve.gold_unscored} have no gold, {curve.proxy_unscored} "
            "no score of the judge"
        )
    return missing
