"""The engine of a small server, asked by tests."""

from typing import Any

from selfreward.backends import ServerSpec
from selfreward.backends.base import Prompts, Reply, Sampling
from selfreward.backends.server import ServerBackend
from selfreward.records import Message
from tests.backends.fake_server import Body, FakeServer

SAMPLING = Sampling(k=1, temperature=0.7, top_p=0.9, max_new_tokens=8)


def prompts(*texts: str) -> Prompts:
    return [(Message(role="user", content=text),) for text in texts]


def opened(server: FakeServer, **settings: Any) -> ServerBackend:
    quick = {"urls": [server.url], "key_env": None, "tries": 3, "backoff": 0.001, "timeout": 5.0}
    spec = ServerSpec(model="judge", **(quick | settings))
    return spec.open(spec.endpoint)


def ask(server: FakeServer, *texts: str, sampling: Sampling = SAMPLING, seed: int = 0, **settings: Any) -> list[Reply]:
    with opened(server, **settings) as backend:
        drawn = backend.generate_each(prompts(*texts), sampling, seed, lambda _: None)
    return [one for replies in drawn for one in replies]


def text_of(body: Body) -> str:
    return body["messages"][-1]["content"]
