"""Judgments a second by a server at concurrency 16, beside the same requests sent by a bare script.

    python scripts/bench_server.py                                        # a server of our own, 20 ms a reply
    python scripts/bench_server.py --url http://127.0.0.1:8123/v1 --model smol --requests 200

Both send the same conversations through the package openai. Ours goes through the judge: prompts are made, replies are
read and checked, what is used is counted. The bare script sends and gathers.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from openai import AsyncOpenAI
from pairs import HEAD, Done, Wanted, in_turn, row, timed

from selfreward.__main__ import compose
from selfreward.backends import ServerSpec
from selfreward.backends.base import Conversation
from selfreward.backends.server import ServerBackend
from selfreward.config import validate
from selfreward.judges.base import Item, Means
from selfreward.judges.rubric import RubricSpec
from selfreward.records import make_prompt, undrawn

FAKE = Path(__file__).parent.parent / "tests/backends/fake_server.py"
CONCURRENCY = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a running server, up to its /v1; without it one is started")
    parser.add_argument("--model", default="judge")
    parser.add_argument("--key-env", default=None, help="the variable that holds the key")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=128, help="the most of a reply")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds, of the server that is started")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    with served(given.latency) if given.url is None else running(given.url) as url:
        judge = validate(
            compose(["judge=rubric", "rubric@judge.rubric=right_or_wrong", f"judge.max_new_tokens={given.tokens}"])
        ).judge
        assert isinstance(judge, RubricSpec)
        spec = ServerSpec(model=given.model, urls=(url,), key_env=given.key_env, concurrency=CONCURRENCY)
        items = made_items(given.requests)
        conversations = [judge.rubric.ask_about(prompt, one.text, explained=True) for prompt, one in items]
        with spec.open(spec.endpoint) as backend, asyncio.Runner() as runner:
            key = "none" if given.key_env is None else os.environ[given.key_env]
            client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0)

            def ours(number: int) -> Done:
                return timed(lambda: judged(judge, backend, items, number))

            def bare(number: int) -> Done:
                return timed(lambda: runner.run(sent(client, given.model, judge, conversations, number)))

            in_turn(ours, bare, 1)  # connections are made, modules are loaded
            found = in_turn(ours, bare, given.pairs)
            runner.run(client.close())
    what = f"{given.requests:,} judgments by a server, {CONCURRENCY} at once"
    print(HEAD, row(what, found, "judgment", Wanted(0.9), of_time=False), sep="\n")


def made_items(count: int) -> list[Item]:
    prompts = [make_prompt(f"What is {n} + 2?", system="", stratum="open", source="bench") for n in range(count)]
    return [(prompt, undrawn(f"c{n}", prompt.id, 0, f"It is {n}.")) for n, prompt in enumerate(prompts)]


def judged(judge: RubricSpec, backend: ServerBackend, items: list[Item], seed: int) -> float:
    judgments = judge.build(Means(policy=backend._policy, backend=backend)).ask(items, seed, lambda _: None)
    failed = [one for one in judgments if one.outcome == "failed"]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(judgments)} requests came to nothing: {failed[0].raw}")
    return len(judgments)


async def sent(
    client: AsyncOpenAI, model: str, judge: RubricSpec, conversations: list[Conversation], seed: int
) -> float:
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(messages: Conversation) -> str | None:
        async with gate:
            reply = await client.chat.completions.create(
                model=model,
                messages=cast(Any, [{"role": turn.role, "content": turn.content} for turn in messages]),
                temperature=judge.temperature,
                top_p=judge.top_p,
                max_tokens=judge.max_new_tokens,
                seed=seed,
            )
            return reply.choices[0].message.content

    return len(await asyncio.gather(*map(one, conversations)))


@contextmanager
def served(latency: float) -> Iterator[str]:
    with subprocess.Popen([sys.executable, str(FAKE), str(latency)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@contextmanager
def running(url: str) -> Iterator[str]:
    yield url


if __name__ == "__main__":
    main()
