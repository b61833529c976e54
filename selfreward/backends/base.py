"""What every engine offers the loop: sample answers, score given answers, count tokens."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar, cast

from selfreward.backends.abilities import IN_WORDS, Ability, EngineSpec
from selfreward.errors import BackendError, StageError
from selfreward.policies import Judging
from selfreward.records import Finish, Message, Outcome
from selfreward.sizes import must_fit

Conversation = tuple[Message, ...]
Prompts = Sequence[Conversation]
Advance = Callable[[int], None]
Results = TypeVar("Results", bound=Sized)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw: k answers a prompt. Temperature 0 is greedy decoding and wants k = 1.

    `pattern` is a regular expression that every whole answer which is not cut has to match: tokens that cannot lead to
    a match are not drawn. It is written in what Python and ECMAScript share, without assertions or back-references.
    """

    k: int
    temperature: float
    top_p: float
    max_new_tokens: int
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be drawn: `sampling.k` answers to each of `prompts`, or user turns; the same seed draws the same."""

    prompts: Prompts
    sampling: Sampling
    seed: int
    opens: Literal["assistant", "user"] = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One drawn answer, the log-probability in nats of each of its `tokens` tokens, and the prompt's token count.

    `token_logprobs` is None where the engine does not tell them. `text` is the answer; `thought` is what stands in the
    tokens before it, markers included, None where nothing does. The tokens are those of `records.Candidate`: with those
    of the thought, with the end-of-turn token where the answer ended by itself, at temperature 1 and without truncation
    whatever the sampling settings were. With a pattern, the probabilities are those among the tokens that it allowed.
    `respelled` says that the text has other tokens when it is read back: white space at an end, a spelling that the
    tokenizer would not choose, a control token in its midst.
    """

    text: str
    finish: Finish
    tokens: int
    token_logprobs: tuple[float, ...] | None
    prompt_tokens: int
    thought: str | None = None
    respelled: bool = False

    @property
    def raw(self) -> str:
        """The whole reply: the thought, if there is one, and the answer."""
        return (self.thought or "") + self.text

    @property
    def logprob(self) -> float | None:
        """Their summed log-probability in nats; None where the engine does not tell."""
        return None if self.token_logprobs is None else sum(self.token_logprobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to score, with the thought before it; `ended` asks for the end-of-turn token to be scored too."""

    messages: Conversation
    text: str
    ended: bool = True
    thought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """Summed log-probability in nats of an answer's `tokens` tokens, and the prompt's token count.

    `token_logprobs` are those of each token; None where the engine does not tell them.
    """

    logprob: float
    tokens: int
    prompt_tokens: int
    token_logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionScore:
    """For each option, in order, the log-probability in nats of its token as the first of the answer.

    They are those of the whole vocabulary at temperature 1, so their probabilities add up to 1 at most.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotScored:
    """An answer that the engine could not score, and why."""

    outcome: Outcome
    reason: str


OptionScores = list[OptionScore | NotScored]
Reply = Completion | NotScored
"""One drawn answer, or why an engine that draws them one by one has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an engine that is paid by use has used since it was opened.

    `requests` counts every one that was sent, `retries` those that asked again. Tokens are those that were told,
    `untold` requests may have cost what nobody said. `cost` is in `currency`; None where no price is set.
    """

    requests: int
    retries: int
    untold: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    currency: str

    def since(self, earlier: "Spent") -> "Spent":
        """What was used after the `earlier` count of the same engine."""
        return Spent(
            requests=self.requests - earlier.requests,
            retries=self.retries - earlier.retries,
            untold=self.untold - earlier.untold,
            prompt_tokens=self.prompt_tokens - earlier.prompt_tokens,
            completion_tokens=self.completion_tokens - earlier.completion_tokens,
            cost=None if self.cost is None or earlier.cost is None else self.cost - earlier.cost,
            currency=self.currency,
        )


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why no prompt can be made of a conversation: a `reason` to count by, and what to tell of this one."""

    reason: Literal["prompt_too_long", "refused_by_the_template"]
    told: str


class Backend(ABC):
    """One engine holding one policy. Nothing is loaded before the first call that needs it.

    What an engine gives is counted before anybody uses it. StageError is raised where it gives more or fewer results
    than it was asked for, or a draw whose log-probability is no number.
    """

    def __init__(self, spec: Any, policy: Judging) -> None:
        self._spec = spec
        self._policy = policy

    @property
    def can(self) -> frozenset[Ability]:
        """What the engine can do."""
        return cast("EngineSpec", self._spec).can

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """What decides the draws (engine, version, dtype ...), a part of keys; reading it loads nothing."""

    @abstractmethod
    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """Why no prompt with `room` tokens for an answer can be made of a conversation; None where one can."""

    @property
    def spent(self) -> Spent | None:
        """What was used up so far; None for an engine that costs time alone."""
        return None

    @property
    def used(self) -> Mapping[str, int | float]:
        """The counts of `spent` that no row has: `money` is there only where prices are set."""
        spent = self.spent
        if spent is None:
            return {}
        counts = {"requests": spent.requests, "retries": spent.retries, "untold": spent.untold}
        return counts | ({} if spent.cost is None else {"money": spent.cost})

    def holding(self, policy: Judging) -> Self:
        """A backend of the same settings that holds another policy."""
        return type(self)(self._spec, policy)

    def close(self) -> None:  # noqa: B027
        """Frees the model and its memory; a later call would load it again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def generate(self, prompts: Prompts, sampling: Sampling, seed: int, advance: Advance) -> list[list[Completion]]:
        """`sampling.k` completions for each prompt, in the order of `prompts`; see `generate_all`."""
        return self.generate_all([Request(prompts=prompts, sampling=sampling, seed=seed)], advance)[0]

    def generate_all(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]:
        """For each request, its completions for each of its prompts, in order: an engine may draw all of them at once.

        `advance(n)` is called as n more answers are done. Raises BackendError for a prompt that leaves no room for an
        answer in the model's context and for a pattern where the engine cannot hold answers to one, and ConfigError for
        more answers than the memory can hold.
        """
        self._check_asked(requests)
        drawn = self._counted("replies to requests", self._generate(requests, advance), len(requests))
        for one, answers in zip(requests, drawn, strict=True):
            self._check_drawn(one, answers)
        return drawn

    def generate_each(self, prompts: Prompts, sampling: Sampling, seed: int, advance: Advance) -> list[Sequence[Reply]]:
        """As `generate`; an engine that asks for answers one by one says of each that it did not get why not."""
        return [*self.generate(prompts, sampling, seed, advance)]

    def _check_asked(self, requests: Sequence[Request]) -> None:
        if "patterns" not in self.can and any(one.sampling.pattern is not None for one in requests):
            raise BackendError(
                "this engine cannot hold an answer to a pattern: set backend=vllm, or judge.constrained=false"
            )
        for one in requests:
            if one.opens == "user" and "raw_tokens" not in self.can:
                raise self._cannot("raw_tokens")
            must_fit("k", one.sampling.k, len(one.prompts), "answers")

    def _check_drawn(self, request: Request, drawn: Sequence[Sequence[Reply]]) -> None:
        self._counted("lists of answers", drawn, len(request.prompts))
        for replies in drawn:
            self._counted("answers to a prompt", replies, request.sampling.k)
            logprobs = [one.logprob for one in replies if isinstance(one, Completion)]
            if not all(one is None or math.isfinite(one) for one in logprobs):
                raise StageError(
                    f"the engine ({self._name}) drew an answer whose log-probability is no number: give another model, "
                    "or set backend.dtype=float32"
                )

    def score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        """One result for each answer, in order; an answer beyond the context is NotScored, never cut."""
        return self._counted("scores of answers", self._score(answers, advance), len(answers))

    def score_options(self, prompts: Prompts, options: Sequence[str], advance: Advance) -> OptionScores:
        """One result for each prompt, in order, from one forward pass each; nothing is generated.

        Raises BackendError for an option that is more than one token of the model, or the same token as another.
        """
        scores = self._counted("scores of options", self._score_options(prompts, options, advance), len(prompts))
        for one in scores:
            if isinstance(one, OptionScore):
                self._counted("options of a prompt", one.logprobs, len(options))
        return scores

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Completion tokens of each text, with its thought if it brings one and the end-of-turn token."""
        return self._counted("counts of tokens", self._count_tokens(texts), len(texts))

    @abstractmethod
    def _generate(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]: ...

    def _score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        raise self._cannot("score_answers")

    def _score_options(self, prompts: Prompts, options: Sequence[str], advance: Advance) -> OptionScores:
        raise self._cannot("score_options")

    def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        raise self._cannot("raw_tokens")

    def _cannot(self, ability: Ability) -> BackendError:
        return BackendError(f"the engine ({self._name}) cannot {IN_WORDS[ability]}: set backend=hf or backend=vllm")

    @property
    def _name(self) -> str:
        return str(self.identity.get("kind", type(self).__name__))

    def _counted(self, what: str, given: Results, asked: int) -> Results:
        if len(given) != asked:
            raise StageError(
                f"the engine ({self._name}) gave {len(given)} {what} where {asked} were asked for, so nothing of that "
                "is kept: run the same command again; if it stays so, use another backend"
            )
        return given
