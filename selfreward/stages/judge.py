"""Judge: one judgment, or more, for every candidate; a missing verdict is an outcome, never a number."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from statistics import fmean, variance

from selfreward.artifacts import Advance, Artifact, Output, derive_seed
from selfreward.backends.base import Backend
from selfreward.diversity.estimators import refused
from selfreward.errors import StageError
from selfreward.judges import AnyJudge
from selfreward.judges.base import Item, Judge
from selfreward.records import Candidate, Judgment, Policy, Prompt

VERSION = 1


def judge(
    out: Output,
    spec: AnyJudge,
    *,
    seed: int,
    candidates: Artifact,
    prompts: Artifact,
    policy: Policy | None,
    backend: Backend | None = None,
) -> None:
    """Table `rows` of Judgment, in the order of the candidates; `policy` is the one that judges.

    Where candidates are judged repeatedly, the count `score_variance` is the unbiased variance of a candidate's scores,
    mean over candidates with two or more.

    Raises StageError, leaving the finished shards, when more than `spec.max_failed_share` of a shard failed.
    """
    ask = spec.build(backend, policy)
    with out.table(Judgment) as table, out.progress(candidates.rows(), "judgments") as advance:
        spreads: list[float] = []
        for shard, items in enumerate(_items(prompts, candidates)):
            make = partial(_judge_shard, spec, ask, items, derive_seed(seed, shard), advance)
            judgments = table.shard(make, partial(_tell, advance, len(items)))
            spreads += _variances(judgments)
            tokens = sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments)
            out.count(tokens=tokens, **Counter(str(one.outcome) for one in judgments))
    if spreads:
        out.count(score_variance=fmean(spreads))


def _tell(advance: Advance, candidates: int, judgments: int) -> None:
    """Progress is in candidates, however many judgments each of them has."""
    advance(candidates)


def _variances(judgments: Sequence[Judgment]) -> Iterator[float]:
    """The variance of the scores of every candidate that has two or more; all its judgments stand together."""
    for _, group in groupby(judgments, key=lambda one: one.candidate_ids):
        scores = [one.score for one in group if one.score is not None]
        if len(scores) > 1:
            yield variance(scores)


def _items(prompts: Artifact, candidates: Artifact) -> Iterator[list[Item]]:
    """Candidates with their prompts, one list for each shard of candidates; both come in the same order."""
    following = prompts.records(Prompt)
    for shard in candidates.shards(Candidate):
        wanted = {candidate.prompt_id for candidate in shard}
        found: dict[str, Prompt] = {}
        while len(found) < len(wanted):
            prompt = next(following)
            found[prompt.id] = prompt
        yield [(found[candidate.prompt_id], candidate) for candidate in shard]


def _judge_shard(spec: AnyJudge, ask: Judge, items: list[Item], seed: int, advance: Advance) -> list[Judgment]:
    judgments = [_told_apart(judgment) for judgment in ask(items, seed, advance)]
    failed = [judgment for judgment in judgments if judgment.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(judgments):
        raise StageError(
            f"{len(failed)} of {len(judgments)} judgments failed ({failed[0].raw}), judge.max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise judge.max_failed_share"
        )
    return judgments


def _told_apart(judgment: Judgment) -> Judgment:
    """`judgment`, as a refusal where the judge stated no verdict and declined to."""
    declined = judgment.outcome == "unparsed" and refused(judgment.raw)
    return replace(judgment, outcome="refused") if declined else judgment
