"""Rows of new tokens are trained beside whatever is frozen, and nothing else of the embeddings moves."""

from pathlib import Path

import pytest
import torch

from selfreward.data.base_model import policy_to_teach
from selfreward.data.models import HfModel
from selfreward.policies import Policy
from selfreward.updates import Training
from selfreward.updates.rft import RftSpec, train_rft
from tests.tiny import make_example, make_tiny_base, read_rows


def train(policy: Policy, out: Path, **how: object) -> Training:
    told = {"learning_rate": 1e-2, "batch_size": 4, "compute": "float32", "device": "cpu", "top_layers": 1, **how}
    spec = RftSpec.model_validate(told)
    examples = [make_example(number) for number in range(4)]
    return train_rft(spec, policy, examples, out, out.with_name("scratch"), 0, lambda _step, _steps: None)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("trainable", ["top_layers", "lora", "full"])
def test_new_rows_are_trained_and_others_stay_where_they_are_frozen(tmp_path: Path, tied: bool, trainable: str) -> None:
    base = make_tiny_base(tmp_path / "base", tied=tied)
    policy = policy_to_teach(HfModel(path=base, chat_template="chatml"), (), tmp_path / "store")
    seen = train(policy, tmp_path / "out", trainable=trainable)
    before, after = read_rows(policy.path), read_rows(tmp_path / "out")
    assert set(after) == set(before), "tied weights stay tied"
    for name, rows in after.items():
        assert torch.equal(rows[:257], before[name][:257]) == (trainable != "full")
        moved = (rows[257:] != before[name][257:]).any(dim=1)
        assert moved.tolist() == [True, True]
    if trainable == "top_layers":
        plain = policy_to_teach(HfModel(path=base, chat_template="plain"), (), tmp_path / "store")
        without = train(plain, tmp_path / "plain", trainable=trainable)
        assert without.trainable_parameters is not None
        assert seen.trainable_parameters == without.trainable_parameters + 2 * 32 * (1 if tied else 2)
        rows = read_rows(tmp_path / "plain")
        assert all(torch.equal(rows[name], one) for name, one in read_rows(plain.path).items())
