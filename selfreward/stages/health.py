"""Health: what the judge says of answers that people compared, and how far it can be trusted by that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.backends.base import Backend
from selfreward.calibration.bias import score_histogram
from selfreward.calibration.health import judge_measures
from selfreward.calibration.measure import Measure, missing
from selfreward.calibration.quality import Scale
from selfreward.calibration.records import Judged, judged, labelled
from selfreward.diversity.statistics import Interval
from selfreward.judges import AnyJudge
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.jury import JurySpec
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.records import GoldPair, Policy
from selfreward.spec import Json
from selfreward.stages.judge import build_judge
from selfreward.stages.opinions import write_opinions

VERSION = 1


def health(
    out: Output,
    spec: AnyJudge,
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
    prompt. With `final` pairs, tables `final` and `final_evidence`, and under `final` their measures. Nothing is asked
    where the judge has no way to compare answers that people compared.

    Raises StageError as the stage `judge` does.
    """
    judging, scale, why = build_judge(spec, backend, policy, jurors), scale_of(spec), why_unmeasured(spec)

    def measured(pairs: Artifact, rows: str, evidence: str, seed: int) -> tuple[dict[str, Json], list[Judged]]:
        items = [] if why else [labelled(pair) for pair in pairs.records(GoldPair)]
        with out.progress(2 * len(items), "answers judged") as advance:
            said = write_opinions(out, spec, judging, items, rows=rows, evidence=evidence, seed=seed, advance=advance)
        found = judge_measures(items, said, own=(), scale=scale, seed=seed)
        if not items:
            found = tuple(missing(one.name, why or "there are no gold pairs") for one in found)
        return written(found), judged(items, said)

    measures, said = measured(gold, "rows", "evidence", seed)
    out.write_json(
        "health",
        {
            "judge": spec.kind,
            "scale": None if scale is None else list(scale),
            "relative": isinstance(spec, JurySpec | PairwiseSpec),
            "pairs": gold.rows(),
            "measures": measures,
            "scores": [asdict(one) for one in score_histogram(said)],
            "final": None if final is None else measured(final, "final", "final_evidence", derive_seed(seed, 1))[0],
        },
    )


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
        }
        for one in measures
    }


def read(measures: Mapping[str, Mapping[str, Any]]) -> list[Measure]:
    """The measures that `written` wrote."""
    return [
        Measure(
            name=name,
            interval=None if one["value"] is None else Interval(one["value"], one["low"], one["high"], one["n"]),
            why_missing=one["why_missing"],
            left_out=one["left_out"],
        )
        for name, one in measures.items()
    ]
