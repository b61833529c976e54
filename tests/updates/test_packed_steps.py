"""A training step whose rows lie side by side has the loss, figures and gradient of one whose rows are padded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.backends.cuda import flash_sdp_enabled

from selfreward.backends.forward import can_pack, token_logprobs
from selfreward.backends.model_loading import load_model
from selfreward.updates.answer_logprobs import answer_logprobs
from selfreward.updates.packed_steps import rows_packed
from tests.tiny import make_tiny_policy

utils = pytest.importorskip("trl.trainer.utils")

FIELDS = ("log_probs", "entropy", "is_top1", "label_mask")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny")).path


def load(folder):
    return load_model(folder, dtype="float32", device="cpu", trust_remote_code=False)


PROMPT, OTHER = [5, 6, 7, 8, 9], [5, 6, 11]
ANSWERS = [(PROMPT, [12, 13, 14]), (PROMPT, [12, 15]), (OTHER, [20, 21, 22, 23, 24, 25, 26, 27]), (OTHER, [30])]


def padded(rows, *, left=False, prompts=False):
    """Input ids, attention mask and labels of rows, the prompts' tokens labelled too where asked."""
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, held = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for row, (prompt, answer) in enumerate(rows):
        start = width - len(prompt) - len(answer) if left else 0
        end = start + len(prompt) + len(answer)
        ids[row, start:end] = torch.tensor(prompt + answer)
        held[row, start:end] = 1
        first = start + (1 if prompts else len(prompt))
        labels[row, first:end] = ids[row, first:end]
    return {"input_ids": ids, "attention_mask": held, "labels": labels}


def outputs_and_gradient(folder, inputs, *, packed, **more):
    model = load(folder)
    utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    calls = []
    inner = model.base_model.forward

    def spy(*args, **given):
        calls.append(given["input_ids"].numel())
        return inner(*args, **given)

    model.base_model.forward = spy
    before = model.forward
    if packed:
        with rows_packed(model):
            found = model(**inputs, **more, fused_lm_head=True, use_cache=False)
        assert model.forward is before
    else:
        found = model(**inputs, **more, fused_lm_head=True, use_cache=False)
    found.loss.backward()
    return found, {name: weight.grad for name, weight in model.named_parameters()}, calls


@pytest.mark.parametrize("more", [{}, {"num_items_in_batch": torch.tensor(7)}], ids=["mean", "of_the_whole_batch"])
@pytest.mark.parametrize("prompts", [False, True], ids=["answers", "all_tokens"])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_a_packed_step_has_the_same_loss_figures_and_gradient_of_fewer_tokens(folder, left, prompts, more):
    inputs = padded(ANSWERS, left=left, prompts=prompts)
    plain, gradient, whole = outputs_and_gradient(folder, inputs, packed=False, **more)
    found, same, fewer = outputs_and_gradient(folder, inputs, packed=True, **more)
    assert fewer[0] < 0.6 * whole[0]
    assert found.loss.item() == pytest.approx(plain.loss.item(), abs=1e-5)
    for name in FIELDS:
        assert torch.allclose(getattr(found, name).float(), getattr(plain, name).float(), atol=1e-5), name
    assert gradient.keys() == same.keys()
    for name, value in gradient.items():
        assert torch.allclose(value, same[name], atol=1e-5), name


def test_rows_without_padding_and_beginning_are_computed_as_they_come(folder):
    inputs = padded([([1, 2], [3, 4]), ([5, 6], [7, 8])])
    plain, _, whole = outputs_and_gradient(folder, inputs, packed=False)
    found, _, same = outputs_and_gradient(folder, inputs, packed=True)
    assert same == whole
    assert torch.equal(found.log_probs, plain.log_probs)


def test_short_lines_alone_are_attended_to_by_plain_products_and_none_that_are_computed_twice(folder):
    def fused(width, checkpointing):
        model, seen = load(folder), []
        utils.add_fused_lm_head(model)
        hook = model.base_model.register_forward_pre_hook(lambda *_: seen.append(flash_sdp_enabled()))
        with rows_packed(model):
            if checkpointing:  # a trainer turns it on as it begins
                model.gradient_checkpointing_enable()
            rows = padded([([5] * (width - 4), [6, 7, 8, 9]), ([5] * (width - 4), [6])])
            model(**rows, fused_lm_head=True, use_cache=False)
        hook.remove()
        return seen

    assert fused(20, checkpointing=False) == [False]
    assert fused(400, checkpointing=False) == [True]
    assert fused(20, checkpointing=True) == [True]


def test_a_row_that_trains_on_nothing_adds_nothing(folder):
    inputs = padded(ANSWERS)
    inputs["labels"][:] = -100
    found, gradient, _ = outputs_and_gradient(folder, inputs, packed=True)
    assert found.loss.item() == 0
    assert all(not value.any() for value in gradient.values() if value is not None)


def test_a_call_with_inputs_of_its_own_and_one_without_the_head_are_left_alone(folder):
    inputs = padded(ANSWERS)
    model = load(folder)
    utils.add_fused_lm_head(model)
    with torch.no_grad():
        plain = model(**inputs, fused_lm_head=True).log_probs
        logits = model(input_ids=inputs["input_ids"]).logits
        with rows_packed(model):
            places = torch.arange(inputs["input_ids"].shape[1])[None]
            assert torch.equal(model(**inputs, position_ids=places, fused_lm_head=True).log_probs, plain)
            assert torch.equal(model(input_ids=inputs["input_ids"]).logits, logits)


def test_a_model_that_looks_back_by_a_window_is_left_alone(folder):
    from transformers import MistralConfig, MistralForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = MistralForCausalLM(MistralConfig(vocab_size=50, num_key_value_heads=2, sliding_window=4, **shape))
    assert not can_pack(model)
    utils.add_fused_lm_head(model)
    before = model.forward
    with rows_packed(model):
        assert model.forward is before


def test_a_model_of_another_attention_gives_its_log_probabilities_as_they_come(folder):
    model = load(folder)
    assert can_pack(model)
    packed = answer_logprobs(model, "float32", ANSWERS)
    model.set_attn_implementation("eager")
    assert not can_pack(model)
    plain = answer_logprobs(model, "float32", ANSWERS)
    assert [len(row) for row in packed] == [len(answer) for _, answer in ANSWERS]
    for one, other in zip(packed, plain, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(5, 8), min_size=1, max_size=40), st.lists(st.integers(5, 8), min_size=1, max_size=60)
        ),
        min_size=1,
        max_size=90,
    )
)
def test_answers_of_any_number_and_length_have_the_log_probabilities_of_each_alone(folder, rows):
    model = load(folder)
    found = answer_logprobs(model, "float32", rows)
    for row, values in zip(rows, found, strict=True):
        assert values == pytest.approx(token_logprobs(model, [row], pad=0)[0], abs=1e-4)
