"""Training in a process of its own gives what training in this one gives."""

from pathlib import Path

import pytest

from selfreward.artifacts.files import sha256_of
from selfreward.backends.device import resolve_device, resolve_dtype
from selfreward.errors import BackendError
from selfreward.records import Example, Message
from selfreward.updates import RftSpec, engine_of, run_update
from tests.tiny import make_tiny_policy

EXAMPLES = [
    Example(
        id=str(n),
        prompt_id=str(n),
        messages=(Message(role="user", content=f"Say {n}"),),
        text=f"hello {n}",
        origin="self",
        stratum="open",
        tokens=4,
        score=None,
        candidate_id=None,
        iteration=0,
    )
    for n in range(6)
]


def test_a_child_process_trains_the_same_policy(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "start")
    steps: list[int] = []
    results, weights = [], []
    for isolate in ("never", "always"):
        folder = tmp_path / isolate
        folder.mkdir()
        spec = RftSpec(device="cpu", trainable="full", batch_size=2, isolate=isolate)
        results.append(run_update(spec, policy, EXAMPLES, folder / "model", 3, steps.append))
        weights.append(sha256_of(folder / "model" / "model.safetensors"))
        assert sorted(path.name for path in folder.iterdir()) == ["model"], "the scratch folder is gone"
    assert results[0] == results[1]
    assert weights[0] == weights[1]
    assert sum(steps) >= 3


def test_a_child_that_fails_is_one_line(tmp_path: Path) -> None:
    policy = make_tiny_policy(tmp_path / "start")
    with pytest.raises(BackendError, match="training ended with status 1"):
        run_update(
            RftSpec(device="cpu", top_layers=99, isolate="always"), policy, EXAMPLES, tmp_path / "model", 3, print
        )


def test_where_it_trains_is_part_of_the_engine() -> None:
    engine = engine_of(RftSpec())
    assert engine["device"] == resolve_device("auto")
    assert engine["compute"] == resolve_dtype("auto", resolve_device("auto"))
    assert {"torch", "transformers", "trl", "peft"} <= engine.keys()
