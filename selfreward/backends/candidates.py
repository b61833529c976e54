"""Candidates from a policy: the one place where sampled text becomes records."""

import hashlib
from collections.abc import Sequence

from pydantic import Field, PositiveInt

from selfreward.backends.base import Advance, Backend, Completion, Sampling
from selfreward.records import STRATA, Candidate, Policy, Prompt, Stratum, digest_of
from selfreward.sizes import must_fit
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


def draw_completions(
    backend: Backend, prompts: Sequence[Prompt], decoding: Decoding, *, seed: int, advance: Advance
) -> list[list[Completion]]:
    """`decoding.k` completions a prompt, in order, each stratum at its own length. Raises ConfigError for too many."""
    must_fit("k", decoding.k, len(prompts), "answers")
    drawn: dict[str, list[Completion]] = {}
    for stratum in STRATA:
        asked = [prompt for prompt in prompts if prompt.stratum == stratum]
        sampling = Sampling(
            k=decoding.k,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            max_new_tokens=decoding.max_new_tokens.of(stratum),
        )
        answers = backend.generate([prompt.messages for prompt in asked], sampling, seed, advance) if asked else []
        drawn |= {prompt.id: completions for prompt, completions in zip(asked, answers, strict=True)}
    return [drawn[prompt.id] for prompt in prompts]


def draw_candidates(
    backend: Backend, policy: Policy, prompts: Sequence[Prompt], decoding: Decoding, *, seed: int, advance: Advance
) -> list[Candidate]:
    """`decoding.k` candidates for each prompt, in the order of `prompts`, then by index."""
    drawn = draw_completions(backend, prompts, decoding, seed=seed, advance=advance)
    return [
        Candidate(
            id=_id(prompt, policy, seed, index, completion),
            prompt_id=prompt.id,
            index=index,
            text=completion.text,
            text_hash=hashlib.sha256(completion.text.encode()).hexdigest()[:16],
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


def _id(prompt: Prompt, policy: Policy, seed: int, index: int, completion: Completion) -> str:
    thought = () if completion.thought is None else (completion.thought,)
    return digest_of("candidate", prompt.id, policy.digest, seed, index, completion.text, *thought)
