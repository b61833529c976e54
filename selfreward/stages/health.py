"""Health: what the judge says of answers that people compared, and how far it can be trusted by that."""

from dataclasses import dataclass

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.errors import DataError
from selfreward.judge_quality.accuracy import Scale, scores_of
from selfreward.judge_quality.bias import ScoreBin, score_histogram
from selfreward.judge_quality.estimate import Measures, missing
from selfreward.judge_quality.measures import judge_measures, rater_measures, rounded
from selfreward.judge_quality.opinions import save_weights, write_opinions
from selfreward.judge_quality.verdicts import Judged, judged, labelled
from selfreward.judges import AnyJudge, JudgeSpec
from selfreward.judges.base import Judge, PolicyJudgeBase
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.judge_shard import build_judge
from selfreward.judges.jury import Jury, JurySpec, Weights
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.records import GoldPair, Policy
from selfreward.spec import Spec

VERSION = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How far a judge of kind `judge` can be trusted.

    `measures` are on `pairs` gold pairs of `prompts` prompts; `people` is how far those who labelled the pairs agree
    among themselves, the ceiling; `scores` says how often each score was given. `scale` are the lowest and the highest
    score, None without bounds; `relative` says that a score only tells how a candidate stands among those of its
    prompt. `final` and `final_people` are the same on final pairs, None where those are not asked about.
    """

    judge: str
    scale: Scale | None
    relative: bool
    pairs: int
    prompts: int
    measures: Measures
    people: Measures
    scores: tuple[ScoreBin, ...]
    final: Measures | None
    final_people: Measures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """What the gate reads of it: `measures` are rounded, `policy` is the digest of the one that judged, if one did."""

    scale: Scale | None
    relative: bool
    pairs: int
    prompts: int
    policy: str | None
    measures: Measures


def health_of(measured: Artifact) -> Health:
    """The report on a judge."""
    return load_report(measured, "health", Health)


def gate_figures(part: Part) -> GateFigures:
    """The part `figures` of it."""
    return load_report(part, "figures", GateFigures)


class HealthSpec(Spec):
    """The judge that is asked, and the authors in gold whose answers count as its own."""

    judge: JudgeSpec
    own: tuple[str, ...] = ()


def health(
    out: Output,
    spec: HealthSpec,
    *,
    seed: int | None = None,
    gold: Artifact,
    final: Artifact | None,
    policy: Policy | None,
    backend: Backend | None = None,
    **jurors: Policy,
) -> None:
    """Tables `rows` of Verdicts, one for each pair of `gold`, and `evidence` of Judgment; `health.json` is a Health.

    `policy` is the one that judges, with `jurors` as in the stage `judge`. With `final` pairs there are tables `final`
    and `final_evidence` too. Nothing is asked where the judge has no way to compare answers that people compared.
    `figures.json`, the part that the gate reads, is a GateFigures. Without a `seed`, as for a judge that draws nothing,
    intervals are resampled alike in every run, so that all runs share what one has measured.

    Of a jury that learns its weights, `weights.json` has those learned on all of `gold`, by member. It is measured on
    `final` with them, and on each pair of `gold` with those learned on the other pairs.

    Raises StageError as the stage `judge` does, and DataError where weights are to be learned from no pairs.
    """
    judge, seed = spec.judge, seed or 0
    judging, scale, why = build_judge(judge, backend, policy, jurors), scale_of(judge), why_unmeasured(judge)
    if isinstance(judge, JurySpec) and judge.learns and not gold.rows():
        raise DataError(
            "judge.weights=learned are learned on gold pairs, and there are none: give data.gold_gate some, or set "
            "judge.weights to a weight for every member"
        )

    def measured(
        judging: Judge | Jury, pairs: Artifact, rows: str, evidence: str, seed: int
    ) -> tuple[Measures, list[Judged], Weights | None]:
        items = [] if why else [labelled(pair) for pair in pairs.records(GoldPair)]
        with out.progress(2 * len(items), "answers judged") as advance:
            opinions = write_opinions(
                out, judge, judging, items, rows=rows, evidence=evidence, seed=seed, advance=advance
            )
        found = judge_measures(items, opinions.said, own=spec.own, scale=scale, seed=seed)
        if not items:
            found = dict.fromkeys(found, missing(why or "there are no gold pairs"))
        return found, judged(items, opinions.said), opinions.weights

    measures, said, weights = measured(judging, gold, "rows", "evidence", seed)
    weighed = judging if weights is None else build_judge(judge, backend, policy, jurors, weights)
    at_last = None if final is None else measured(weighed, final, "final", "final_evidence", derive_seed(seed, 1))[0]
    prompts = len({pair.messages for pair in gold.records(GoldPair)})
    relative = isinstance(judge, JurySpec | PairwiseSpec)
    figures = GateFigures(
        scale=scale,
        relative=relative,
        pairs=gold.rows(),
        prompts=prompts,
        policy=None if policy is None else policy.digest,
        measures=rounded(measures),
    )
    save_report(out, "figures", figures)
    if weights is not None:
        save_weights(out, weights)
    told = Health(
        judge=judge.kind,
        scale=scale,
        relative=relative,
        pairs=gold.rows(),
        prompts=prompts,
        measures=measures,
        people=_people(gold, seed),
        scores=score_histogram([score for pair in said for score in scores_of(pair)]),
        final=at_last,
        final_people=None if final is None else _people(final, derive_seed(seed, 1)),
    )
    save_report(out, "health", told)


def health_spec(judge: AnyJudge) -> HealthSpec:
    """The settings of the stage for `judge`; one that is no policy wrote nothing."""
    return HealthSpec(judge=judge, own=judge.own if isinstance(judge, PolicyJudgeBase) else ())


def _people(pairs: Artifact, seed: int) -> Measures:
    there = list(pairs.records(GoldPair))
    return rater_measures([pair.verdicts for pair in there], seed, [pair.messages for pair in there])


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
        case RubricSpec() if spec.rubric.needs("reference"):
            return "the rubric shows a reference, and gold pairs have none"
        case DimensionsSpec() if any(one.rubric.needs("reference") for one in spec.dimensions.values()):
            return "a rubric shows a reference, and gold pairs have none"
        case _:
            return None
