"""A judge on vLLM's own server, beside the same weights held here."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from urllib.error import URLError

import pytest

from selfreward.backends import HfSpec, ServerSpec
from selfreward.backends.base import Completion, OptionScore, Sampling
from selfreward.errors import BackendError
from selfreward.policies import Policy
from tests.tiny import CONTEXT, ask, make_tiny_policy

pytestmark = [pytest.mark.vllm, pytest.mark.skipif(find_spec("vllm") is None, reason="run scripts/setup_vllm.sh")]
PROMPTS = [ask(text) for text in ("hello", "what is the name of it", "a", "why", "say it again, please")]
FLAGS = "--dtype float32 --no-enable-chunked-prefill --enforce-eager --host 127.0.0.1 --served-model-name tiny"
SECONDS = 240


def nothing(_: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"), extra_stops=[68, 220], head_size=32)


@pytest.fixture(scope="module")
def spec(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSpec]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    limits = ["--max-model-len", str(CONTEXT), "--max-num-batched-tokens", "2048", "--port", str(port)]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(policy.path)]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as said:
        server = subprocess.Popen(
            [*command, *FLAGS.split(), *limits],
            env=os.environ | settings,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield ServerSpec(
            model="tiny",
            urls=(f"http://127.0.0.1:{port}/v1",),
            key_env=None,
            options="token_ids",
            patterns="regex",
            timeout=60,
        )
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    for _ in range(SECONDS):
        assert server.poll() is None, log.read_text()[-2000:]
        with suppress(URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(1)
    raise AssertionError(f"no answer from {url}: {log.read_text()[-2000:]}")


def test_option_probabilities_are_those_of_the_weights(spec: ServerSpec, policy: Policy) -> None:
    options = ["x", "y", "0"]
    with spec.open(spec.endpoint) as served, HfSpec(dtype="float32", device="cpu", workers=1).open(policy) as held:
        found, wanted = (one.score_options(PROMPTS, options, nothing) for one in (served, held))
    for one, other in zip(found, wanted, strict=True):
        assert isinstance(one, OptionScore) and isinstance(other, OptionScore)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
        assert one.prompt_tokens == other.prompt_tokens


def test_two_hundred_replies_come_once_each_and_the_same_again_from_the_same_seed(spec: ServerSpec) -> None:
    sampling = Sampling(k=40, temperature=0.9, top_p=1.0, max_new_tokens=6)
    with spec.open(spec.endpoint) as served:
        drawn = served.generate_each(PROMPTS, sampling, 5, nothing)
        again = served.generate_each(PROMPTS, sampling, 5, nothing)
        assert served.spent is not None
        assert (served.spent.requests, served.spent.untold) == (400, 0)
    replies = list(chain.from_iterable(drawn))
    assert len(replies) == 200
    assert all(isinstance(one, Completion) and one.token_logprobs is None for one in replies)
    assert len({one.text for one in replies if isinstance(one, Completion)}) > 20
    assert again == drawn


def test_replies_hold_to_a_pattern(spec: ServerSpec) -> None:
    sampling = Sampling(k=2, temperature=1.0, top_p=1.0, max_new_tokens=24, pattern="Mark:[0-5]")
    with spec.open(spec.endpoint) as served:
        drawn = list(chain.from_iterable(served.generate_each(PROMPTS, sampling, 5, nothing)))
    texts = [one.text for one in drawn if isinstance(one, Completion) and one.finish == "stop"]
    assert len(texts) > 5
    assert all(re.fullmatch("Mark:[0-5]", text) for text in texts)


def test_a_prompt_that_is_too_long_is_one_row_and_a_model_that_is_not_there_is_told(spec: ServerSpec) -> None:
    sampling = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=4)
    with spec.open(spec.endpoint) as served:
        short, long = served.generate_each([PROMPTS[0], ask("x" * 2 * CONTEXT)], sampling, 5, nothing)
    assert isinstance(short[0], Completion)
    assert not isinstance(long[0], Completion)
    assert long[0].outcome == "truncated"
    absent = spec.model_copy(update={"model": "absent"})
    with absent.open(absent.endpoint) as served, pytest.raises(BackendError, match=r"absent.*tiny"):
        served.generate_each(PROMPTS[:1], sampling, 5, nothing)
