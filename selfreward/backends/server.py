"""An OpenAI-compatible server as an engine for judges: it draws replies, and gives the probabilities of options."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.abilities import Ability, EngineSpec
from selfreward.backends.base import (
    Advance,
    Backend,
    Completion,
    Conversation,
    NotScored,
    OptionScores,
    Prompts,
    Reply,
    Request,
    Sampling,
    Spent,
    Unfit,
)
from selfreward.backends.server_budget import BudgetSpec, Ledger, PriceSpec, at_most, ledger_of
from selfreward.backends.server_calls import Body, Calls, CallSpec
from selfreward.backends.server_replies import TOP, completion_in, option_score_in
from selfreward.errors import BackendError
from selfreward.policies import Endpoint, Judging
from selfreward.records import digest_of
from selfreward.spec import execution

Result = TypeVar("Result")


class ServerSpec(CallSpec, EngineSpec):
    """`model` is the name it is served by; `revision` is yours, to change when what is behind the name changes.

    `options` says how the probabilities of options are had: `top_logprobs`, the 20 likeliest tokens, where one that is
    not listed is missing; `token_ids`, of exactly the options' tokens, which vLLM gives; or not at all. `patterns` says
    whether the server holds replies to a regular expression, as vLLM does. `length_name` is what it calls the most
    tokens of a reply. A server may end over a seed, or not know one: then `send_seed` is false.
    """

    kind: Literal["server"] = "server"
    model: str = Field(min_length=1)
    revision: str | None = None
    options: Literal["top_logprobs", "token_ids", "none"] = "top_logprobs"
    patterns: Literal["regex", "none"] = "none"
    send_seed: bool = True
    length_name: Literal["max_tokens", "max_completion_tokens"] = execution("max_tokens")
    budget: BudgetSpec = execution(BudgetSpec())
    price: PriceSpec = execution(PriceSpec())

    @model_validator(mode="after")
    def _knows_what_it_costs(self) -> "ServerSpec":
        if self.budget.cost is not None and None in (self.price.prompt, self.price.completion):
            raise ValueError(
                f"budget.cost={self.budget.cost:g} without prices: set price.prompt and price.completion, of a million "
                "tokens"
            )
        return self

    @property
    def endpoint(self) -> Endpoint:
        """What judges."""
        return Endpoint(model=self.model, revision=self.revision)

    could: ClassVar[frozenset[Ability]] = frozenset({"draw", "score_options", "patterns"})

    @property
    def can(self) -> frozenset[Ability]:
        """It draws; the rest is what the settings say of the server."""
        lacks = {"score_options": self.options == "none", "patterns": self.patterns == "none"}
        return frozenset(ability for ability in self.could if not lacks.get(ability, False))

    def open(self, policy: Judging) -> "ServerBackend":
        """The engine of an endpoint; nothing is asked, and no key looked for, until a stage needs it."""
        assert isinstance(policy, Endpoint)
        return ServerBackend(self, policy)


class ServerBackend(Backend):
    """A `Backend` that sends every reply's request by itself, `concurrency` at a time.

    A reply has a seed of its own, made of the call's seed, the conversation and the reply's index; whether the server
    draws the same from it again is the server's to say, so nothing here is promised to be repeatable.
    """

    _spec: ServerSpec
    _policy: Endpoint

    def __init__(self, spec: ServerSpec, policy: Endpoint) -> None:
        super().__init__(spec, policy)
        of_the_run = ledger_of(policy.model, spec.urls, spec.budget, spec.price)
        self._ledger = Ledger(BudgetSpec(), spec.price, within=of_the_run)
        self._opened: tuple[asyncio.Runner, Calls] | None = None
        self._ids: dict[tuple[str, ...], list[int]] = {}

    @property
    def identity(self) -> Mapping[str, str | int | float | bool]:
        """What is asked there and how, and that its draws are not repeatable; never where."""
        return {
            "kind": "server",
            "model": self._policy.model,
            "revision": self._policy.revision or "not declared",
            "options": self._spec.options,
            "patterns": self._spec.patterns,
            "send_seed": self._spec.send_seed,
            "repeatable": False,
        }

    @property
    def spent(self) -> Spent:
        """What it has used since it was opened; the budget is of all engines of the process that ask the same."""
        return self._ledger.spent

    def why_unfit(self, messages: Conversation, room: int = 1) -> Unfit | None:
        """None: only the server knows its template and context; a reply that it refuses for that says so."""
        return None

    def close(self) -> None:
        """Ends all connections; a later call makes new ones."""
        if self._opened is not None:
            (runner, calls), self._opened = self._opened, None
            with runner:
                runner.run(calls.close())

    def generate_each(self, prompts: Prompts, sampling: Sampling, seed: int, advance: Advance) -> list[Sequence[Reply]]:
        """`sampling.k` for each prompt; NotScored where its tries came to nothing, or the server refused it.

        Raises BackendError where no request can succeed, and where a budget ends.
        """
        request = Request(prompts=prompts, sampling=sampling, seed=seed)
        self._check_asked([request])
        seen: Counter[str] = Counter()
        jobs = []
        for messages in prompts:
            name = digest_of([(one.role, one.content) for one in messages])
            seen[name] += 1
            for index in range(sampling.k):
                own = derive_seed(seed, name, seen[name], index) >> 1  # a signed number of 32 bits, as some want it
                jobs.append(partial(self._draw, messages, sampling, own))
        found = iter(self._all(jobs, advance))
        drawn: list[Sequence[Reply]] = [[next(found) for _ in range(sampling.k)] for _ in prompts]
        self._check_drawn(request, drawn)
        return drawn

    def _generate(self, requests: Sequence[Request], advance: Advance) -> list[list[list[Completion]]]:
        """All of them. Raises BackendError with the reason of the first that is missing."""
        drawn = []
        for one in requests:
            answers = []
            for replies in self.generate_each(one.prompts, one.sampling, one.seed, advance):
                missing = next((reply for reply in replies if isinstance(reply, NotScored)), None)
                if missing is not None:
                    raise BackendError(f"{self._policy.model} gave no answer ({missing.reason})")
                answers.append([reply for reply in replies if isinstance(reply, Completion)])
            drawn.append(answers)
        return drawn

    def _score_options(self, prompts: Prompts, options: Sequence[str], advance: Advance) -> OptionScores:
        if self._spec.options == "none":
            raise BackendError("judge.backend.options=none gives no probabilities: set top_logprobs or token_ids")
        ids, how = None, Body(top_logprobs=TOP)
        if self._spec.options == "token_ids":
            ids = self._token_ids(tuple(options))
            how = Body(logprob_token_ids=ids, return_tokens_as_token_ids=True)
        read = partial(option_score_in, options=options, ids=ids)
        # Where a server applies the temperature before it tells probabilities, 1 leaves them as they are.
        body = {"logprobs": True, "temperature": 1.0, "top_p": 1.0, self._spec.length_name: 1, **how}

        async def score(messages: Conversation, calls: Calls) -> Any:
            return await calls.ask(_turns(messages) | body, at_most(messages, 1), read)

        return self._all([partial(score, messages) for messages in prompts], advance)

    def _token_ids(self, options: tuple[str, ...]) -> list[int]:
        """The token that each option is as the first of an answer. Raises BackendError where it is not one token."""
        if options not in self._ids:
            self._ids[options] = self._all([partial(_option_ids, options)], lambda _: None)[0]
        return self._ids[options]

    async def _draw(self, messages: Conversation, sampling: Sampling, seed: int, calls: Calls) -> Reply:
        body = _turns(messages) | {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._spec.length_name: sampling.max_new_tokens,
        }
        if self._spec.send_seed:
            body["seed"] = seed
        if sampling.pattern is not None:
            body["structured_outputs"] = {"regex": sampling.pattern}
        read = partial(
            completion_in,
            limit=sampling.max_new_tokens,
            length_name=self._spec.length_name,
            pattern=sampling.pattern,
        )
        return await calls.ask(body, at_most(messages, sampling.max_new_tokens), read)

    def _all(self, jobs: Sequence[Callable[[Calls], Awaitable[Result]]], advance: Advance) -> list[Result]:
        """What each job gives, in order; the first error ends them all."""
        if not jobs:
            return []
        self._ledger.check_room(len(jobs))
        if self._opened is None:
            self._opened = asyncio.Runner(), Calls(self._spec, self._policy.model, self._ledger)
        runner, calls = self._opened
        return runner.run(_in_turn(jobs, calls, self._spec.concurrency, advance))


async def _in_turn(
    jobs: Sequence[Callable[[Calls], Awaitable[Result]]], calls: Calls, concurrency: int, advance: Advance
) -> list[Result]:
    results: dict[int, Result] = {}
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        for place, job in waiting:
            results[place] = await job(calls)
            advance(1)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(concurrency, len(jobs))):
                workers.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [results[place] for place in range(len(jobs))]


async def _option_ids(options: Sequence[str], calls: Calls) -> list[int]:
    """As vLLM's own template and tokenizer have them, behind the opening of an answer."""
    asked = [{"role": "user", "content": "?"}]
    prompt = await calls.tokens({"messages": asked, "add_generation_prompt": True})
    ids = []
    for option in options:
        turns = [*asked, {"role": "assistant", "content": option}]
        flags = {"add_generation_prompt": False, "continue_final_message": True}
        whole = await calls.tokens({"messages": turns, **flags})
        if whole[: len(prompt)] != prompt or len(whole) != len(prompt) + 1:
            raise BackendError(
                f"{option!r} is not one token at the start of an answer of this model, an option must be: set "
                "judge.method=sampled, or judge.backend.options=top_logprobs"
            )
        ids.append(whole[-1])
    if len({*ids}) < len(ids):
        raise BackendError(f"two of the options {', '.join(options)} are the same token to this model: choose others")
    return ids


def _turns(messages: Conversation) -> Body:
    return {"messages": [{"role": one.role, "content": one.content} for one in messages]}
