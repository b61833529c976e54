"""Health: what the judge says of answers that people compared, and how far it can be trusted by that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.errors import DataError
from selfreward.judge_quality.accuracy import scores_of
from selfreward.judge_quality.bias import ScoreBin, score_histogram
from selfreward.judge_quality.estimate import Measures, missing
from selfreward.judge_quality.measures import judge_measures, rater_measures, rounded
from selfreward.judge_quality.opinions import save_weights, write_opinions
from selfreward.judge_quality.verdicts import Judged, judged, labelled
from selfreward.judges import AnyJudge, JudgeSpec
from selfreward.judges.base import Judge, Scale, Weights, means_of
from selfreward.policies import Judging
from selfreward.records import GoldPair
from selfreward.spec import Json, Spec

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


def asked_judge(measured: Artifact) -> Mapping[str, Json]:
    """The settings of the judge that was measured, as they count in the key."""
    return cast("Mapping[str, Json]", measured.spec["judge"])


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
    policy: Judging | None,
    backend: Backend | None = None,
    engines: Mapping[str, Backend] | None = None,
    **jurors: Judging,
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
    means = means_of(policy, backend, engines, jurors)
    judging, why = judge.build(means), judge.why_not_gold
    if judge.learns and not gold.rows():
        raise DataError(
            "judge.weights=learned are learned on gold pairs, and there are none: give data.gold_gate some, or set "
            "judge.weights to a weight for every member"
        )

    def measured(
        judging: Judge, pairs: Artifact, rows: str, evidence: str, seed: int
    ) -> tuple[Measures, list[Judged], Weights | None]:
        items = [] if why else [labelled(pair) for pair in pairs.records(GoldPair)]
        with out.progress(2 * len(items), "answers judged") as advance:
            opinions = write_opinions(
                out, judge, judging, items, rows=rows, evidence=evidence, seed=seed, advance=advance
            )
        found = judge_measures(items, opinions.said, own=spec.own, scale=judge.scale, seed=seed)
        if not items:
            found = dict.fromkeys(found, missing(why or "there are no gold pairs"))
        return found, judged(items, opinions.said), opinions.weights

    measures, said, weights = measured(judging, gold, "rows", "evidence", seed)
    weighed = judging if weights is None else judge.build(replace(means, weights=weights))
    at_last = None if final is None else measured(weighed, final, "final", "final_evidence", derive_seed(seed, 1))[0]
    prompts = len({pair.messages for pair in gold.records(GoldPair)})
    figures = GateFigures(
        scale=judge.scale,
        relative=judge.relative,
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
        scale=judge.scale,
        relative=judge.relative,
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
    return HealthSpec(judge=judge, own=judge.writes_as)


def _people(pairs: Artifact, seed: int) -> Measures:
    there = list(pairs.records(GoldPair))
    return rater_measures([pair.verdicts for pair in there], seed, [pair.messages for pair in there])
