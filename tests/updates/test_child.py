"""Training in a process of its own gives what training in this one gives."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.backends.device import resolve_device, resolve_dtype
from selfreward.errors import BackendError, StarvedLoop
from selfreward.updates import DpoSpec, RftSpec
from selfreward.updates.base import Task
from selfreward.updates.reward import RewardJob, RewardSpec
from selfreward.updates.training_process import run_job, run_update, timed
from tests.tiny import make_example, make_pair, make_tiny_policy

PAIRS = [make_pair(n) for n in range(6)]
SPEC = DpoSpec(device="cpu", trainable="full", batch_size=2)


@pytest.mark.slow
def test_a_child_process_trains_the_same_policy(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "start")
    steps: list[int] = []
    results, weights = [], []
    for isolate in ("never", "always"):
        folder = tmp_path / isolate
        folder.mkdir()
        spec = SPEC.model_copy(update={"isolate": isolate})
        task = Task(policy=policy, reference=policy, rows=PAIRS, out=folder / "model", seed=3)
        results.append(run_update(spec, task, steps.append))
        weights.append(sha256_of(folder / "model" / "model.safetensors"))
        assert sorted(path.name for path in folder.iterdir()) == ["model"], "the scratch folder is gone"
    assert results[0] == results[1]
    assert weights[0] == weights[1]
    assert sum(steps) >= 3


@pytest.mark.slow
def test_a_child_process_trains_the_same_reward_model_and_tells_of_every_step(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "start")
    pairs = [replace(make_pair(n), label=0.9) for n in range(6)]
    results, told = [], []
    for isolate in ("never", "always"):
        (tmp_path / isolate).mkdir()
        spec = RewardSpec(device="cpu", trainable="full", batch_size=2, isolate=isolate)
        job = RewardJob(spec=spec, policy=policy, pairs=pairs, out=tmp_path / isolate / "model-1", seed=3)
        steps: list[int] = []
        results.append((run_job(job, steps.append), sha256_of(job.out / "model.safetensors")))
        told.append(steps)
    assert results[0] == results[1]
    assert told == [[1, 1, 1], [1, 1, 1]]


def test_what_is_wrong_in_a_child_is_what_would_be_wrong_here(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_tiny_policy(tmp_path / "policy")
    spec = RftSpec(device="cpu", isolate="always", max_tokens=1)
    task = Task(policy=policy, reference=None, rows=[make_example(0)], out=tmp_path / "model", seed=3)
    with pytest.raises(StarvedLoop, match="all 1 are longer than update.max_tokens=1"):
        run_update(spec, task, print)
    assert "Traceback" not in capfd.readouterr().err
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BackendError, match="training ended with status 1"):
        run_update(spec, task, print)


@pytest.mark.parametrize(
    ("a_step", "said"), [(10.0, ["the 8 steps that are left will take about 1.3 minutes"]), (3.0, [])]
)
def test_a_long_training_says_once_how_long_it_will_take(
    monkeypatch: pytest.MonkeyPatch, a_step: float, said: list[str]
) -> None:
    clock, lines, steps = [0.0], list[str](), list[int]()
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    tell = timed(lambda step, _: steps.append(step), lines.append)
    for step in range(1, 11):
        clock[0] += a_step
        tell(step, 10)
    assert (lines, steps) == (said, [*range(1, 11)])


def test_where_it_trains_is_part_of_the_engine() -> None:
    engine = RftSpec().engine()
    assert engine["device"] == resolve_device("auto")
    assert engine["compute"] == resolve_dtype("auto", resolve_device("auto"))
    assert {"torch", "transformers", "trl", "peft"} <= engine.keys()
