"""Made-up candidates, backends that judge as they are told, and judgments."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfreward.backends.base import Advance, Completion, Conversation, NotScored, OptionScore, Sampling, Unfit
from selfreward.errors import BackendError
from selfreward.judges import AnyJudge
from selfreward.judges.base import NO_USAGE, Item, Means
from selfreward.policies import Policy
from selfreward.records import Candidate, Judgment, Verdict, make_prompt


def compared(
    first: str, second: str | None, verdict: Verdict | float | None, *, swapped: bool = False, judge: str = "j"
) -> Judgment:
    """A judgment of two candidates in one order, of one where `second` is None; unparsed where `verdict` is None."""
    ids = (first,) if second is None else (first, second)
    return Judgment(
        prompt_id="p",
        candidate_ids=ids,
        order=(1, 0) if swapped else tuple(range(len(ids))),
        judge=judge,
        outcome="unparsed" if verdict is None else "scored",
        score=verdict if isinstance(verdict, float) else None,
        verdict=verdict if isinstance(verdict, str) else None,
        raw="",
        usage=NO_USAGE,
    )


def item(answer: str, index: int = 0, references: tuple[str, ...] = ()) -> Item:
    """A candidate of the prompt \"What is 3 + 1?\"."""
    prompt = make_prompt("What is 3 + 1?", system="Be brief.", stratum="closed", source="t", references=references)
    candidate = Candidate(
        id=f"c{index}",
        prompt_id=prompt.id,
        index=index,
        text=answer,
        text_hash="",
        finish="stop",
        tokens=2,
        logprob=-1.0,
        policy_key="p",
        policy_digest="p",
        seed=0,
    )
    return prompt, candidate


ESSAY = "An essay " + "of many words " * 300


def no_room_for_essays(_: object, messages: Conversation, room: int = 1) -> Unfit | None:
    """Why a made-up backend takes no prompt that shows `ESSAY`; None for any other."""
    if ESSAY not in messages[-1].content:
        return None
    return Unfit("prompt_too_long", f"its 900 tokens leave no room for an answer of {room} in the model's 512")


def refuse_essays(prompts: Sequence[Conversation]) -> None:
    """What an engine does first: it draws for all prompts or for none."""
    if any(ESSAY in messages[-1].content for messages in prompts):
        raise BackendError("a prompt of 900 tokens exceeds the model's 512 tokens")


@dataclass
class Told:
    """A backend that says what it is told to, and remembers what it was asked."""

    replies: Sequence[Completion] = ()
    options: Sequence[OptionScore | NotScored] = ()
    asked: list[Conversation] = field(default_factory=list)
    wanted: list[Any] = field(default_factory=list)

    why_unfit = no_room_for_essays

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        refuse_essays(prompts)
        self.asked += prompts
        self.wanted.append((sampling, seed))
        advance(len(prompts) * sampling.k)
        return [list(self.replies[: sampling.k]) for _ in prompts]

    def generate_each(self, *given: Any) -> Any:
        return self.generate(*given)

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        self.asked += prompts
        self.wanted.append(list(options))
        advance(len(prompts))
        return list(self.options)


def reply(text: str, finish: Any = "stop") -> Completion:
    return Completion(text=text, finish=finish, tokens=6, token_logprobs=(-0.5,) * 6, prompt_tokens=90)


def options(*chances: float) -> OptionScore:
    return OptionScore(logprobs=tuple(math.log(chance) for chance in chances), prompt_tokens=80)


@dataclass
class Says:
    """A backend that judges by a function of the message it is asked with."""

    says: Callable[[str], str | tuple[float, ...] | None]
    finish: Any = "stop"
    asked: list[Conversation] = field(default_factory=list)

    why_unfit = no_room_for_essays

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        refuse_essays(prompts)
        self.asked += prompts
        advance(len(prompts))
        return [[reply(str(self.says(one[-1].content)), self.finish)] for one in prompts]

    def generate_each(self, *given: Any) -> Any:
        return self.generate(*given)

    def score_options(
        self, prompts: Sequence[Conversation], options_: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        self.asked += prompts
        advance(len(prompts))
        told = [self.says(one[-1].content) for one in prompts]
        return [
            NotScored(outcome="truncated", reason="too long") if one is None else options(*map(float, one))
            for one in told
        ]


def judged(spec: AnyJudge, backend: Any, *items: Item) -> list[Judgment]:
    """What a judge over `backend` asks of items, having told of progress with every one."""
    steps: list[int] = []
    policy = Policy(path=Path("p"), key="p", digest="p")
    judgments = spec.build(Means(policy=policy, backend=backend)).ask(items, 5, steps.append)
    assert sum(steps) == len(items)
    return judgments
