"""Health: what the judge says of answers that people compared, and how far it can be trusted by that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.backends.base import Backend
from selfreward.errors import DataError
from selfreward.judge_quality.accuracy import Scale
from selfreward.judge_quality.bias import score_histogram
from selfreward.judge_quality.estimate import Measure, missing
from selfreward.judge_quality.measures import judge_measures, rater_measures
from selfreward.judge_quality.opinions import opinionated, write_opinions
from selfreward.judge_quality.verdicts import Judged, judged, labelled
from selfreward.judges import AnyJudge, JudgeSpec
from selfreward.judges.ask import build_judge
from selfreward.judges.base import Judge, PolicyJudgeBase
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.jury import Jury, JurySpec, Weights
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.metrics.intervals import Interval
from selfreward.records import GoldPair, Policy
from selfreward.spec import Json, Spec

VERSION = 6
_DECIMALS = 6  # far above what another order of summation moves, far below what a gate would notice


class HealthSpec(Spec):
    """The judge that is asked, and the authors in gold whose answers count as its own."""

    judge: JudgeSpec
    own: tuple[str, ...] = ()


def health(
    out: Output,
    spec: HealthSpec,
    *,
    seed: int,
    gold: Artifact,
    final: Artifact | None,
    policy: Policy | None,
    backend: Backend | None = None,
    **jurors: Policy,
) -> None:
    """Tables `rows` of Verdicts, one for each pair of `gold`, and `evidence` of Judgment; `health.json`.

    `policy` is the one that judges, with `jurors` as in the stage `judge`. `health.json`: `measures` by name, each with
    value, limits and items or why it is missing; `scores`, how often each was given; `scale`, the lowest and highest
    there are, null without bounds; `relative`, whether a score only says how a candidate stands among those of its
    prompt; `people`, how far those who labelled the pairs agree among themselves, the ceiling. With `final` pairs,
    tables `final` and `final_evidence`, and under `final` and `final_people` their measures. Nothing is asked where the
    judge has no way to compare answers that people compared.

    `figures.json` is the part that the gate reads: `scale`, `relative`, the number of `pairs` and of their `prompts`,
    the digest of the `policy`, and `measures` as `rounded`.

    Of a jury that learns its weights, `weights` by member are those learned on all of `gold`, and `weights.json` is the
    part with them alone. It is measured on `final` with them, and on each pair of `gold` with those learned on the
    other pairs.

    Raises StageError as the stage `judge` does, and DataError where weights are to be learned from no pairs.
    """
    judge = spec.judge
    judging, scale, why = opinionated(judge, backend, policy, jurors), scale_of(judge), why_unmeasured(judge)
    if isinstance(judging, Jury) and not gold.rows():
        raise DataError(
            "judge.weights=learned are learned on gold pairs, and there are none: give data.gold_gate some, or set "
            "judge.weights to a weight for every member"
        )

    def measured(
        judging: Judge | Jury, pairs: Artifact, rows: str, evidence: str, seed: int
    ) -> tuple[dict[str, Json], list[Judged], Weights | None]:
        items = [] if why else [labelled(pair) for pair in pairs.records(GoldPair)]
        with out.progress(2 * len(items), "answers judged") as advance:
            told = write_opinions(out, judge, judging, items, rows=rows, evidence=evidence, seed=seed, advance=advance)
        found = judge_measures(items, told.said, own=spec.own, scale=scale, seed=seed)
        if not items:
            found = tuple(missing(one.name, why or "there are no gold pairs") for one in found)
        return written(found), judged(items, told.said), told.weights

    measures, said, weights = measured(judging, gold, "rows", "evidence", seed)
    weighed = judging if weights is None else build_judge(judge, backend, policy, jurors, weights)
    at_last = None if final is None else measured(weighed, final, "final", "final_evidence", derive_seed(seed, 1))[0]
    about: dict[str, Json] = {
        "scale": None if scale is None else list(scale),
        "relative": isinstance(judge, JurySpec | PairwiseSpec),
        "pairs": gold.rows(),
        "prompts": len({pair.messages for pair in gold.records(GoldPair)}),
    }
    by = None if policy is None else policy.digest
    out.write_json("figures", {**about, "policy": by, "measures": rounded(measures)})
    if weights is not None:
        out.write_json("weights", dict(weights))
    out.write_json(
        "health",
        {
            "judge": judge.kind,
            **about,
            "measures": measures,
            "people": _people(gold, seed),
            "scores": [asdict(one) for one in score_histogram(said)],
            "final": at_last,
            "final_people": None if final is None else _people(final, derive_seed(seed, 1)),
            **({} if weights is None else {"weights": dict(weights)}),
        },
    )


def health_spec(judge: AnyJudge) -> HealthSpec:
    """The settings of the stage for `judge`; one that is no policy wrote nothing."""
    return HealthSpec(judge=judge, own=judge.own if isinstance(judge, PolicyJudgeBase) else ())


def _people(pairs: Artifact, seed: int) -> dict[str, Json]:
    there = list(pairs.records(GoldPair))
    return written(rater_measures([pair.verdicts for pair in there], seed, [pair.messages for pair in there]))


def scale_of(spec: AnyJudge) -> Scale | None:
    """The lowest and the highest score that a judge gives to an answer; None where there are no such bounds."""
    match spec:
        case RubricSpec():
            return spec.rubric.scale.lowest, spec.rubric.scale.highest
        case DimensionsSpec():
            return 0.0, 1.0
        case _:
            return None


def why_unmeasured(spec: AnyJudge) -> str | None:
    """Why a judge cannot be asked about gold pairs; None where it can."""
    match spec:
        case VerifierSpec():
            return "a verifier compares with references, and gold pairs have none"
        case RubricSpec() if spec.rubric.needs_reference:
            return "the rubric shows a reference, and gold pairs have none"
        case DimensionsSpec() if any(one.rubric.needs_reference for one in spec.dimensions.values()):
            return "a rubric shows a reference, and gold pairs have none"
        case _:
            return None


def written(measures: Sequence[Measure]) -> dict[str, Json]:
    """Measures by name as JSON; `read` gives them back."""
    return {
        one.name: {
            **({"value": None, "low": None, "high": None, "n": 0} if one.interval is None else asdict(one.interval)),
            "why_missing": one.why_missing,
            "left_out": one.left_out,
            "prompts": one.prompts,
            "error": one.error,
            "effective": one.effective,
        }
        for one in measures
    }


def rounded(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Written measures with six decimals: the last digits of a figure hang on the order in which a machine adds."""

    def figure(value: float | None) -> float | None:
        return None if value is None else round(value, _DECIMALS) + 0.0  # -0.0 is 0.0

    floats = ("value", "low", "high", "error", "effective")
    return {name: {**one, **{each: figure(one[each]) for each in floats}} for name, one in measures.items()}


def read(measures: Mapping[str, Mapping[str, Any]]) -> list[Measure]:
    """The measures that `written` wrote."""
    return [
        Measure(
            name=name,
            interval=None if one["value"] is None else Interval(one["value"], one["low"], one["high"], one["n"]),
            why_missing=one["why_missing"],
            left_out=one["left_out"],
            prompts=one["prompts"],
            error=one["error"],
            effective=one["effective"],
        )
        for name, one in measures.items()
    ]
