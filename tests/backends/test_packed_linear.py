import pytest
import torch

from selfreward.backends.model_loading import load_model
from selfreward.backends.packed_linear import pack_linear
from tests.tiny import make_tiny_base, make_tiny_policy


def load(path, dtype="float32"):
    return load_model(path, dtype=dtype, device="cpu", trust_remote_code=False)


def logits(model, rows):
    with torch.inference_mode():
        return model(torch.arange(rows * 6).reshape(rows, 6) % 20).logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_a_packed_model_computes_what_it_did(tmp_path, tied, dtype, rounding):
    folder = tmp_path / "base"
    make_tiny_base(folder, tied=tied)
    plain, packed = load(folder, dtype), load(folder, dtype)
    pack_linear(packed)
    for rows in (1, 4, 40):
        assert torch.allclose(logits(packed, rows), logits(plain, rows), atol=rounding)


def test_the_memory_of_what_was_packed_is_given_up_and_an_embedding_stays(tmp_path):
    folder = tmp_path / "base"
    make_tiny_base(folder, tied=True)
    model = load(folder, "bfloat16")
    pack_linear(model)
    inner = [part for part in model.base_model.modules() if isinstance(part, torch.nn.Linear)]
    assert inner and all(part.weight.untyped_storage().size() == 0 for part in inner)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.get_input_embeddings().weight.float().norm() > 0


def test_a_torch_without_the_operator_multiplies_as_ever(tmp_path, monkeypatch):
    policy = make_tiny_policy(tmp_path)
    model = load(policy.path)
    before = logits(model, 2)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    pack_linear(model)
    assert not any("forward" in vars(part) for part in model.modules())
    assert torch.equal(logits(model, 2), before)
