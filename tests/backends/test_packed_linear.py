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


def test_a_model_that_reads_the_weights_of_a_layer_itself_can_still_do_so():
    from transformers import MambaConfig, MambaForCausalLM

    sizes = MambaConfig(vocab_size=20, hidden_size=16, num_hidden_layers=2, state_size=4, tie_word_embeddings=False)
    model = MambaForCausalLM(sizes).bfloat16().eval()
    before = logits(model, 2)
    pack_linear(model)
    assert torch.allclose(logits(model, 2), before, atol=2e-2)


def test_a_torch_without_the_operator_multiplies_as_ever(tmp_path, monkeypatch):
    policy = make_tiny_policy(tmp_path)
    model = load(policy.path)
    before = logits(model, 2)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    pack_linear(model)
    assert not any("forward" in vars(part) for part in model.modules())
    assert torch.equal(logits(model, 2), before)
