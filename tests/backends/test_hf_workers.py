"""Several processes hold the model: nothing that they give depends on how many, and none outlives its master."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selfreward.backends.base import Answer, Request, Sampling
from selfreward.backends.device import most_workers, usable_threads
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.hf_workers import workers_of
from selfreward.errors import BackendError
from tests.tiny import ask, make_tiny_policy

PROMPTS = [ask(text * n) for n in range(1, 5) for text in ("hello ", "what is the name of it ", "why ")]
WORKERS = 2


def nothing(_done):
    """Progress that nobody watches."""


def asked_of(backend):
    """All that an engine can be asked for."""
    sampling = Sampling(k=3, temperature=0.9, top_p=1.0, max_new_tokens=8)
    greedy = Sampling(k=1, temperature=0.0, top_p=1.0, max_new_tokens=8)
    requests = [Request(prompts=PROMPTS, sampling=one, seed=4) for one in (sampling, greedy)]
    answers = [Answer(messages=messages, text="hello") for messages in PROMPTS]
    return (
        backend.generate_all(requests, nothing),
        backend.score(answers, nothing),
        backend.score_options(PROMPTS, ["1", "2"], nothing),
    )


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


def opened(policy, workers, **changes):
    settings = {"dtype": "float32", "device": "cpu", "batch_size": 6, "score_batch_tokens": 100} | changes
    return HfBackend(HfSpec(workers=workers, **settings), policy)


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(policy):
    with opened(policy, 1) as alone, opened(policy, WORKERS, threads=1) as shared:
        assert asked_of(shared) == asked_of(alone)
        assert alone.identity == shared.identity


def test_workers_that_were_started_before_do_the_work(policy):
    with opened(policy, WORKERS, threads=1) as shared:
        workers_of(WORKERS, 1).end()
        shared.load_ahead()
        started = workers_of(WORKERS, 1)._parent.pid
        shared.score_options(PROMPTS, ["1", "2"], nothing)
        assert workers_of(WORKERS, 1)._parent.pid == started
        assert len(children_of(started)) == WORKERS


def test_where_one_process_does_the_work_none_is_started(policy):
    opened(policy, 1, threads=3).load_ahead()
    assert workers_of(1, 3)._parent is None


def test_progress_counts_every_answer_once(policy):
    steps = []
    with opened(policy, WORKERS, threads=1) as shared:
        shared.generate(PROMPTS, Sampling(k=3, temperature=0.9, top_p=1.0, max_new_tokens=4), 1, steps.append)
    assert sum(steps) == 3 * len(PROMPTS)


@pytest.mark.slow
def test_a_worker_that_dies_is_one_line_and_the_next_call_starts_new_ones(policy):
    with opened(policy, WORKERS, threads=1) as shared:
        before = asked_of(shared)
        kill_workers()
        with pytest.raises(BackendError, match=r"was killed.* set backend\.workers=1") as caught:
            asked_of(shared)
        assert "\n" not in str(caught.value)
        assert asked_of(shared) == before


def test_workers_that_ended_are_not_missed_by_a_backend_that_is_done(policy):
    with opened(policy, WORKERS, threads=1) as shared:
        shared.score_options(PROMPTS, ["1", "2"], nothing)
        kill_workers()
    assert workers_of(WORKERS, 1)._parent is None


@pytest.mark.slow
def test_a_process_that_cannot_load_its_libraries_is_one_line(policy, monkeypatch):
    workers_of(WORKERS, 1).end()
    monkeypatch.setattr("selfreward.backends.hf_workers._START", "raise SystemExit(7)")
    with (
        opened(policy, WORKERS, threads=1) as shared,
        pytest.raises(BackendError, match="one of the 2 processes that hold the model ended with status 7"),
    ):
        asked_of(shared)


def kill_workers():
    """Kills one as the system would for want of memory, and waits until the others have been told."""
    parent = workers_of(WORKERS, 1)._parent
    os.kill(children_of(parent.pid)[0], signal.SIGKILL)
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)


def children_of(parent: int) -> list[int]:
    """The processes that a process has started, and that still run."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_a_model_that_cannot_be_loaded_is_told_by_its_error(policy, tmp_path):
    missing = make_tiny_policy(tmp_path)
    (missing.path / "model.safetensors").unlink()
    with pytest.raises(BackendError, match="safetensors"):
        asked_of(opened(missing, WORKERS, threads=1))


def test_a_model_that_cannot_be_loaded_ahead_is_told_by_the_first_call(policy, tmp_path):
    missing = make_tiny_policy(tmp_path)
    (missing.path / "model.safetensors").unlink()
    workers_of(WORKERS, 1).end()
    backend = opened(missing, WORKERS, threads=1)
    backend.load_ahead()
    with pytest.raises(BackendError, match="safetensors"):
        asked_of(backend)


@pytest.mark.slow
def test_no_worker_outlives_a_process_that_is_killed(policy, tmp_path):
    code = f"""
import os, time
from pathlib import Path
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.hf_workers import workers_of
from selfreward.policies import Policy
from selfreward.records import Message
policy = Policy(path=Path({str(policy.path)!r}), key="tiny", digest="tiny")
backend = HfBackend(HfSpec(dtype="float32", device="cpu", workers=2, threads=1), policy)
backend._ask_facts()
parent = workers_of(2, 1)._parent.pid
print(parent, Path(f"/proc/{{parent}}/task/{{parent}}/children").read_text(), flush=True)
time.sleep(600)
"""
    script = tmp_path / "master.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as master:
        pids = [int(pid) for pid in master.stdout.readline().split()]
        assert len(pids) == 3
        master.kill()
    until = time.monotonic() + 30
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < until, "a worker is still there"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_auto_is_two_workers_where_threads_and_memory_allow(tmp_path, monkeypatch):
    monkeypatch.setattr("selfreward.backends.device.memory_bytes", lambda: 9000)
    for threads, size, workers in ((4, 100, 2), (4, 1500, 2), (4, 1501, 1), (1, 100, 1), (4, 10**6, 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        (tmp_path / "model.safetensors").write_bytes(b"0" * size)
        assert usable_threads() == threads
        assert most_workers(tmp_path) == workers
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert usable_threads() == len(os.sched_getaffinity(0))
