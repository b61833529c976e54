"""Revise: the first answers to each prompt, criticised by principles and revised, beside all that were drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.many_rows import few_collections
from selfreward.backends import AnyBackend
from selfreward.backends.base import Backend
from selfreward.backends.candidates import text_hash
from selfreward.judges.asked_policy import check_engine, check_policy
from selfreward.judges.base import Item
from selfreward.judges.judge_shard import shards_of
from selfreward.judges.reviser import ReviseSpec, revise_answers
from selfreward.policies import Judging
from selfreward.records import Candidate, digest_of
from selfreward.revisions import OUTCOMES, RevisedCandidate, Revision, RevisionOutcome
from selfreward.selection import AnySelect

VERSION = 1

REVISER = "reviser"
STEPS = "steps"
_OUTCOME = "outcome_"


def check_revise(spec: ReviseSpec | None, select: AnySelect, k: int, engine: AnyBackend, *, scripted: bool) -> None:
    """Raises ValueError where revisions are selected and none made, or the reviser cannot be asked.

    `k` answers are drawn to a prompt, `engine` is that of the run, whose model may be `scripted`.
    """
    if spec is None:
        if select.of_revisions:
            raise ValueError(f"select={select.kind} with revise=null: nothing is revised, set revise=default")
        return
    if not select.chooses:
        raise ValueError(f"revise with select={select.kind}, which takes no candidate: set revise=null")
    if spec.per_prompt > k:
        raise ValueError(
            f"revise.per_prompt={spec.per_prompt} is more than sample.k={k}: draw as many as are revised, sample.k="
            f"{spec.per_prompt}"
        )
    engine = spec.engine or engine
    check_policy("revise", spec, engine)
    check_engine("revise", spec.needs, engine, setting="revise", scripted=scripted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revising:
    """What came of `attempts` to revise, in all rounds, by outcome; `in_critique` of them ended before a revision.

    Of `answers` that were to be revised, `revised` are another text after the last round.
    """

    attempts: int
    in_critique: int
    outcomes: Mapping[RevisionOutcome, int]
    answers: int
    revised: int


def revising_of(made: Artifact) -> Revising:
    """What came of the attempts to revise."""
    counts = made.manifest.counts
    return Revising(
        attempts=made.rows(STEPS),
        in_critique=int(counts["in_critique"]),
        outcomes={name: int(counts[_OUTCOME + name]) for name in OUTCOMES},
        answers=int(counts["answers"]),
        revised=int(counts["revised"]),
    )


def candidates_in(stages: Mapping[str, Artifact]) -> Artifact | None:
    """The table of a round's candidates: of the stage revise where there is one, else of sample; None before both."""
    return stages.get("revise", stages.get("sample"))


@few_collections()
def revise(
    out: Output,
    spec: ReviseSpec,
    *,
    seed: int,
    backend: Backend,
    engines: Mapping[str, Backend],
    policy: Judging,
    candidates: Artifact,
    prompts: Artifact,
) -> None:
    """Table `rows` of RevisedCandidate: all `candidates`, each before its last revision; `steps` has each Revision.

    `policy` revises, on the engine `engines[REVISER]`; `backend` holds the policy that is trained and counts the tokens
    of revisions. Shards are those of `candidates`: the attempts of one are on disk before its rows are made. The counts
    are those of Revising, and tokens. Raises StageError, leaving the finished shards, when more than
    `spec.max_failed_share` of a shard's attempts failed.
    """
    with ExitStack() as opened:
        steps = opened.enter_context(out.table(Revision, STEPS))
        rows = opened.enter_context(out.table(RevisedCandidate))
        advance = opened.enter_context(out.progress(prompts.rows() * spec.per_prompt * spec.rounds, "attempts"))
        for shard, items in enumerate(shards_of(prompts, candidates)):
            attempt = partial(revise_answers, spec, engines[REVISER], policy, items, derive_seed(seed, shard), advance)
            made = steps.shard(attempt, advance)
            written = rows.shard(partial(_with_revisions, backend, [one for _, one in items], made))
            _count(out, spec, items, made, written)


def _with_revisions(
    backend: Backend, candidates: Sequence[Candidate], made: Sequence[Revision]
) -> list[RevisedCandidate]:
    """The candidates, each before its last revision, if that says something else."""
    last = {one.original_id: one for one in made if one.outcome == "revised"}
    kept = [one for one in candidates if one.id in last and last[one.id].revision != one.text.strip()]
    tokens = backend.count_tokens([last[one.id].revision or "" for one in kept]) if kept else []
    revisions = {one.id: _revision(one, last[one.id], number) for one, number in zip(kept, tokens, strict=True)}
    rows = []
    for one in candidates:
        drawn = RevisedCandidate(**{name: getattr(one, name) for name in Candidate.__slots__})
        rows += [drawn, revisions[one.id]] if one.id in revisions else [drawn]
    return rows


def _revision(original: Candidate, made: Revision, tokens: int) -> RevisedCandidate:
    text = made.revision or ""
    return RevisedCandidate(
        id=digest_of("revision", original.id, made.policy_digest, made.round, made.revision_seed, text),
        prompt_id=original.prompt_id,
        index=original.index,
        text=text,
        text_hash=text_hash(text),
        finish="stop",
        tokens=tokens,
        logprob=None,
        policy_key=made.policy_key,
        policy_digest=made.policy_digest,
        seed=made.revision_seed,
        revises=original.id,
    )


def _count(
    out: Output,
    spec: ReviseSpec,
    items: Sequence[Item],
    made: Sequence[Revision],
    written: Sequence[RevisedCandidate],
) -> None:
    by = Counter(one.outcome for one in made)
    out.count(
        answers=sum(candidate.index < spec.per_prompt for _, candidate in items),
        revised=sum(one.revises is not None for one in written),
        in_critique=sum(one.revision_reply is None for one in made),
        tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in made),
        **{_OUTCOME + name: by[name] for name in OUTCOMES},
    )
