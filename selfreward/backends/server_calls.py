"""One request to a server: at which address, how often it is tried, and what comes of it."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import PositiveInt, field_validator

from selfreward.backends.base import NotScored
from selfreward.backends.one_line import one_line, plain
from selfreward.backends.server_budget import Ledger, Used
from selfreward.backends.server_failures import Failure, failure_of
from selfreward.backends.server_replies import BadReply, body_of, used_in
from selfreward.errors import BackendError
from selfreward.spec import Spec, execution

_LONGEST_WAIT_S = 30.0
_REST_S = 30.0
_MISSES = 3
_IN_A_ROW = 8
_SHOWN = 10
_HIDDEN = "[key]"
Result = TypeVar("Result")
Body = dict[str, Any]


class CallSpec(Spec):
    """How a server is called: at which `urls`, each with its /v1, and with the key in the variable `key_env`, if any.

    `concurrency` requests are under way at once, over all addresses. A try may take `timeout` seconds, and there are
    `tries` of them; before the second the wait is `backoff` seconds, less some of it at random, and doubles from then
    on.
    """

    urls: tuple[str, ...] = execution(("http://127.0.0.1:8000/v1",), min_length=1)
    key_env: str | None = execution("OPENAI_API_KEY", pattern=r"^[A-Z_][A-Z0-9_]*$")
    concurrency: int = execution(16, gt=0, le=1024)
    timeout: float = execution(120.0, gt=0, le=86400)
    tries: PositiveInt = execution(6)
    backoff: float = execution(0.5, ge=0, le=60)

    @field_validator("urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("an address is like http://127.0.0.1:8000/v1")
            if parts.username or parts.password or parts.query or parts.fragment:
                raise ValueError("no user, key or query in an address: a key comes from the variable key_env alone")
        return urls


@dataclass(slots=True)
class _Place:
    """One address: requests under way, tries without an answer in a row, and until when it is left alone."""

    url: str
    client: Any
    under_way: int = 0
    misses: int = 0
    rests_until: float = 0.0
    pauses_until: float = 0.0


class Calls:
    """Sends requests for one model; it is used in one event loop."""

    def __init__(self, spec: CallSpec, model: str, ledger: Ledger) -> None:
        """Connects to nothing. Raises BackendError where the key or the package openai is missing."""
        if find_spec("openai") is None:
            raise BackendError("backend=server needs the package openai: pip install 'selfreward[server]'")
        import openai

        self._spec, self._model, self._ledger = spec, model, ledger
        self._key = _key_in(spec.key_env)
        # Without a word in its place the client would look for a key by itself.
        client = partial(openai.AsyncOpenAI, api_key=self._key or "none", max_retries=0, timeout=spec.timeout)
        self._places = [_Place(url, client(base_url=url)) for url in spec.urls]
        self._answered = False
        self._failed_in_a_row = 0
        self._freed = asyncio.Event()

    async def close(self) -> None:
        """Ends all connections."""
        for place in self._places:
            await place.client.close()

    async def ask(self, body: Body, most: Used, read: Callable[[Body, Used], Result | NotScored]) -> Result | NotScored:
        """What `read` makes of the reply to a request of at most so many tokens, or why there is nothing to read.

        Raises BackendError where no other request would fare better, and where the budget ends.
        """
        import openai

        wait = 0.0
        for number in range(1, self._spec.tries + 1):
            place = self._next_place()
            await self._wait(place, wait)
            try:
                result = await self._try(place, body, most, read, again=number > 1)
            except (openai.OpenAIError, BadReply, TimeoutError) as error:
                failure = failure_of(error, self._spec.key_env)
            else:
                place.misses = self._failed_in_a_row = 0
                self._answered = True
                return result
            wait = self._backoff(number)
            await self._note(place, failure, wait)
            if failure.follows == "leave_it":
                break
        return self._given_up(failure, number)

    async def tokens(self, body: Body) -> list[int]:
        """The tokens of a conversation by vLLM's /tokenize, which knows the template. Raises BackendError without."""
        import openai

        told = ""
        for place in self._places:
            try:
                content = await self._post(place, place.url.rstrip("/").removesuffix("/v1") + "/tokenize", body)
                return [int(one) for one in body_of(content)["tokens"]]
            except (openai.OpenAIError, BadReply, TimeoutError, LookupError, TypeError, ValueError) as error:
                told = self._hide(one_line(error))
        raise BackendError(
            f"judge.backend.options=token_ids asks {', '.join(self._spec.urls)} for tokens by vLLM's /tokenize "
            f"({told}): set judge.backend.options=top_logprobs"
        )

    async def _post(self, place: _Place, path: str, body: Body) -> bytes:
        """The body of the reply, in which a key that is echoed is made unreadable."""
        import httpx2

        async with asyncio.timeout(self._spec.timeout):
            response = await place.client.post(path, body={"model": self._model, **body}, cast_to=httpx2.Response)
        content: bytes = response.content
        return content if self._key is None else content.replace(self._key.encode(), _HIDDEN.encode())

    async def _try(
        self,
        place: _Place,
        body: Body,
        most: Used,
        read: Callable[[Body, Used], Result | NotScored],
        *,
        again: bool,
    ) -> Result | NotScored:
        import openai

        while not self._ledger.hold(most, again=again):
            self._freed.clear()
            await self._freed.wait()
        told = None
        place.under_way += 1
        try:
            reply = body_of(await self._post(place, "/chat/completions", body))
            told = used_in(reply)
            return read(reply, told)
        except openai.OpenAIError as error:
            told = Used() if failure_of(error, None).free else None
            raise
        finally:
            place.under_way -= 1
            self._ledger.settle(most, told)
            self._freed.set()

    def _next_place(self) -> _Place:
        """The address with the fewest requests, of those that answer and did not ask to be left alone."""
        now = time.monotonic()
        return min(self._places, key=lambda one: (one.rests_until > now, one.pauses_until > now, one.under_way))

    def _backoff(self, tries: int) -> float:
        """Seconds to wait after so many tries; half of it is random, so that not all come at once."""
        longest = min(self._spec.backoff * 2 ** min(tries - 1, 16), _LONGEST_WAIT_S)
        return random.uniform(longest / 2, longest)

    async def _wait(self, place: _Place, seconds: float) -> None:
        """Waits so long, and longer where the address is to be left alone."""
        pause = place.pauses_until - time.monotonic()
        if pause > seconds:
            seconds = pause + random.uniform(0, self._spec.backoff)
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _note(self, place: _Place, failure: Failure, wait: float) -> None:
        """Remembers how long to leave an address alone, and that it is dead. Raises BackendError for what ends all."""
        if failure.follows == "stop":
            raise BackendError(f"{place.url}: {self._hide(failure.reason)}")
        if failure.follows == "name_models":
            raise await self._no_such_model(place, failure)
        if failure.busy:  # whoever else asks there waits as well, so that fewer are refused
            pause = wait if failure.pause is None else failure.pause
            place.pauses_until = max(place.pauses_until, time.monotonic() + pause)
        place.misses = place.misses + 1 if failure.unreachable else 0
        if place.misses >= _MISSES and len(self._places) > 1:
            if not place.rests_until:
                others = f"the other {len(self._places) - 1}"
                print(f"  {place.url}: {self._hide(failure.reason)}; {others} of urls are asked", file=sys.stderr)
            place.rests_until = time.monotonic() + _REST_S

    async def _no_such_model(self, place: _Place, failure: Failure) -> BackendError:
        import httpx2
        import openai

        told = self._hide(failure.reason)
        try:
            listed = body_of((await place.client.get("/models", cast_to=httpx2.Response)).content)
            names = [plain(str(one["id"])) for one in listed["data"]]
        except (openai.OpenAIError, BadReply, LookupError, TypeError):
            names = []
        if not names:
            return BackendError(f"nothing to ask at {place.url} ({told}): set judge.backend.urls, each up to its /v1")
        shown = self._hide(", ".join(names[:_SHOWN])) + (
            f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        )
        return BackendError(
            f"there is no model {self._model!r} at {place.url} ({told}): set judge.backend.model to one of {shown}"
        )

    def _given_up(self, failure: Failure, tries: int) -> NotScored:
        """The row of a request that came to nothing. Raises BackendError where one after another does."""
        reason = self._hide(failure.reason) + (f" ({tries} tries)" if tries > 1 else "")
        if failure.outcome != "failed":
            self._failed_in_a_row = 0
        else:
            self._failed_in_a_row += 1
            if failure.unreachable and not self._answered:
                raise BackendError(
                    f"{', '.join(self._spec.urls)}: {reason}: start the server, or set judge.backend.urls"
                )
            if self._failed_in_a_row >= _IN_A_ROW:
                raise BackendError(
                    f"{self._failed_in_a_row} requests failed one after another, the last with: {reason}. What is "
                    "finished is kept: mend that and run the same command again"
                )
        return NotScored(outcome=failure.outcome, reason=reason)

    def _hide(self, text: str) -> str:
        return text if self._key is None else text.replace(self._key, _HIDDEN)


def _key_in(variable: str | None) -> str | None:
    """The key that a variable of the environment holds; None where none is wanted. Raises BackendError without one."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise BackendError(
            f"there is no key in {variable}: type `export {variable}=...`, or set judge.backend.key_env=null for a "
            "server that wants none"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BackendError(f"what {variable} holds is no key: export it without spaces and line breaks")
    return key
