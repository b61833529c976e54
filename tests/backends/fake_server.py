"""A small server that speaks the protocol of chat completions, and misbehaves by plan.

As a program it behaves: `python fake_server.py SECONDS` prints its address and replies after so many seconds.
"""

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Act:
    """What is done about one request: a status with a body, after `delay` seconds; `cut` leaves half of it out."""

    status: int = 200
    body: Any = None
    headers: tuple[str, ...] = ()
    delay: float = 0.0
    cut: bool = False


HANG = Act(delay=30.0)


def choice(text: str | None, finish: str | None = "stop", **more: Any) -> Body:
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish, **more}


def reply(*choices: Body, prompt_tokens: int = 10, completion_tokens: int = 4) -> Body:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return {"id": "x", "object": "chat.completion", "choices": list(choices), "usage": usage}


def says(text: str, finish: str = "stop", **more: Any) -> Act:
    return Act(body=reply(choice(text, finish), **more))


def listed(logprobs: dict[str, float], **more: Any) -> Act:
    """The first token's list of log-probabilities."""
    entries = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in logprobs.items()]
    return Act(
        body=reply(choice("x", "length", logprobs={"content": [{"token": "x", "top_logprobs": entries}]}), **more)
    )


def error(status: int, message: str, *headers: str, code: str | None = None) -> Act:
    return Act(status=status, body={"error": {"message": message, "code": code}}, headers=headers)


@dataclass
class FakeServer:
    """In a `with` block it runs in a thread. `plan` says what to do about a request for the n-th time (from 0).

    `asked` holds the bodies of all requests for a completion, `keys` the headers that came with them.
    """

    plan: Callable[[Body, int], Act] = lambda body, number: says("Score: 3")
    models: tuple[str, ...] = ("judge",)
    asked: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    url: str = ""
    _times: Counter[str] = field(default_factory=Counter)
    _at_once: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.serve(started.set))

    async def serve(self, started: Callable[[], object]) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answered(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the server stops
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; whether the connection stays open."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        act = self._act(lines[0].split()[1], json.loads(content or b"{}"), headers.get("authorization"))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(act.delay)
        finally:
            self._at_once -= 1
        writer.write(_written(act))
        await writer.drain()
        return not act.cut

    def _act(self, path: str, body: Body, key: str | None) -> Act:
        self.paths[path] += 1
        if path == "/v1/models":
            return Act(body={"object": "list", "data": [{"id": name} for name in self.models]})
        if path == "/tokenize":
            return Act(body={"tokens": _tokens(body)})
        if path != "/v1/chat/completions":
            return error(404, "Not Found")
        self.asked.append(body)
        self.keys.append(key)
        if body["model"] not in self.models:
            return error(404, f"The model `{body['model']}` does not exist.")
        name = json.dumps([body["messages"], body.get("seed")])
        self._times[name] += 1
        return self.plan(body, self._times[name] - 1)


def _tokens(body: Body) -> list[int]:
    """A letter a token, behind a mark for each turn's opening."""
    ids = [token for turn in body["messages"] for token in (1000, *turn["content"].encode(), 1001)]
    return [*ids, 1000] if body["add_generation_prompt"] else ids[:-1]


def _written(act: Act) -> bytes:
    body = act.body if isinstance(act.body, bytes) else json.dumps(act.body).encode()
    head = [f"HTTP/1.1 {act.status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *act.headers]
    return "\r\n".join([*head, "", ""]).encode() + (body[: len(body) // 2] if act.cut else body)


if __name__ == "__main__":
    behaving = FakeServer(plan=lambda body, number: Act(body=reply(choice("Score: 3")), delay=float(sys.argv[1])))
    asyncio.run(behaving.serve(lambda: print(behaving.url, flush=True)))
