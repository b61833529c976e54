"""A policy that scores one answer at a time by a rubric: replies drawn and read, or the expected score in one pass."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Advance, Backend, Completion, Conversation, NotScored
from selfreward.judges.base import (
    Item,
    Judge,
    PromptedJudgeBase,
    ask_for_replies,
    first_alike,
    in_step,
    pointwise,
    shared,
)
from selfreward.judges.options import chances_of
from selfreward.judges.pattern import check_form, explained_pattern
from selfreward.judges.prompting import Rubric
from selfreward.judges.scale import spelled
from selfreward.records import Judgment, Policy, Usage, digest_of
from selfreward.spec import identity

_NO_REFERENCE = "the prompt has no reference to show"


class RubricSpec(PromptedJudgeBase):
    """Scores an answer on the rubric's scale.

    `sampled` draws `repeats` replies a candidate, each a judgment of its own; `expected` takes the mean of the scores,
    weighted by their probabilities.

    Source: the additive rubric and averaged replies of Yuan et al. 2024 (2401.10020); the expected score of Lee et al.
    2023 (2309.00267), here on the rubric's own scale.
    """

    kind: Literal["rubric"] = "rubric"
    rubric: Rubric
    method: Literal["sampled", "expected"] = "sampled"
    repeats: PositiveInt = 1
    temperature: float = Field(0.7, ge=0)

    @model_validator(mode="after")
    def _replies_differ(self) -> "RubricSpec":
        if self.method == "sampled" and self.temperature == 0 and self.repeats > 1:
            raise ValueError(
                f"judge.repeats={self.repeats} at judge.temperature=0 would draw one reply {self.repeats} times: set "
                "judge.repeats=1, or a temperature"
            )
        return self

    @model_validator(mode="after")
    def _fits_its_rubric(self) -> "RubricSpec":
        check_form(self.rubric.id, self.constrained, self.rubric.reads.kind)
        check_steps(self.rubric, self.method)
        return self

    def build(self, backend: Backend | None, policy: Policy | None) -> Judge:
        """The judge over `backend`, which holds the judging `policy`."""
        assert backend is not None
        assert policy is not None
        return Judge(partial(judge_by_rubric, self, backend, policy))


def check_steps(rubric: Rubric, method: str) -> None:
    """Raises ValueError where scores are to be told by their first token and some have several."""
    if method == "expected" and not rubric.scale.whole:
        raise ValueError(
            f"judge.method=expected with {rubric.id}, whose half points are no single tokens: set judge.method=sampled"
        )


def judge_by_rubric(
    spec: RubricSpec, backend: Backend, policy: Policy, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """The judgments of each item, in order: `spec.repeats` of them if sampled, else one.

    Candidates of a prompt with the same text are judged once, and share what came of it. A candidate whose prompt lacks
    the reference that the rubric shows is unparsed. Usage counts every reply as asked by itself.
    """
    name = digest_of("rubric", identity(spec), policy.digest)
    judgment = partial(pointwise, judge=name, rubric=spec.rubric.name)
    firsts = first_alike(items)
    distinct = [item for item in items if firsts[item[1].id] == item]
    asked = [item for item in distinct if item[0].references or not spec.rubric.needs_reference]
    explained = spec.method == "sampled"
    conversations = [spec.rubric.ask_about(prompt, one.text, explained=explained) for prompt, one in asked]
    if spec.method == "expected":
        advance = in_step(len(asked), len(items), advance)
        results = _expected(spec, backend, asked, conversations, judgment, advance)
    else:
        advance = in_step(len(asked) * spec.repeats, len(items), advance)
        results = _sampled(spec, backend, asked, conversations, judgment, seed, advance)
    found = {item[1].id: [judgment(item, outcome="unparsed", score=None, raw=_NO_REFERENCE)] for item in distinct}
    found |= {item[1].id: judgments for item, judgments in zip(asked, results, strict=True)}
    return [shared(one, candidate) for _, candidate in items for one in found[firsts[candidate.id][1].id]]


def _sampled(
    spec: RubricSpec,
    backend: Backend,
    items: Sequence[Item],
    conversations: Sequence[Conversation],
    judgment: partial[Judgment],
    seed: int,
    advance: Advance,
) -> list[list[Judgment]]:
    rubric = spec.rubric
    pattern = explained_pattern(rubric.label, list(map(spelled, rubric.scale.values())), spec.max_new_tokens)
    drawn = ask_for_replies(backend, conversations, spec.sampling(spec.repeats, pattern), seed, advance)
    return [
        [_read(rubric, item, reply, partial(judgment, repeat=number)) for number, reply in enumerate(replies)]
        for item, replies in zip(items, drawn, strict=True)
    ]


def _read(rubric: Rubric, item: Item, reply: Completion | NotScored, judgment: partial[Judgment]) -> Judgment:
    if isinstance(reply, NotScored):
        return judgment(item, outcome=reply.outcome, score=None, raw=reply.reason)
    usage = Usage(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.tokens)
    judgment = partial(judgment, item, raw=reply.raw, usage=usage)
    if reply.finish == "length":
        return judgment(outcome="truncated", score=None)
    score = rubric.read(reply.text, item[1].text)
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
    options = list(map(spelled, scores))
    results = backend.score_options(conversations, options, advance)
    judgments = []
    for item, result in zip(items, results, strict=True):
        chances = chances_of(result, options, spec.min_mass)
        shares = chances.shares
        mean = None if shares is None else math.fsum(score * share for score, share in zip(scores, shares, strict=True))
        judgments.append([judgment(item, outcome=chances.outcome, score=mean, raw=chances.raw, usage=chances.usage)])
    return judgments
