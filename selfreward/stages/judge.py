"""Judge: one judgment, or more, for every candidate; a missing verdict is an outcome, never a number."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from statistics import fmean, variance
from typing import get_args

from selfreward.artifacts import Artifact, Output, Part, derive_seed
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.output import Table
from selfreward.backends.base import Backend
from selfreward.judge_quality.opinions import weights_of
from selfreward.judges import AnyJudge
from selfreward.judges.base import Item, Judge, means_of
from selfreward.judges.both_orders import comparisons
from selfreward.judges.disagreement import Dispute
from selfreward.judges.judge_shard import write_shard
from selfreward.judges.standard import Standard, save_standard, saved_standard
from selfreward.policies import Judging
from selfreward.records import Candidate, Judgment, Outcome, Prompt, RowPrompt

VERSION = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The judgments of a round: how many were asked for, how many have a score or a verdict, and all by outcome.

    `disagreement` of several judges is that of their rankings, mean over prompts, and `deviation` of those on one scale
    the standard deviation of their scores of an answer, mean over answers; None of others.
    """

    judgments: int
    scored: int
    outcomes: Mapping[str, int]
    disagreement: float | None
    deviation: float | None


def judged_of(judged: Artifact) -> Judged:
    """What came of the judgments of a round."""
    counts = judged.manifest.counts
    return Judged(
        judgments=judged.rows("evidence" if judged.has("evidence") else "rows"),
        scored=int(counts.get("scored", 0)),
        outcomes={name: int(counts[name]) for name in get_args(Outcome) if name in counts},
        disagreement=counts.get("jury_disagreement"),
        deviation=counts.get("member_deviation"),
    )


@few_collections()
def judge(
    out: Output,
    spec: AnyJudge,
    *,
    seed: int,
    candidates: Artifact,
    prompts: Artifact,
    policy: Judging | None,
    weights: Part | None = None,
    standard: Part | None = None,
    backend: Backend | None = None,
    engines: Mapping[str, Backend] | None = None,
    **jurors: Judging,
) -> None:
    """Table `rows` of Judgment, in the order of the candidates; `policy` is the one that judges.

    `jurors` are the policies and `engines` the backends that members of a jury name (`judges.base.Means`); `weights` is
    the part `weights` of the health artifact that learned theirs, None where none are to be learned. `standard` is the
    part `standard` of the judgments of iteration 0, for a judge that standardises its scores on those: where it is None
    and there is such a judge, these are they, all is asked before anything is concluded, and `standard.json` has it.

    Where the judge concludes from what it asked, such as comparisons, `rows` are its conclusions, and what it asked is
    table `evidence`. Each shard of evidence is written before its rows, so that nothing is asked twice. Of a jury,
    table `disputes` of Dispute has every prompt on which its members can disagree.

    The counts are of what was asked: outcomes, tokens, and of comparisons those that are `flipped` or `undecided`.
    Where candidates are judged repeatedly, the count `score_variance` is the unbiased variance of a candidate's scores,
    mean over candidates with two or more. Of a jury, `jury_disagreement` is the mean over `disputes`; of judges on one
    scale, `member_deviation` is the mean standard deviation of their scores of an answer.

    Raises StageError, leaving the finished shards, when more than `spec.max_failed_share` of a shard failed, and
    DataError where there are no scores to standardise on.
    """
    learned = None if weights is None else weights_of(weights)
    judging = spec.build(means_of(policy, backend, engines, jurors, learned))
    if judging.standardising is not None:
        given = None if standard is None else saved_standard(standard)
        judging = judging.standardising.by(given or _make_standard(out, spec, judging, seed, candidates, prompts))
    with ExitStack() as tables, out.progress(candidates.rows(), "judgments") as advance:
        asked = tables.enter_context(out.table(Judgment, "rows" if judging.conclude is None else "evidence"))
        rows = None if judging.conclude is None else tables.enter_context(out.table(Judgment))
        disputes = tables.enter_context(out.table(Dispute, "disputes")) if judging.disputes is not None else None
        spreads: list[float] = []
        disputed: list[float] = []
        apart: list[float] = []
        for shard, items in enumerate(items_by_shard(prompts, candidates)):
            judgments = write_shard(asked, spec, judging.ask, items, derive_seed(seed, shard), advance)
            if rows is not None and judging.conclude is not None:
                rows.shard(partial(judging.conclude, items, judgments))
            if disputes is not None and judging.disputes is not None:
                found = disputes.shard(partial(judging.disputes, items, judgments))
                disputed += [one.disagreement for one in found]
            if judging.deviations is not None:
                apart += judging.deviations(items, judgments)
            spreads += _variances(judgments)
            _count(out, judgments)
    if spreads:
        out.count(score_variance=fmean(spreads))
    if disputed:
        out.count(jury_disagreement=fmean(disputed))
    if apart:
        out.count(member_deviation=fmean(apart))


def _make_standard(
    out: Output, spec: AnyJudge, judging: Judge, seed: int, candidates: Artifact, prompts: Artifact
) -> Standard:
    """The standard that all candidates make, in `standard.json`; the evidence stays for what is concluded from it."""
    assert judging.standardising is not None
    # The table is listed by whoever concludes from it, and finds all of its shards there.
    evidence = Table(out.path, "evidence", Judgment)
    with out.progress(candidates.rows(), "answers scored") as advance:
        shards = enumerate(items_by_shard(prompts, candidates))
        write = partial(write_shard, evidence, spec, judging.ask)
        asked = (write(items, derive_seed(seed, shard), advance) for shard, items in shards)
        standard = judging.standardising.standard_of(chain.from_iterable(asked))
    save_standard(out, standard)
    return standard


def _count(out: Output, judgments: Sequence[Judgment]) -> None:
    tokens = sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments)
    out.count(tokens=tokens, **Counter(str(one.outcome) for one in judgments))
    if compared := comparisons(judgments):
        flips = Counter(one.flipped for one in compared)
        out.count(comparisons=len(compared), flipped=flips[True], undecided=flips[None])


def _variances(judgments: Sequence[Judgment]) -> Iterator[float]:
    """The variance of the scores of every candidate that has two or more of the same kind; they stand together."""
    alone = [one for one in judgments if len(one.candidate_ids) == 1]
    if len({one.candidate_ids for one in alone}) == len(alone):  # as most are judged: once
        return
    for _, group in groupby(alone, key=lambda one: (one.candidate_ids, one.judge, one.dimension)):
        scores = [one.score for one in group if one.score is not None]
        if len(scores) > 1:
            yield variance(scores)


def items_by_shard(prompts: Artifact, candidates: Artifact) -> Iterator[list[Item]]:
    """Candidates with their prompts, one list for each shard of candidates; both come in the same order."""
    following = prompts.records(RowPrompt)
    for shard in candidates.shards(Candidate):
        wanted = {candidate.prompt_id for candidate in shard}
        found: dict[str, Prompt] = {}
        while len(found) < len(wanted):
            prompt = next(following)
            found[prompt.id] = prompt
        yield [(found[candidate.prompt_id], candidate) for candidate in shard]
