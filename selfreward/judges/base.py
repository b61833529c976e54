"""What every judge is: a function from prompts with candidates, and a seed, to judgments; each has an outcome."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from selfreward.backends.base import Advance
from selfreward.records import Candidate, Judgment, Outcome, Prompt, Usage
from selfreward.spec import Spec, execution

Item = tuple[Prompt, Candidate]
Judge = Callable[[Sequence[Item], int, Advance], list[Judgment]]
JudgingPolicy = Literal["live", "previous", "initial", "external"]
NO_USAGE = Usage(prompt_tokens=0, completion_tokens=0)


class JudgeBase(Spec):
    """Settings of every judge. A shard with more than `max_failed_share` failed judgments stops the stage."""

    max_failed_share: float = Field(0.05, ge=0, le=1)


class PolicyJudgeBase(JudgeBase):
    """Settings of a judge that is a policy: which one, and for `external` the model folder to load.

    The judging policy is an input of the stage and counts by its digest; how it was named does not.
    """

    policy: JudgingPolicy = execution("live")
    path: Path | None = execution(None)


def pointwise(
    item: Item,
    *,
    judge: str,
    outcome: Outcome = "scored",
    score: float | None,
    raw: str,
    usage: Usage = NO_USAGE,
    rubric: str | None = None,
    repeat: int = 0,
) -> Judgment:
    """A judgment of one candidate by itself."""
    prompt, candidate = item
    return Judgment(
        prompt_id=prompt.id,
        candidate_ids=(candidate.id,),
        order=(0,),
        judge=judge,
        rubric=rubric,
        dimension=None,
        principle=None,
        repeat=repeat,
        outcome=outcome,
        score=score,
        verdict=None,
        raw=raw,
        usage=usage,
    )
