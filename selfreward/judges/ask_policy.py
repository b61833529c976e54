"""Questions put to a policy in words: replies that are drawn and read, or the probability of every verdict."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from selfreward.backends.base import Advance, Backend, Completion, Conversation, NotScored, OptionScore, Reply, Sampling
from selfreward.errors import BackendError
from selfreward.judges.base import NO_USAGE
from selfreward.records import Outcome, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReading:
    """What came of one question: the `value` of the verdict, None with the outcome that says why there is none."""

    outcome: Outcome
    value: float | None = None
    raw: str
    usage: Usage = NO_USAGE


def ask_for_replies(
    backend: Backend,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    seed: int,
    advance: Advance,
    who: str = "the judge",
) -> list[Sequence[Reply]]:
    """`sampling.k` replies to each conversation, in order; NotScored where it leaves no room for one in the context.

    That names `who` is asked. An engine that asks for them one by one says so of each that it did not get.
    """
    try:
        return backend.generate_each(conversations, sampling, seed, advance) if conversations else []
    except BackendError:
        # An engine draws for all or for none: which conversations are too long is asked only where one is. What a
        # template refuses it refuses whatever the answer: the engine says so.
        unfit = {place: backend.why_unfit(one, sampling.max_new_tokens) for place, one in enumerate(conversations)}
        too_long = {
            place: NotScored(outcome="truncated", reason=f"the prompt of {who}: {one.told}")
            for place, one in unfit.items()
            if one is not None and one.reason == "prompt_too_long"
        }
        if not too_long:
            raise
    asked = [messages for place, messages in enumerate(conversations) if place not in too_long]
    drawn = iter(backend.generate_each(asked, sampling, seed, advance) if asked else [])
    advance(len(too_long) * sampling.k)
    return [[too_long[place]] * sampling.k if place in too_long else next(drawn) for place in range(len(conversations))]


def read_reply(reply: Reply, read: Callable[[str], float | None]) -> ReplyReading:
    """What a reply states, by `read` of its text; one that was cut states nothing."""
    if isinstance(reply, NotScored):
        return ReplyReading(outcome=reply.outcome, raw=reply.reason)
    usage = Usage(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.tokens)
    if reply.finish == "length":
        return ReplyReading(outcome="truncated", raw=reply.raw, usage=usage)
    if (value := read(reply.text)) is None:
        return ReplyReading(outcome="unparsed", raw=reply.raw, usage=usage)
    return ReplyReading(outcome="scored", value=float(value), raw=reply.raw, usage=usage)


def ask_for_means(
    backend: Backend,
    conversations: Sequence[Conversation],
    values: Mapping[str, float],
    min_mass: float,
    advance: Advance,
) -> list[ReplyReading]:
    """The mean of `values` in each answer, by the probabilities of their names as its first token.

    Unparsed where together they have less than `min_mass`, failed where the engine gave a score that is no number.
    """
    return [_mean(result, values, min_mass) for result in backend.score_options(conversations, list(values), advance)]


def ask_behind_reasons(
    backend: Backend,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    then: Callable[[Conversation, str], Conversation],
    values: Mapping[str, float],
    min_mass: float,
    seed: int,
    advance: Advance,
) -> list[ReplyReading]:
    """As `ask_for_means` of what `then` makes of each conversation and a reply to it, which is drawn first.

    A reply that was cut counts as far as it came, and one without a word is unparsed. Tells `advance` of two steps a
    conversation.
    """
    replies = [reply for (reply,) in ask_for_replies(backend, conversations, sampling, seed, advance)]
    behind = [
        (then(asked, reply.text), reply)
        for asked, reply in zip(conversations, replies, strict=True)
        if _has_reasons(reply)
    ]
    advance(len(replies) - len(behind))
    means = iter(ask_for_means(backend, [asked for asked, _ in behind], values, min_mass, advance) if behind else [])
    return [
        _behind(reply, next(means)) if _has_reasons(reply) else read_reply(reply, _says_nothing) for reply in replies
    ]


def _has_reasons(reply: Reply) -> TypeGuard[Completion]:
    return isinstance(reply, Completion) and bool(reply.text.strip())


def _says_nothing(_: str) -> None:
    return None


def _behind(reasons: Completion, found: ReplyReading) -> ReplyReading:
    """What was found behind reasons, with these, and with what both calls used."""
    usage = Usage(
        prompt_tokens=reasons.prompt_tokens + found.usage.prompt_tokens,
        completion_tokens=reasons.tokens + found.usage.completion_tokens,
    )
    return replace(found, raw=f"{reasons.raw}\n\n{found.raw}", usage=usage)


def _mean(result: OptionScore | NotScored, values: Mapping[str, float], min_mass: float) -> ReplyReading:
    if isinstance(result, NotScored):
        return ReplyReading(outcome=result.outcome, raw=result.reason)
    usage = Usage(prompt_tokens=result.prompt_tokens, completion_tokens=0)
    chances = [math.exp(logprob) for logprob in result.logprobs]
    mass = math.fsum(chances)
    told = " ".join(f"p({name})={chance:.6g}" for name, chance in zip(values, chances, strict=True))
    raw = f"{told} mass={mass:.6g}"
    if not math.isfinite(mass):
        return ReplyReading(outcome="failed", raw=raw, usage=usage)
    if mass < min_mass or mass == 0:
        return ReplyReading(outcome="unparsed", raw=raw, usage=usage)
    mean = math.fsum(value * (chance / mass) for value, chance in zip(values.values(), chances, strict=True))
    return ReplyReading(outcome="scored", value=mean, raw=raw, usage=usage)
