"""Queries that share a key are multiplied together where the model's own attention would come to the same."""

import pytest
import torch
from transformers import Gemma2Config, LlamaConfig, MistralConfig, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.models.llama.modeling_llama import eager_attention_forward

from selfreward.backends.one_query import _GROUPED, _grouped, one_query_at_a_time

SIZES = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def model_of(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config(**SIZES), attn_implementation="sdpa").eval()


@pytest.mark.parametrize(("heads", "kept"), [(6, 6), (6, 2), (6, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_it_gives_what_copied_keys_give(heads, kept, masked):
    made = torch.Generator().manual_seed(0)
    query = torch.randn(3, heads, 1, 8, generator=made)
    key, value = (torch.randn(3, kept, 5, 8, generator=made) for _ in range(2))
    mask = torch.zeros(3, 1, 1, 5)
    mask[1, ..., :2] = torch.finfo(mask.dtype).min
    layer = torch.nn.Module().eval()
    layer.num_key_value_groups = heads // kept
    given = (layer, query, key, value, mask if masked else None)
    expected, _ = eager_attention_forward(*given, scaling=0.3)
    torch.testing.assert_close(_grouped(*given, scaling=0.3)[0], expected)


@pytest.mark.parametrize("config", [LlamaConfig, MistralConfig, Qwen3Config])
def test_a_model_like_llama_takes_it_and_draws_by_the_logits_of_its_own_attention(config):
    model = model_of(config)
    ids, mask = torch.arange(1, 9).reshape(2, 4), torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1]])

    def last():
        with torch.inference_mode():
            cache = model(ids[:, :-1], attention_mask=mask[:, :-1], use_cache=True).past_key_values
            with one_query_at_a_time(model):
                used.append(model.config._attn_implementation)
                return model(ids[:, -1:], attention_mask=mask, past_key_values=cache).logits

    used = []
    grouped = last()
    model.set_attn_implementation("eager")
    torch.testing.assert_close(grouped, last())
    assert used == [_GROUPED, "eager"]


def test_a_model_with_attention_of_its_own_keeps_it():
    model = model_of(Gemma2Config)  # its scores have a soft cap
    with one_query_at_a_time(model):
        assert model.config._attn_implementation == "eager"
    assert model.config._attn_implementation == "sdpa"


def test_one_layer_of_another_kind_is_enough_to_keep_it():
    model = model_of(LlamaConfig)
    model.other = model_of(Gemma2Config).model.layers[0].self_attn
    with one_query_at_a_time(model):
        assert model.config._attn_implementation == "eager"
