"""Meta: judgments of one answer set against each other by the policy; the best over the worst is a pair to train on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from pydantic import PositiveInt

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.judge_quality.estimate import Measures, mean_of
from selfreward.judge_quality.measures import rounded
from selfreward.judge_quality.meta_preferences import Compared, compared_of, meta_measures
from selfreward.judges.base import Means
from selfreward.judges.judge_shard import shards_of, write_shard
from selfreward.judges.pairwise import PairwiseSpec, rank
from selfreward.judges.pointwise import by_prompt, fields
from selfreward.judges.prompting import Rubric
from selfreward.policies import Judging
from selfreward.records import Judgment, PreferencePair
from selfreward.row_kinds import PAIRS
from selfreward.selection.judgments import (
    ANSWER_OUTCOMES,
    Judged,
    JudgedAnswer,
    as_items,
    concluded,
    most_varied,
    sorted_out,
    unasked,
)
from selfreward.spec import Spec, execution

VERSION = 1
_SHARD_ANSWERS = 16
LEFT_OUT = ("unscored", "too_long", "repeated")
"""Why judgments are not compared."""


class MetaSpec(Spec):
    """Which judgments the meta-judge `judge` compares, and how much of training they may be.

    It looks at the `answers` of a round whose scores vary most, and at judgments of at most `max_tokens` tokens. At
    most `max_share` of a round's own pairs are pairs of judgments, in the first `rounds` rounds of a run: the stage
    `mix` and the loop go by these, so they are no part of this stage's key.

    Source: Wu et al. 2024 (2407.19594); what differs stands in docs/meta.md.
    """

    judge: PairwiseSpec
    answers: PositiveInt = 64
    max_tokens: PositiveInt = 512
    max_share: float = execution(0.15, gt=0, lt=1)
    rounds: PositiveInt = execution(2)


class MetaStageSpec(MetaSpec):
    """The same, and the rubric that the judgments are by."""

    rubric: Rubric


def stage_spec(spec: MetaSpec, rubric: Rubric) -> MetaStageSpec:
    """The settings of the stage for judgments by `rubric`."""
    return MetaStageSpec(**{name: getattr(spec, name) for name in MetaSpec.model_fields}, rubric=rubric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What came of the judgments of a round: the different `answers` by outcome, their `judgments` by what they are.

    `comparisons` were made, each in both orders; `flipped` changed with the order, `undecided` lack a verdict.
    `measures` are those of `meta_measures`, and the mean `score_gap` of the pairs: the score that the preferred
    judgment gives less that of the other.
    """

    answers: Mapping[str, int]
    judgments: Mapping[str, int]
    comparisons: int
    flipped: int
    undecided: int
    measures: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaFigures:
    """What the gate reads of it: the measures, rounded."""

    measures: Measures


@few_collections()
def meta(
    out: Output,
    spec: MetaStageSpec,
    *,
    seed: int,
    candidates: Artifact,
    prompts: Artifact,
    judgments: Artifact,
    policy: Judging,
    backend: Backend | None = None,
) -> None:
    """Table `pairs` of PreferencePair; `answers` of JudgedAnswer, one for each different answer; `meta.json` is a Meta.

    `policy` compares the judgments of an answer two at a time in both orders: what it says is table `evidence` of
    Judgment, in which the prompt is the answer and the candidates are its judgments, and the Bradley-Terry strength of
    each judgment is table `rows`. The prompt of a pair is what the judge was asked, to the letter. `figures.json`, the
    part for the gate, is a MetaFigures.

    Each shard of evidence is written before what follows from it, so that nothing is asked twice. Raises StageError as
    the stage `judge` does.
    """
    judging = spec.judge.build(Means(policy=policy, backend=backend))
    told = {one.id: unasked(one) for one in _judged(spec, candidates, prompts, judgments)}
    asked = most_varied(told, spec.answers, seed)
    varied = (one for one in _judged(spec, candidates, prompts, judgments) if one.id in asked)
    compared: list[Compared] = []
    pairs: list[PreferencePair] = []
    gaps: list[float] = []
    with (
        out.progress(len(asked), "answers whose judgments are compared") as advance,
        out.table(Judgment, "evidence") as said,
        out.table(Judgment) as rows,
    ):
        for shard, batch in enumerate(in_batches(varied, _SHARD_ANSWERS)):
            items = [item for one in batch for item in as_items(one, spec.rubric)]
            evidence = write_shard(said, spec.judge, judging.ask, items, derive_seed(seed, shard), lambda _: None)
            strengths = rows.shard(partial(rank, judging.name, spec.judge.comparison.name, items, evidence))
            out.count(tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in evidence))
            said_of, strengths_of = by_prompt(evidence), by_prompt(strengths)
            for one in batch:
                compared += compared_of(one.item[0].id, said_of.get(one.id, []), one.given)
                told[one.id], pair, gap = concluded(one, strengths_of.get(one.id, []), spec.rubric)
                if pair is not None and gap is not None:
                    pairs.append(pair)
                    gaps.append(gap)
            advance(len(batch))
    out.write_table(PreferencePair, pairs, PAIRS.table)
    out.write_table(JudgedAnswer, told.values(), "answers")
    gap_of_pairs = mean_of(gaps, [one.prompt_id for one in pairs], seed, "there is no pair")
    found = _report(list(told.values()), compared, meta_measures(compared) | {"score_gap": gap_of_pairs})
    save_report(out, "meta", found)
    save_report(out, "figures", MetaFigures(measures=rounded(found.measures)))


def meta_of(made: Artifact) -> Meta:
    """The report of the stage."""
    return load_report(made, "meta", Meta)


def meta_figures(part: Part) -> Measures:
    """The part `figures` of it."""
    return load_report(part, "figures", MetaFigures).measures


def _judged(spec: MetaSpec, candidates: Artifact, prompts: Artifact, judgments: Artifact) -> Iterator[Judged]:
    """The different answers of a round, in order, each with its judgments."""
    for items, said in zip(shards_of(prompts, candidates), judgments.shards(Judgment), strict=True):
        of_candidate: dict[str, list[Judgment]] = {}
        for one in said:
            of_candidate.setdefault(one.candidate_ids[0], []).append(one)
        for item in chain.from_iterable(fields(items).values()):
            yield sorted_out(item, of_candidate.get(item[1].id, []), spec.max_tokens)


def _report(told: Sequence[JudgedAnswer], compared: Sequence[Compared], measures: Measures) -> Meta:
    outcomes = Counter(one.outcome for one in told)
    return Meta(
        answers={name: outcomes[name] for name in ANSWER_OUTCOMES},
        judgments={name: sum(getattr(one, name) for one in told) for name in ("judgments", *LEFT_OUT)},
        comparisons=len(compared),
        flipped=sum(one.flipped is True for one in compared),
        undecided=sum(one.preference is None for one in compared),
        measures=measures,
    )
