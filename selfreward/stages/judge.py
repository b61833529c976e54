"""Judge: one judgment, or more, for every candidate; a missing verdict is an outcome, never a number."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from selfreward.artifacts import Advance, Artifact, Output, derive_seed
from selfreward.backends.base import Backend
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

    Raises StageError, leaving the finished shards, when more than `spec.max_failed_share` of a shard failed.
    """
    ask = spec.build(backend, policy)
    with out.table(Judgment) as table, out.progress(candidates.rows(), "judgments") as advance:
        for shard, items in enumerate(_items(prompts, candidates)):
            make = partial(_judge_shard, spec, ask, items, derive_seed(seed, shard), advance)
            judgments = table.shard(make, advance)
            tokens = sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments)
            out.count(tokens=tokens, **Counter(str(one.outcome) for one in judgments))


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
    judgments = ask(items, seed, advance)
    failed = [judgment for judgment in judgments if judgment.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(judgments):
        raise StageError(
            f"{len(failed)} of {len(judgments)} judgments failed ({failed[0].raw}), judge.max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise judge.max_failed_share"
        )
    return judgments
