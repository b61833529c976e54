"""Replies: the start policy judges ranked answers, as a rubric judge asks it to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import Field, PositiveInt

from selfreward.artifacts import Advance, Artifact, Output, derive_seed
from selfreward.artifacts.parquet import in_batches
from selfreward.backends.base import Backend, Completion, NotScored, Sampling
from selfreward.judges.ask_policy import ask_for_replies, read_reply
from selfreward.judges.prompting import Rubric
from selfreward.policies import Policy
from selfreward.records import Finish
from selfreward.seeding.rankings import Ranking, ranking_counts
from selfreward.spec import Spec

VERSION = 4


class RepliesSpec(Spec):
    """How replies are drawn: `repeats` for each answer. A shard holds those of `shard_prompts` rankings."""

    rubric: Rubric
    repeats: PositiveInt = 8
    temperature: float = Field(0.7, ge=1e-3, le=1e3)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: PositiveInt = 128
    shard_prompts: PositiveInt = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReply:
    """A verdict on one answer: `text` states the `score`, which is None where it states none or was cut.

    `thought` is what the policy thought before it; `tokens` counts both. Where what was asked leaves no room for a
    reply in the context, it was cut before its first token.
    """

    prompt_id: str
    answer_id: str
    repeat: int
    text: str
    tokens: int
    finish: Finish
    score: float | None
    thought: str | None = None

    @property
    def stated(self) -> float:
        """The score of a reply that states one."""
        assert self.score is not None
        return self.score


def replies(out: Output, spec: RepliesSpec, *, seed: int, backend: Backend, policy: Policy, rankings: Artifact) -> None:
    """Table `rows` of JudgeReply: `spec.repeats` by `policy` for each ranked answer, in the order of `rankings`."""
    total = ranking_counts(rankings).answers * spec.repeats
    with out.table(JudgeReply) as table, out.progress(total, "replies") as advance:
        for shard, batch in enumerate(in_batches(rankings.records(Ranking), spec.shard_prompts)):
            make = partial(_draw, spec, backend, batch, derive_seed(seed, shard), advance)
            drawn = table.shard(make, advance)
            out.count(completion_tokens=sum(reply.tokens for reply in drawn))


def _draw(
    spec: RepliesSpec, backend: Backend, batch: Sequence[Ranking], seed: int, advance: Advance
) -> list[JudgeReply]:
    asked = [(ranking.prompt, answer) for ranking in batch for answer in ranking.answers]
    conversations = [spec.rubric.ask_about(prompt, answer.text, explained=True) for prompt, answer in asked]
    sampling = Sampling(
        k=spec.repeats, temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens
    )
    drawn = ask_for_replies(backend, conversations, sampling, seed, advance)
    found = []
    for (prompt, answer), replies_to in zip(asked, drawn, strict=True):
        for repeat, reply in enumerate(replies_to):
            score = read_reply(reply, partial(spec.rubric.read, answer=answer.text)).value
            if isinstance(reply, NotScored):
                reply = Completion(text="", finish="length", tokens=0, token_logprobs=(), prompt_tokens=0)
            one = JudgeReply(
                prompt_id=prompt.id,
                answer_id=answer.id,
                repeat=repeat,
                text=reply.text,
                tokens=reply.tokens,
                finish=reply.finish,
                score=score,
                thought=reply.thought,
            )
            found.append(one)
    return found
