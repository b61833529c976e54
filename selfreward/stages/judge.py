"""Judge: one judgment, or more, for every candidate; a missing verdict is an outcome, never a number."""

from collections import Counter
from collections.abc import Iterator

from selfreward.artifacts import Artifact, Output
from selfreward.backends.base import Backend
from selfreward.errors import StageError
from selfreward.judges import AnyJudge
from selfreward.judges.base import Item
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
    build = spec.build(backend, policy)
    with out.table(Judgment) as table, out.progress(candidates.rows(), "judgments") as advance:
        for items in _items(prompts, candidates):
            kept = table.kept()
            if kept is None:
                judgments = build(items, advance)
                _refuse_failures(judgments, spec.max_failed_share)
                table.write(judgments)
                outcomes = Counter(str(judgment.outcome) for judgment in judgments)
                tokens = sum(j.usage.prompt_tokens + j.usage.completion_tokens for j in judgments)
            else:
                advance(len(kept))
                outcomes = Counter(row["outcome"] for row in kept)
                tokens = sum(row["usage"]["prompt_tokens"] + row["usage"]["completion_tokens"] for row in kept)
            out.count(tokens=tokens, **outcomes)


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


def _refuse_failures(judgments: list[Judgment], allowed: float) -> None:
    failed = [judgment for judgment in judgments if judgment.outcome == "failed"]
    if len(failed) > allowed * len(judgments):
        raise StageError(
            f"{len(failed)} of {len(judgments)} judgments failed ({failed[0].raw}), judge.max_failed_share allows "
            f"{allowed:.0%}: run the same command again to retry them, or raise judge.max_failed_share"
        )
