"""What every engine that works on tokens does alike, before the model and after it: limits, rows, answers."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from selfreward.backends.abilities import EngineSpec
from selfreward.backends.base import (
    Advance,
    Answer,
    Backend,
    Completion,
    Conversation,
    NotScored,
    OptionScore,
    OptionScores,
    Prompts,
    Request,
    Sampling,
    TextScore,
    Unfit,
)
from selfreward.backends.chat import (
    Chat,
    answer_tokens,
    completion_of,
    option_tokens,
    render_prompt,
    render_user_turn,
    stop_ids,
)
from selfreward.backends.model_loading import context_length, load_chat, load_configs
from selfreward.backends.shared_prefixes import Row
from selfreward.backends.user_turn import user_turn_of
from selfreward.errors import BackendError
from selfreward.policies import Policy
from selfreward.thought import split_thought

Draw = tuple[Sequence[int], Sequence[float]]
"""Tokens drawn after a prompt and the log-probability of each, at temperature 1; padding may follow a stop token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A `Request` whose prompts are token ids."""

    prompts: list[list[int]]
    sampling: Sampling
    seed: int


class TokenEngineSpec(EngineSpec):
    """Settings of an engine that loads model folders; `trust_remote_code` lets the code that a model brings run."""

    trust_remote_code: bool = False

    @property
    def trusts(self) -> bool:
        """As it is set."""
        return self.trust_remote_code


class TokenBackend(Backend):
    """A `Backend` around an engine that draws and scores tokens.

    The text of an answer is what its tokens decode to, without control tokens and without white space at its ends,
    so that sampling, scoring and training agree on what the answer is. Its `tokens` and `logprob` are those of the
    tokens drawn: they differ from `score` of the text where it is `respelled`.
    """

    _policy: Policy
    _most_tokens: int | None = None

    @abstractmethod
    def _draw(self, requests: Sequence[TokenRequest], advance: Advance) -> list[list[list[Draw]]]:
        """For each request `sampling.k` draws after each of its prompts, in order."""

    @abstractmethod
    def _answer_logprobs(self, rows: list[Row], advance: Advance) -> list[list[float]]:
        """The log-probability of each token of each completion, none of which is empty, after its prompt."""

    @abstractmethod
    def _first_logprobs(self, prompts: list[list[int]], wanted: list[int], advance: Advance) -> list[list[float]]:
        """The log-probability of each `wanted` token right after each prompt."""

    @cached_property
    def _chat(self) -> Chat:
        return load_chat(self._policy.path, trust_remote_code=self._spec.trust_remote_code)

    @cached_property
    def _limit(self) -> int | None:
        """How many tokens prompt and answer may have together; None where nothing limits them."""
        config, _ = load_configs(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        return min((one for one in (context_length(config), self._most_tokens) if one is not None), default=None)

    @cached_property
    def _stops(self) -> list[int]:
        """The tokens that end an answer."""
        _, generation = load_configs(self._policy.path, trust_remote_code=self._spec.trust_remote_code)
        return stop_ids(self._chat, generation)

    @cached_property
    def _closing(self) -> str:
        """What the template writes behind a user turn."""
        return render_user_turn(self._chat, ())[1]

    def _generate(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]:
        asked = [self._rendered(one) for one in requests]
        drawn = self._draw(asked, advance)
        return [
            [
                [self._read(request.opens, prompt, draw) for draw in draws]
                for prompt, draws in zip(one.prompts, own, strict=True)
            ]
            for request, one, own in zip(requests, asked, drawn, strict=True)
        ]

    def _read(self, opens: str, prompt: list[int], draw: Draw) -> Completion:
        if opens == "assistant":
            return completion_of(self._chat, prompt, *draw, self._stops)
        return user_turn_of(self._chat, len(prompt), self._closing, *draw, self._stops)

    def _rendered(self, request: Request) -> TokenRequest:
        k = request.sampling.k
        if request.sampling.temperature == 0 and k > 1:
            raise BackendError(f"temperature 0 would draw {k} equal answers: set k=1, or a temperature")
        if request.opens == "user":
            rows = [render_user_turn(self._chat, messages)[0] for messages in request.prompts]
        else:
            rows = [render_prompt(self._chat, messages) for messages in request.prompts]
        self._check_room(request.prompts, rows, request.sampling.max_new_tokens)
        return TokenRequest(prompts=rows, sampling=request.sampling, seed=request.seed)

    def _check_room(self, prompts: Prompts, rows: list[list[int]], most: int) -> None:
        """Raises BackendError for a prompt that leaves no room for an answer of `most` tokens."""
        longest, limit = max(map(len, rows), default=0), self._limit
        if limit is None or longest + most <= limit:
            return
        lower = f" or set max_new_tokens to at most {limit - longest}" if longest < limit else ""
        messages = next(messages for messages, row in zip(prompts, rows, strict=True) if len(row) == longest)
        said = messages[-1].content if messages else ""
        raise BackendError(
            f"a prompt of {longest} tokens ({said[:60]!r} ...) and max_new_tokens={most} exceed the model's {limit} "
            f"tokens: shorten the prompt{lower}"
        )

    def _score(self, answers: Sequence[Answer], advance: Advance) -> list[TextScore | NotScored]:
        rows: list[Row] = []
        for answer in answers:
            tokens = answer_tokens(self._chat, answer.text, ended=answer.ended, thought=answer.thought)
            rows.append(([*render_prompt(self._chat, answer.messages), *tokens.lead], tokens.completion))
        fits = [self._limit is None or len(prompt) + len(completion) <= self._limit for prompt, completion in rows]
        asked = [row for row, fit in zip(rows, fits, strict=True) if fit and row[1]]
        advance(len(rows) - len(asked))
        found = iter(self._answer_logprobs(asked, advance))
        return [
            _text_score(next(found) if completion else [], len(completion), len(prompt))
            if fit
            else self._truncated(f"prompt and answer have {len(prompt) + len(completion)}")
            for (prompt, completion), fit in zip(rows, fits, strict=True)
        ]

    def _score_options(self, prompts: Prompts, options: Sequence[str], advance: Advance) -> OptionScores:
        lead, wanted = option_tokens(self._chat, options)
        rows = [[*render_prompt(self._chat, messages), *lead] for messages in prompts]
        fits = [self._limit is None or len(row) < self._limit for row in rows]
        asked = [row for row, fit in zip(rows, fits, strict=True) if fit]
        advance(len(rows) - len(asked))
        found = iter(self._first_logprobs(asked, wanted, advance))
        return [
            OptionScore(logprobs=tuple(next(found)), prompt_tokens=len(row))
            if fit
            else self._truncated(f"the prompt has {len(row)}")
            for row, fit in zip(rows, fits, strict=True)
        ]

    def _truncated(self, what: str) -> NotScored:
        return NotScored(outcome="truncated", reason=f"{what} tokens, the model's context holds {self._limit}")

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """See `Backend`."""
        try:
            length = len(render_prompt(self._chat, messages))
        except BackendError as error:
            return Unfit("refused_by_the_template", str(error))
        if self._limit is None or length + room <= self._limit:
            return None
        told = f"its {length} tokens leave no room for an answer of {room} in the model's {self._limit}"
        return Unfit("prompt_too_long", told)

    def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        split = [split_thought(text) for text in texts]
        return [len(answer_tokens(self._chat, text, ended=True, thought=thought).completion) for thought, text in split]


def _text_score(logprobs: Sequence[float], tokens: int, prompt_tokens: int) -> TextScore:
    told = tuple(logprobs)
    return TextScore(logprob=sum(told, 0.0), tokens=tokens, prompt_tokens=prompt_tokens, token_logprobs=told)
