"""What every engine offers the loop: sample answers, score given answers, count tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from selfreward.errors import BackendError
from selfreward.records import Finish, Message, Outcome, Policy

Conversation = tuple[Message, ...]
Advance = Callable[[int], None]


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
class Completion:
    """One drawn answer, the log-probability in nats of each of its tokens, and the prompt's token count.

    `text` is the answer; `thought` is what stands in the tokens before it, markers included, None where nothing does.
    The tokens are those of `records.Candidate`: with those of the thought, with the end-of-turn token where the answer
    ended by itself, at temperature 1 and without truncation whatever the sampling settings were. With a pattern, the
    probabilities are those among the tokens that it allowed. `respelled` says that the text has other tokens when it is
    read back: white space at an end, a spelling that the tokenizer would not choose, a control token in its midst.
    """

    text: str
    finish: Finish
    token_logprobs: tuple[float, ...]
    prompt_tokens: int
    thought: str | None = None
    respelled: bool = False

    @property
    def raw(self) -> str:
        """The whole reply: the thought, if there is one, and the answer."""
        return (self.thought or "") + self.text

    @property
    def tokens(self) -> int:
        """How many tokens were drawn."""
        return len(self.token_logprobs)

    @property
    def logprob(self) -> float:
        """Their summed log-probability in nats."""
        return sum(self.token_logprobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to score, with the thought before it if there is one.

    `ended` asks for the end-of-turn token to be scored with it.
    """

    messages: Conversation
    text: str
    ended: bool = True
    thought: str | None = None

    @property
    def raw(self) -> str:
        """All that is scored: the thought, if there is one, and the answer."""
        return (self.thought or "") + self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """Summed log-probability in nats of an answer's `tokens` tokens, and the prompt's token count."""

    logprob: float
    tokens: int
    prompt_tokens: int


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


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why no prompt can be made of a conversation: a `reason` to count by, and what to tell of this one."""

    reason: Literal["prompt_too_long", "refused_by_the_template"]
    told: str


class Backend(Protocol):
    """One engine holding one policy. Nothing is loaded before the first call that needs it.

    `identity` names what decides the draws (engine, version, dtype, batch size ...): it is part of the key of
    every stage that uses the backend, and reading it loads nothing.
    """

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """What decides the draws; see above."""
        ...

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, seed: int, advance: Advance
    ) -> list[list[Completion]]:
        """`sampling.k` completions for each prompt, in the order of `prompts`; the same seed draws the same.

        `advance(n)` is called as n more answers are done. Raises BackendError for a prompt that leaves no room
        for an answer in the model's context, and for a pattern where the engine cannot hold answers to one.
        """
        ...

    def score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        """One result for each answer, in order; an answer beyond the context is NotScored, never cut."""
        ...

    def score_options(
        self, prompts: Sequence[Conversation], options: Sequence[str], advance: Advance
    ) -> list[OptionScore | NotScored]:
        """One result for each prompt, in order, from one forward pass each; nothing is generated.

        Raises BackendError for an option that is more than one token of the model, or the same token as another.
        """
        ...

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """Why no prompt with `room` tokens for an answer can be made of a conversation; None where one can."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Completion tokens of each text, the end-of-turn token included."""
        ...

    def holding(self, policy: Policy) -> "Backend":
        """A backend of the same settings that holds another policy."""
        ...

    def close(self) -> None:
        """Frees the model and its memory; a later call would load it again."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def refuse_pattern(sampling: Sampling) -> None:
    """What an engine that cannot hold answers to a pattern does first: raises BackendError if it is asked to."""
    if sampling.pattern is not None:
        raise BackendError(
            "this engine cannot hold an answer to a pattern: set backend=vllm, or judge.constrained=false"
        )
