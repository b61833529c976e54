import copy

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


def joined(biases, sizes=(8, 8, 8)):
    """A module with the queries, keys and values of a model, and one packed copy of it."""
    torch.manual_seed(0)
    plain = torch.nn.Module()
    plain.device = torch.device("cpu")
    for name, size, bias in zip(("q_proj", "k_proj", "v_proj"), sizes, biases, strict=True):
        setattr(plain, name, torch.nn.Linear(size, 6, bias=bias))
    packed = copy.deepcopy(plain)
    pack_linear(packed)
    return plain, packed


@pytest.mark.parametrize("biases", [(False,) * 3, (True,) * 3, (True, False, True)])
@pytest.mark.parametrize("order", ["qkv", "vqk", "kkqvv"])
def test_layers_beside_each_other_give_their_own_in_any_order(biases, order):
    plain, packed = joined(biases)
    with torch.inference_mode():
        for inputs in torch.randn(3, 4, 8):
            for one in order:
                wanted = getattr(plain, f"{one}_proj")(inputs)
                assert torch.allclose(getattr(packed, f"{one}_proj")(inputs), wanted, atol=1e-5)


def test_layers_beside_each_other_may_be_shown_other_numbers():
    plain, packed = joined((True,) * 3)
    with torch.inference_mode():
        asked, seen = torch.randn(2, 5, 8)
        for _ in range(2):
            assert torch.allclose(packed.q_proj(asked), plain.q_proj(asked), atol=1e-5)
            assert torch.allclose(packed.k_proj(seen), plain.k_proj(seen), atol=1e-5)
            assert torch.allclose(packed.v_proj(seen), plain.v_proj(seen), atol=1e-5)


def test_layers_of_other_sizes_are_packed_each_by_itself():
    plain, packed = joined((True,) * 3, sizes=(8, 4, 4))
    with torch.inference_mode():
        asked, seen = torch.randn(5, 8), torch.randn(5, 4)
        assert torch.allclose(packed.q_proj(asked), plain.q_proj(asked), atol=1e-5)
        assert torch.allclose(packed.k_proj(seen), plain.k_proj(seen), atol=1e-5)
