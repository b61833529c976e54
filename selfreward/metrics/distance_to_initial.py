"""How far a policy is from the initial one, from its draws and what the initial policy says of their tokens."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfreward.backends.base import Answer, NotScored, TextScore
from selfreward.metrics.intervals import Interval, rounded
from selfreward.metrics.kl_to_initial import DrawnLogprobs, KlToInitial, kl_to_initial
from selfreward.metrics.matched_probe import ProbeAnswer
from selfreward.records import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class ByInitial:
    """The log-probabilities in nats of the tokens of a probe's answer by the initial policy; None if not scored."""

    prompt_id: str
    index: int
    token_logprobs: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """KL of a policy to the initial one, by `answers` of its own; None where none of them could be compared.

    `left_out` are those that the initial policy could not score as they were drawn: beyond its context, or of other
    tokens when their text is read back.
    """

    kl: KlToInitial | None
    answers: int
    left_out: int


def as_drawn(drawn: Sequence[ProbeAnswer], prompts: Mapping[str, Prompt]) -> list[Answer]:
    """The answers as an engine is asked to score them; one that was cut has no end of turn."""
    return [
        Answer(messages=prompts[one.prompt_id].messages, text=one.text, ended=one.finish == "stop", thought=one.thought)
        for one in drawn
    ]


def by_initial(drawn: ProbeAnswer, score: TextScore | NotScored) -> ByInitial:
    """What the initial policy says of an answer."""
    told = score.token_logprobs if isinstance(score, TextScore) else None
    known = told if told is not None and all(map(math.isfinite, told)) else None
    return ByInitial(prompt_id=drawn.prompt_id, index=drawn.index, token_logprobs=known)


def nowhere(drawn: Sequence[ProbeAnswer]) -> Distance:
    """The distance of the initial policy from itself, over the prompts of its draws: 0, which nobody has to ask."""
    none = Interval(0.0, 0.0, 0.0, len({one.prompt_id for one in drawn}))
    return Distance(kl=KlToInitial(plain=none, k3=none), answers=len(drawn), left_out=0)


def distance(drawn: Sequence[ProbeAnswer], scored: Sequence[ByInitial], seed: int) -> Distance:
    """The distance of the policy that drew; `scored` is what the initial policy says of each answer, in order."""
    pairs: dict[str, list[DrawnLogprobs]] = {}
    for one, initial in zip(drawn, scored, strict=True):
        known = initial.token_logprobs
        # Read back, a text may have other tokens than it was drawn with, and those are no draw of the policy.
        if known is not None and len(known) == len(one.token_logprobs):
            pairs.setdefault(one.prompt_id, []).append(DrawnLogprobs(own=one.token_logprobs, initial=known))
    found = kl_to_initial(pairs, seed)
    kl = None if found is None else KlToInitial(plain=rounded(found.plain), k3=rounded(found.k3))
    return Distance(kl=kl, answers=len(drawn), left_out=len(drawn) - sum(map(len, pairs.values())))
