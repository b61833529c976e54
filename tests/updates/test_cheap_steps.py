"""What a step on a CPU is spared: positions that are not trained on, and casts of weights that do not change."""

import pytest
import torch

from selfreward.backends.model_loading import load_model
from selfreward.updates.autocast_weights import cast_once
from selfreward.updates.head_gradient import head_kept_whole
from selfreward.updates.rft import RftSpec, train_rft
from selfreward.updates.scored_positions import trained_positions_alone
from tests.tiny import completion, make_example, make_tiny_policy

utils = pytest.importorskip("trl.trainer.utils")


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


def load(policy):
    return load_model(policy.path, dtype="float32", device="cpu", trust_remote_code=False)


def linear_of(model):
    return [part for part in model.base_model.modules() if isinstance(part, torch.nn.Linear)]


def test_a_step_computes_the_tokens_that_it_trains_on_and_no_others(policy, tmp_path, monkeypatch):
    seen = []
    kernel = utils._ChunkedLogProbFunction.apply

    def spy(hidden, *others):
        seen.append(len(hidden))
        return kernel(hidden, *others)

    monkeypatch.setattr(utils._ChunkedLogProbFunction, "apply", spy)
    examples = [make_example(number, "hello you" if number % 2 else "no way out") for number in range(4)]
    spec = RftSpec(batch_size=4, top_layers=1, device="cpu", compute="float32")
    train_rft(spec, policy, examples, tmp_path / "out", tmp_path / "scratch", 7, lambda _step, _steps: None)
    assert seen == [sum(len(completion(one.text)) for one in examples)]


def test_what_is_left_out_changes_no_loss_and_no_gradient(policy):
    ids = torch.arange(1, 13).reshape(2, 6)
    labels = ids.clone()
    labels[:, :3] = -100

    def loss_and_gradient():
        model = load(policy)
        utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
        found = model(input_ids=ids, labels=labels, fused_lm_head=True)
        found.loss.backward()
        return found, linear_of(model)[0].weight.grad

    whole, gradient = loss_and_gradient()
    with trained_positions_alone():
        alone, same = loss_and_gradient()
    assert torch.allclose(alone.loss, whole.loss)
    assert torch.allclose(alone.log_probs, whole.log_probs, atol=1e-6)
    assert torch.allclose(alone.entropy, whole.entropy, atol=1e-6)
    assert torch.equal(alone.is_top1, whole.is_top1)
    assert torch.allclose(same, gradient, atol=1e-6)


def test_a_trl_that_asks_otherwise_trains_all_the_same(monkeypatch):
    monkeypatch.delattr(utils, "_use_triton")
    with trained_positions_alone():
        assert not hasattr(utils, "_use_triton")


def test_frozen_weights_are_cast_for_the_time_of_training_and_come_back_to_the_bit(policy):
    model = load(policy)
    frozen, *others = linear_of(model)
    frozen.weight.requires_grad_(False)
    before = frozen.weight.detach().clone()
    with cast_once(model, "bfloat16", frozen=True):
        assert frozen.weight.dtype == torch.bfloat16
        assert all(part.weight.dtype == torch.float32 for part in others)
        assert model.get_input_embeddings().weight.dtype == torch.float32
    assert torch.equal(frozen.weight, before)


def test_a_head_that_is_the_embedding_too_is_cast_apart_from_it_and_is_the_embedding_again(policy):
    model = load(policy).requires_grad_(False)
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    assert head.weight is embedding.weight
    with cast_once(model, "bfloat16", frozen=True):
        assert (head.weight.dtype, embedding.weight.dtype) == (torch.bfloat16, torch.float32)
        assert torch.equal(head.weight, embedding.weight.to(torch.bfloat16))
    assert head.weight is embedding.weight


def test_cast_weights_give_what_autocast_gives(policy):
    model, ids = load(policy), torch.arange(1, 13).reshape(2, 6)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        expected = model(ids).logits
        with cast_once(model, "bfloat16", frozen=False):
            assert linear_of(model)[0].weight.dtype == torch.bfloat16
            assert torch.equal(model(ids).logits, expected)


def test_where_steps_calculate_in_float32_nothing_is_cast(policy):
    model = load(policy)
    held = linear_of(model)[0].weight.data_ptr()
    with cast_once(model, "float32", frozen=False):
        assert linear_of(model)[0].weight.data_ptr() == held


def test_a_frozen_head_passes_its_gradient_on_by_the_weights_that_were_cast(policy, monkeypatch):
    kernel = pytest.importorskip("trl.kernels.chunked_logprob")
    model = load(policy).requires_grad_(False)
    linear_of(model)[-1].weight.requires_grad_(True)
    utils.add_fused_lm_head(model)
    ids, embedding = torch.arange(1, 13).reshape(2, 6), model.get_input_embeddings().weight
    multiply, read = kernel._addmm_fp32, []

    def spy(total, left, weights):
        read.append(weights)
        multiply(total, left, weights)

    monkeypatch.setattr(kernel, "_addmm_fp32", spy)

    def gradient(*, kept):
        model.zero_grad()
        autocast = torch.autocast("cpu", dtype=torch.bfloat16)
        with autocast, cast_once(model, "bfloat16", frozen=True) as cast, head_kept_whole(cast if kept else []):
            model(input_ids=ids, labels=ids, fused_lm_head=True).loss.backward()
        return linear_of(model)[-1].weight.grad.clone()

    cast, whole = gradient(kept=False), gradient(kept=True)
    assert [one.dtype for one in read] == [torch.bfloat16, torch.float32]
    assert read[1].data_ptr() == embedding.data_ptr()
    assert read[1].shape == read[0].shape
    assert torch.nn.functional.cosine_similarity(cast.flatten(), whole.flatten(), 0) > 0.999


def test_a_head_in_several_pieces_is_read_from_where_each_begins():
    kernel = pytest.importorskip("trl.kernels.chunked_logprob")
    before, left = torch.randn(10, 3), torch.randn(2, 4)
    inside, total = before.to(torch.bfloat16), torch.zeros(2, 3)
    with head_kept_whole([(inside, before)]):
        kernel._addmm_fp32(total, left, inside[4:8])
        assert torch.equal(total, left @ before[4:8])
        other = torch.randn(4, 3, dtype=torch.bfloat16)
        kernel._addmm_fp32(total.zero_(), left, other)
        assert torch.equal(total, left @ other.float())
