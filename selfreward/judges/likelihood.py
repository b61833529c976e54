"""The policy's own confidence as a judge: the mean log-probability of an answer's tokens."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

from selfreward.backends.abilities import Ability
from selfreward.backends.base import Advance, Answer, Backend, TextScore
from selfreward.judges.base import NO_USAGE, Item, Judge, Means, PolicyJudgeBase
from selfreward.judges.pointwise import pointwise
from selfreward.policies import Judging
from selfreward.records import Judgment, Usage, digest_of
from selfreward.spec import identity


class LikelihoodSpec(PolicyJudgeBase):
    """Scores an answer by its mean token log-probability under the judging policy, in nats per token (<= 0)."""

    kind: Literal["likelihood"] = "likelihood"

    @property
    def needs(self) -> frozenset[Ability]:
        """Answers that another policy drew are scored."""
        return super().needs | {"score_answers"}

    @property
    def draws(self) -> bool:
        """Nothing is drawn."""
        return False

    def build(self, means: Means) -> Judge:
        """The judge over the backend that holds the judging policy."""
        backend, policy = means.held
        name = digest_of("likelihood", identity(self), policy.digest)
        return Judge(name, partial(judge_likelihood, name, backend, policy))


def judge_likelihood(
    name: str, backend: Backend, policy: Judging, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """One judgment for each item, in order.

    The sampling log-probability (temperature 1, untruncated) of a candidate drawn from the judging policy is reused. An
    answer cut by the token limit is scored without an end of turn. Tokens of a thought count as those of the answer do.
    """
    judgments: dict[str, Judgment] = {}
    owed = []
    for item in items:
        candidate = item[1]
        if candidate.policy_digest == policy.digest and candidate.tokens > 0 and candidate.logprob is not None:
            judgments[candidate.id] = _mean(item, name, candidate.logprob, candidate.tokens, "sampling logprob")
            advance(1)
        else:
            owed.append(item)
    answers = [Answer(messages=p.messages, text=c.text, ended=c.finish == "stop", thought=c.thought) for p, c in owed]
    for item, result in zip(owed, backend.score(answers, advance) if answers else [], strict=True):
        if not isinstance(result, TextScore):
            judgment = pointwise(item, judge=name, outcome=result.outcome, raw=result.reason)
        elif result.tokens == 0:
            judgment = pointwise(item, judge=name, outcome="unparsed", raw="empty answer")
        else:
            usage = Usage(prompt_tokens=result.prompt_tokens + result.tokens, completion_tokens=0)
            judgment = _mean(item, name, result.logprob, result.tokens, "scored logprob", usage)
        judgments[item[1].id] = judgment
    return [judgments[candidate.id] for _, candidate in items]


def _mean(item: Item, judge: str, logprob: float, tokens: int, raw: str, usage: Usage = NO_USAGE) -> Judgment:
    if not math.isfinite(logprob):
        return pointwise(item, judge=judge, outcome="failed", raw=f"{raw} {logprob}", usage=usage)
    return pointwise(item, judge=judge, score=logprob / tokens, raw=raw, usage=usage)
