"""What every judge is: what it asks, what it concludes from that, and what all kinds of judges need."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.backends.base import Advance, Sampling
from selfreward.backends.rendering import ChatSpec
from selfreward.judges.prompting import JudgeTexts, Rubric
from selfreward.records import Candidate, Judgment, Outcome, Prompt, Usage
from selfreward.spec import Spec, execution, neutral

Item = tuple[Prompt, Candidate]
Ask = Callable[[Sequence[Item], int, Advance], list[Judgment]]
Conclude = Callable[[Sequence[Item], Sequence[Judgment]], list[Judgment]]
JudgingPolicy = Literal["live", "previous", "initial", "external"]
NO_USAGE = Usage(prompt_tokens=0, completion_tokens=0)


@dataclass(frozen=True, slots=True)
class Judge:
    """`ask` makes judgments of items, with a seed, and is what costs; all candidates of a prompt come in one call.

    `name` is the `judge` of what it asks. `conclude` is pure: it makes one judgment of each item, in order, from what
    was asked. It is None where that is already about one candidate at a time.
    """

    name: str
    ask: Ask
    conclude: Conclude | None = None


class JudgeBase(Spec):
    """Settings of every judge. A shard with more than `max_failed_share` failed judgments stops the stage."""

    max_failed_share: float = Field(0.05, ge=0, le=1)

    @property
    def draws(self) -> bool:
        """Whether luck has a part in what the judge says: what replies are drawn, or who meets whom."""
        return True


class PolicyJudgeBase(JudgeBase):
    """Settings of a judge that is a policy: which one, and for `external` the model folder and how to talk to it.

    The policy counts by its digest, not by how it was named. `own` names the authors in gold whose answers count as
    the judge's own, for `health` alone.
    """

    policy: JudgingPolicy = execution("live")
    path: Path | None = execution(None)
    chat: ChatSpec = execution(ChatSpec())
    own: tuple[str, ...] = execution(())


class PromptedJudgeBase(PolicyJudgeBase):
    """Settings of a judge that is asked in words.

    With the method `sampled` replies are drawn, and `constrained` ones have to end in a verdict that can be read. Any
    other method reads the probability of every verdict as the first token of the answer, and is unparsed where
    together they have less than `min_mass`.
    """

    method: str
    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    max_new_tokens: PositiveInt = 128
    constrained: bool = neutral(False)
    min_mass: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _constrains_what_is_drawn(self) -> "PromptedJudgeBase":
        if self.constrained and self.method != "sampled":
            raise ValueError(
                f"judge.constrained=true at judge.method={self.method}, which draws no reply: set "
                "judge.method=sampled, or judge.constrained=false"
            )
        return self

    def check_form(self, texts: JudgeTexts) -> None:
        """Raises ValueError where the method cannot have the verdict in the form that `texts` give it."""
        if self.constrained and texts.reads.kind != "line":
            raise ValueError(
                f"judge.constrained=true holds replies to a line, and {texts.id} reads a {texts.reads.kind}: set "
                "judge.constrained=false"
            )
        if self.method == "expected" and isinstance(texts, Rubric) and not texts.scale.whole:
            raise ValueError(
                f"judge.method=expected with {texts.id}, whose half points are no single tokens: set "
                "judge.method=sampled"
            )

    def sampling(self, k: int, pattern: str) -> Sampling:
        """How `k` replies to each question are drawn, held to `pattern` if they are to be."""
        return Sampling(
            k=k,
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            pattern=pattern if self.constrained else None,
        )


def pointwise(
    item: Item,
    *,
    judge: str,
    outcome: Outcome = "scored",
    score: float | None = None,
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
        repeat=repeat,
        outcome=outcome,
        score=score,
        raw=raw,
        usage=usage,
    )


def fields(items: Sequence[Item]) -> dict[str, list[Item]]:
    """By the id of its prompt, every prompt's candidates whose texts differ, by index: of the same text the first."""
    found: dict[str, dict[str, Item]] = {}
    for item in _first_alike(items).values():
        found.setdefault(item[0].id, {})[item[1].id] = item
    return {id_: sorted(field.values(), key=lambda item: item[1].index) for id_, field in found.items()}


def by_prompt(judgments: Iterable[Judgment]) -> dict[str, list[Judgment]]:
    """The judgments of each prompt, by its id; they need not stand together."""
    found: dict[str, list[Judgment]] = {}
    for one in judgments:
        found.setdefault(one.prompt_id, []).append(one)
    return found


def shared(items: Sequence[Item], judgments: Iterable[Judgment]) -> list[Judgment]:
    """The judgments of each item, in order: its own or, at no cost, those of the first candidate with its text."""
    made: dict[str, list[Judgment]] = {}
    for one in judgments:
        made.setdefault(one.candidate_ids[0], []).append(one)
    firsts = _first_alike(items)
    return [
        one if one.candidate_ids == (candidate.id,) else replace(one, candidate_ids=(candidate.id,), usage=NO_USAGE)
        for _, candidate in items
        for one in made[firsts[candidate.id][1].id]
    ]


def _first_alike(items: Sequence[Item]) -> dict[str, Item]:
    """For the id of each candidate, the first candidate by index of the same prompt with the same text."""
    firsts: dict[tuple[str, str], Item] = {}
    for item in sorted(items, key=lambda item: item[1].index):
        firsts.setdefault((item[0].id, item[1].text), item)
    return {candidate.id: firsts[prompt.id, candidate.text] for prompt, candidate in items}


def in_step(steps: int, whole: int, advance: Advance) -> Advance:
    """A function that is told of `steps` in all, and tells `advance` of `whole` in proportion."""
    if steps == 0:
        advance(whole)
        return lambda _: None
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        before = done * whole // steps
        done += more
        advance(done * whole // steps - before)

    return tell
