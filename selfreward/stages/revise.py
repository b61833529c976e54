"""Revise: the first answers to each prompt, criticised by principles and revised, beside all that were drawn.

Source: the supervised phase of Constitutional AI, Bai et al. 2022 (2212.08073): a critique and a revision by a
principle that is drawn for each. There the requests end an open conversation; here a reply has to stand between tags.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from pydantic import Field, PositiveInt

from selfreward.artifacts import Advance, Artifact, Output, derive_seed
from selfreward.artifacts.many_rows import few_collections
from selfreward.backends import AnyBackend, engines_that
from selfreward.backends.abilities import Ability, in_words
from selfreward.backends.base import Backend, Sampling
from selfreward.errors import StageError
from selfreward.judges.ask_policy import ask_for_replies
from selfreward.judges.asked_policy import AskedPolicy, check_policy
from selfreward.judges.base import Item
from selfreward.judges.constitution import Constitution, Principle
from selfreward.judges.judge_shard import shards_of
from selfreward.judges.prompting import question_of
from selfreward.judges.revising import Part, RevisionTexts, Said, read_reply
from selfreward.policies import Judging
from selfreward.records import Candidate, Usage, digest_of
from selfreward.revisions import OUTCOMES, RevisedCandidate, Revision, RevisionOutcome
from selfreward.selection import AnySelect
from selfreward.spec import Spec

VERSION = 1

REVISER = "reviser"
STEPS = "steps"
_OUTCOME = "outcome_"


class ReplyLengths(Spec):
    """The longest replies, in tokens, tags included."""

    critique: PositiveInt = 96
    revision: PositiveInt = 96


class ReviseSpec(AskedPolicy):
    """How the first `per_prompt` answers to each prompt are revised, `rounds` times, and by whom.

    A shard with more than `max_failed_share` failed attempts stops the stage.
    """

    rounds: PositiveInt = 1
    per_prompt: PositiveInt = 1
    constitution: Constitution
    texts: RevisionTexts
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: ReplyLengths = ReplyLengths()
    max_failed_share: float = Field(0.05, ge=0, le=1)

    @property
    def needs(self) -> frozenset[Ability]:
        """Replies are drawn."""
        return super().needs | {"draw"}

    def sampling(self, part: Part) -> Sampling:
        """How one reply is drawn."""
        length = self.max_new_tokens.critique if part == "critique" else self.max_new_tokens.revision
        return Sampling(k=1, temperature=self.temperature, top_p=self.top_p, max_new_tokens=length)


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
    if missing := spec.needs - engine.can:
        ways = " or ".join(f"+backend@revise.backend={one}" for one in engines_that(spec.needs))
        raise ValueError(f"revise with backend={engine.kind}, which cannot {in_words(missing)}: set {ways}")
    if "weights" in engine.can and (engine.kind == "scripted") != scripted:
        raise ValueError(f"revise.backend={engine.kind} does not go with this model: scripted goes with scripted alone")


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
            attempt = partial(_attempts, spec, engines[REVISER], policy, items, derive_seed(seed, shard), advance)
            made = steps.shard(attempt, advance)
            written = rows.shard(partial(_with_revisions, backend, [one for _, one in items], made))
            _count(out, spec, items, made, written)


def _attempts(
    spec: ReviseSpec, reviser: Backend, policy: Judging, items: Sequence[Item], seed: int, advance: Advance
) -> list[Revision]:
    """The attempts of a shard, answer by answer, by round. Raises StageError where too many failed."""
    asked = [item for item in items if item[1].index < spec.per_prompt]
    texts = [candidate.text for _, candidate in asked]
    found: list[list[Revision]] = [[] for _ in asked]
    for number in range(spec.rounds):
        attempts = _attempt_round(spec, reviser, policy, asked, texts, number, derive_seed(seed, number))
        for place, one in enumerate(attempts):
            found[place].append(one)
            if one.outcome == "revised" and one.revision is not None:
                texts[place] = one.revision
        advance(len(attempts))
    made = [one for of_answer in found for one in of_answer]
    failed = [one for one in made if one.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(made):
        why = failed[0].critique_reply if failed[0].revision_reply is None else failed[0].revision_reply
        raise StageError(
            f"{len(failed)} of {len(made)} attempts to revise failed ({why}), revise.max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise revise.max_failed_share"
        )
    return made


def _attempt_round(
    spec: ReviseSpec,
    reviser: Backend,
    policy: Judging,
    asked: Sequence[Item],
    texts: Sequence[str],
    number: int,
    seed: int,
) -> list[Revision]:
    """One attempt for each of the answers, which say `texts` by now, in order."""
    principles = [spec.constitution.draw(derive_seed(seed, candidate.id)) for _, candidate in asked]
    names = spec.constitution.names()
    seeds: dict[Part, int] = {part: derive_seed(seed, part) for part in ("critique", "revision")}
    places = range(len(asked))
    critiques = _said(spec, reviser, "critique", seeds, [_about(asked, texts, principles, one) for one in places])
    able = [place for place in places if critiques[place].text is not None]
    told = [(*_about(asked, texts, principles, one), critiques[one].text or "") for one in able]
    revisions = dict(zip(able, _said(spec, reviser, "revision", seeds, told), strict=True))
    made = []
    for place, (prompt, candidate) in enumerate(asked):
        critique, revision = critiques[place], revisions.get(place)
        both = [critique] if revision is None else [critique, revision]
        made.append(
            Revision(
                prompt_id=prompt.id,
                original_id=candidate.id,
                index=candidate.index,
                round=number,
                principle=names[principles[place].id],
                policy_key=policy.key,
                policy_digest=policy.digest,
                critique_seed=seeds["critique"],
                revision_seed=seeds["revision"],
                answer=texts[place],
                critique=critique.text,
                revision=None if revision is None else revision.text,
                critique_reply=critique.reply,
                revision_reply=None if revision is None else revision.reply,
                outcome=_outcome(texts[place], critique, revision),
                usage=Usage(
                    prompt_tokens=sum(one.prompt_tokens for one in both),
                    completion_tokens=sum(one.completion_tokens for one in both),
                ),
            )
        )
    return made


_Told = tuple[Principle, str, str] | tuple[Principle, str, str, str]
"""What a reply is asked about: a principle, the question, the answer and, for a revision, the critique."""


def _about(
    asked: Sequence[Item], texts: Sequence[str], principles: Sequence[Principle], place: int
) -> tuple[Principle, str, str]:
    return principles[place], question_of(asked[place][0].messages), texts[place]


def _said(
    spec: ReviseSpec, reviser: Backend, part: Part, seeds: Mapping[Part, int], told: Sequence[_Told]
) -> list[Said]:
    """What the reviser says to each, in order."""
    asked = [spec.texts.ask(part, spec.constitution, *one) for one in told]
    replies = ask_for_replies(reviser, asked, spec.sampling(part), seeds[part], lambda _: None)
    return [read_reply(part, reply) for (reply,) in replies]


def _outcome(text: str, critique: Said, revision: Said | None) -> RevisionOutcome:
    said = critique if revision is None else revision
    if said.outcome is not None:
        return said.outcome
    return "unchanged" if said.text == text.strip() else "revised"


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
        text_hash=hashlib.sha256(text.encode()).hexdigest()[:16],
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
