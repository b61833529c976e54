"""Candidates from a policy: the one place where sampled text becomes records."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field, PositiveInt

from selfreward.backends.base import Advance, Backend, Completion, Request, Sampling
from selfreward.policies import Policy
from selfreward.records import STRATA, Candidate, Prompt, Stratum, digest_of
from selfreward.spec import Spec


class AnswerLengths(Spec):
    """The longest answer, in tokens, for each stratum."""

    closed: PositiveInt = 32
    open: PositiveInt = 48

    def of(self, stratum: Stratum) -> int:
        """The limit for one stratum."""
        return self.closed if stratum == "closed" else self.open


class Decoding(Spec):
    """How answers are drawn: `k` a prompt, at a temperature, from the most likely tokens that make up `top_p`."""

    k: PositiveInt = 4
    temperature: float = Field(0.9, ge=1e-3, le=1e3)
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: AnswerLengths = AnswerLengths()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Prompts that are to be answered, and how."""

    prompts: Sequence[Prompt]
    decoding: Decoding
    seed: int


def draw_completions(backend: Backend, asked: Sequence[Asking], advance: Advance) -> list[list[list[Completion]]]:
    """For each asking, `decoding.k` completions to each of its prompts, in order; each stratum at its own length.

    All are drawn in one call of the engine. Raises ConfigError for too many.
    """
    parts = [(number, stratum) for number, one in enumerate(asked) for stratum in STRATA if _of(one, stratum)]
    requests = [_request(asked[number], stratum) for number, stratum in parts]
    answered: list[dict[str, list[Completion]]] = [{} for _ in asked]
    for (number, stratum), answers in zip(parts, backend.generate_all(requests, advance), strict=True):
        ids = [prompt.id for prompt in _of(asked[number], stratum)]
        answered[number] |= zip(ids, answers, strict=True)
    return [[answers[prompt.id] for prompt in one.prompts] for one, answers in zip(asked, answered, strict=True)]


def _of(asking: Asking, stratum: Stratum) -> list[Prompt]:
    return [prompt for prompt in asking.prompts if prompt.stratum == stratum]


def _request(asking: Asking, stratum: Stratum) -> Request:
    decoding = asking.decoding
    sampling = Sampling(
        k=decoding.k,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        max_new_tokens=decoding.max_new_tokens.of(stratum),
    )
    return Request(prompts=[one.messages for one in _of(asking, stratum)], sampling=sampling, seed=asking.seed)


def draw_candidates(
    backend: Backend, policy: Policy, prompts: Sequence[Prompt], decoding: Decoding, *, seed: int, advance: Advance
) -> list[Candidate]:
    """`decoding.k` candidates for each prompt, in the order of `prompts`, then by index."""
    (drawn,) = draw_completions(backend, [Asking(prompts=prompts, decoding=decoding, seed=seed)], advance)
    return [
        Candidate(
            id=_id(prompt, policy, seed, index, completion),
            prompt_id=prompt.id,
            index=index,
            text=completion.text,
            text_hash=text_hash(completion.text),
            finish=completion.finish,
            tokens=completion.tokens,
            logprob=completion.logprob,
            policy_key=policy.key,
            policy_digest=policy.digest,
            seed=seed,
            thought=completion.thought,
            respelled=completion.respelled,
        )
        for prompt, completions in zip(prompts, drawn, strict=True)
        for index, completion in enumerate(completions)
    ]


def text_hash(text: str) -> str:
    """What the text of a candidate is told apart by."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _id(prompt: Prompt, policy: Policy, seed: int, index: int, completion: Completion) -> str:
    thought = () if completion.thought is None else (completion.thought,)
    return digest_of("candidate", prompt.id, policy.digest, seed, index, completion.text, *thought)
