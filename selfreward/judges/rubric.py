"""A policy that scores one answer at a time by a rubric: replies drawn and read, or the expected score in one pass."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Advance, Backend, Completion, Conversation, OptionScore, Sampling
from selfreward.judges.base import Item, Judge, PolicyJudgeBase, pointwise
from selfreward.judges.prompting import Rubric
from selfreward.judges.reply import read_score
from selfreward.records import Judgment, Policy, Usage, digest_of
from selfreward.spec import identity

_NO_REFERENCE = "the prompt has no reference to show"


class RubricSpec(PolicyJudgeBase):
    """Scores an answer on the rubric's scale.

    `sampled` draws `repeats` replies a candidate, each a judgment of its own. `expected` reads the probability of every
    score as the first token of the answer, and takes their mean; it is unparsed where together they have less than
    `min_mass` of the probability.

    Source: the additive rubric and averaged replies of Yuan et al. 2024 (2401.10020); the expected score of Lee et al.
    2023 (2309.00267), here on the rubric's own scale.
    """

    kind: Literal["rubric"] = "rubric"
    rubric: Rubric
    method: Literal["sampled", "expected"] = "sampled"
    repeats: PositiveInt = 1
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: PositiveInt = 128
    min_mass: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _replies_differ(self) -> "RubricSpec":
        if self.method == "sampled" and self.temperature == 0 and self.repeats > 1:
            raise ValueError(
                f"judge.repeats={self.repeats} at judge.temperature=0 would draw one reply {self.repeats} times: set "
                "judge.repeats=1, or a temperature"
            )
        return self

    def build(self, backend: Backend | None, policy: Policy | None) -> Judge:
        """The judge over `backend`, which holds the judging `policy`."""
        assert backend is not None
        assert policy is not None
        return partial(judge_by_rubric, self, backend, policy)


def judge_by_rubric(
    spec: RubricSpec, backend: Backend, policy: Policy, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """The judgments of each item, in order: `spec.repeats` of them if sampled, else one.

    A candidate whose prompt lacks the reference that the rubric shows is unparsed. Usage counts every reply as asked
    by itself.
    """
    name = digest_of("rubric", identity(spec), policy.digest)
    judgment = partial(pointwise, judge=name, rubric=spec.rubric.name)
    asked = [item for item in items if item[0].references or not spec.rubric.needs_reference]
    conversations = [_conversation(spec, item) for item in asked]
    advance(len(items) - len(asked))
    if spec.method == "expected":
        results = _expected(spec, backend, asked, conversations, judgment, advance)
    else:
        results = _sampled(spec, backend, asked, conversations, judgment, seed, advance)
    found = {item[1].id: judgments for item, judgments in zip(asked, results, strict=True)}
    without = {
        item[1].id: [judgment(item, outcome="unparsed", score=None, raw=_NO_REFERENCE)]
        for item in items
        if item[1].id not in found
    }
    return [one for _, candidate in items for one in (found | without)[candidate.id]]


def _conversation(spec: RubricSpec, item: Item) -> Conversation:
    prompt, candidate = item
    reference = "\n".join(prompt.references) or None
    return spec.rubric.ask(prompt.messages[-1].content, candidate.text, reference, explained=spec.method == "sampled")


def _sampled(
    spec: RubricSpec,
    backend: Backend,
    items: Sequence[Item],
    conversations: Sequence[Conversation],
    judgment: partial[Judgment],
    seed: int,
    advance: Advance,
) -> list[list[Judgment]]:
    sampling = Sampling(
        k=spec.repeats, temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens
    )
    drawn = backend.generate(conversations, sampling, seed, _once_every(spec.repeats, advance))
    return [
        [_read(spec.rubric, item, reply, partial(judgment, repeat=number)) for number, reply in enumerate(replies)]
        for item, replies in zip(items, drawn, strict=True)
    ]


def _read(rubric: Rubric, item: Item, reply: Completion, judgment: partial[Judgment]) -> Judgment:
    usage = Usage(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.tokens)
    judgment = partial(judgment, item, raw=reply.text, usage=usage)
    if reply.finish == "length":
        return judgment(outcome="truncated", score=None)
    score = read_score(reply.text, rubric.label, rubric.scale, answer=item[1].text)
    return judgment(outcome="unparsed", score=None) if score is None else judgment(score=float(score))


def _expected(
    spec: RubricSpec,
    backend: Backend,
    items: Sequence[Item],
    conversations: Sequence[Conversation],
    judgment: partial[Judgment],
    advance: Advance,
) -> list[list[Judgment]]:
    scores = spec.rubric.scale.values()
    results = backend.score_options(conversations, [str(score) for score in scores], advance)
    judgments = []
    for item, result in zip(items, results, strict=True):
        if not isinstance(result, OptionScore):
            judgments.append([judgment(item, outcome=result.outcome, score=None, raw=result.reason)])
            continue
        usage = Usage(prompt_tokens=result.prompt_tokens, completion_tokens=0)
        chances = [math.exp(logprob) for logprob in result.logprobs]
        mass = math.fsum(chances)
        raw = " ".join(f"p({score})={chance:.6g}" for score, chance in zip(scores, chances, strict=True))
        judged = partial(judgment, item, raw=f"{raw} mass={mass:.6g}", usage=usage)
        if mass < spec.min_mass or mass == 0:
            judgments.append([judged(outcome="unparsed", score=None)])
        else:
            mean = math.fsum(score * chance for score, chance in zip(scores, chances, strict=True)) / mass
            judgments.append([judged(score=mean)])
    return judgments


def _once_every(count: int, advance: Advance) -> Advance:
    """A function that tells `advance` of one more candidate with every `count` replies."""
    replies = 0

    def tell(more: int) -> None:
        nonlocal replies
        before = replies // count
        replies += more
        advance(replies // count - before)

    return tell
