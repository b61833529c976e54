"""Preference training: what it raises, what it lowers, and that the numbers it reports are those of the policy."""

import math

import pytest
from pydantic import ValidationError

from selfreward.backends.base import Answer
from selfreward.backends.chat import completion_ids
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.errors import StarvedLoop
from selfreward.records import Policy
from selfreward.updates.dpo import DpoSpec, train_dpo
from tests.tiny import make_pair, make_tiny_policy, make_tokenizer

SPEC = DpoSpec(learning_rate=5e-3, batch_size=4, epochs=3, top_layers=1, lora_rank=4, compute="float32", device="cpu")
PAIRS = [make_pair(number) for number in range(10)]


def train(policy, folder, pairs=PAIRS, reference=None, **changes):
    spec = SPEC.model_copy(update=changes)
    told = []
    result = train_dpo(
        spec, policy, reference or policy, pairs, folder / "out", folder / "scratch", 7, lambda *step: told.append(step)
    )
    assert told[-1] == (result["steps"], result["steps"])
    return result, Policy(path=folder / "out", key="next", digest="next")


def mean_logprobs(policy):
    """Mean log-probability of the chosen and of the rejected answers, as a backend scores them."""
    backend = HfBackend(HfSpec(dtype="float32", device="cpu"), policy)
    return [
        sum(one.logprob for one in backend.score([Answer(messages=p.messages, text=text(p)) for p in PAIRS], len_of))
        / len(PAIRS)
        for text in (lambda pair: pair.chosen, lambda pair: pair.rejected)
    ]


def len_of(_):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("mode", ["full", "top_layers", "lora"])
def test_the_chosen_answer_wins_and_the_figures_are_those_of_the_policies(policy, tmp_path, mode):
    result, after = train(policy, tmp_path, trainable=mode)
    old, new = mean_logprobs(policy), mean_logprobs(after)
    assert [result["chosen_logprob_before"], result["rejected_logprob_before"]] == pytest.approx(old, abs=1e-3)
    assert [result["chosen_logprob_after"], result["rejected_logprob_after"]] == pytest.approx(new, abs=1e-3)
    assert result["margin_growth"] == pytest.approx((new[0] - new[1]) - (old[0] - old[1]), abs=1e-3)
    assert result["margin_growth"] > 1
    assert result["mean_loss"] < math.log(2)
    tokenizer = make_tokenizer()
    answers = [completion_ids(tokenizer, text, ended=True) for pair in PAIRS for text in (pair.chosen, pair.rejected)]
    assert result["tokens_trained"] == 3 * sum(map(len, answers))
    assert (result["trainable_parameters"] == result["total_parameters"]) == (mode == "full")


def test_training_starts_at_the_reference(policy, tmp_path):
    # One step over everything: its loss is that of a policy that prefers nothing yet.
    result, _ = train(policy, tmp_path, epochs=1, batch_size=10)
    assert result["mean_loss"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("ld_alpha", [None, 0.5])
def test_the_reference_is_weighed_by_length_as_the_policy_is(policy, tmp_path, ld_alpha):
    uneven = [make_pair(number, rejected="no way out of here at all") for number in range(4)]
    result, _ = train(policy, tmp_path, uneven, epochs=1, ld_alpha=ld_alpha)
    assert result["mean_loss"] == pytest.approx(math.log(2), abs=1e-4)


def test_another_reference_is_another_start(policy, tmp_path):
    _, moved = train(policy, tmp_path / "a")
    result, _ = train(moved, tmp_path / "b", reference=policy, epochs=1, batch_size=10)
    grown = result["chosen_logprob_before"] - result["rejected_logprob_before"]
    start = mean_logprobs(policy)
    expected = -math.log(1 / (1 + math.exp(-0.1 * (grown - (start[0] - start[1])))))
    assert result["mean_loss"] == pytest.approx(expected, abs=0.02)
    assert result["mean_loss"] < math.log(2) - 0.05


def test_with_the_sft_term_the_chosen_answer_does_not_become_less_likely(policy, tmp_path):
    # Only the first two letters differ: pushing the rejected one down takes the chosen one along.
    close = [make_pair(number, chosen="ab hello", rejected="ac hello") for number in range(8)]
    plain, _ = train(policy, tmp_path / "plain", close, beta=0.5)
    held, _ = train(policy, tmp_path / "held", close, beta=0.5, loss=("sigmoid", "sft"), loss_weights=(1.0, 1.0))
    assert held["chosen_logprob_after"] > held["chosen_logprob_before"]
    assert held["chosen_logprob_after"] > plain["chosen_logprob_after"]
    assert held["displaced_share"] == 0
    assert held["margin_growth"] > 0


def test_displacement_is_seen_where_the_rejected_answer_holds_the_chosen_one(policy, tmp_path):
    # The chosen answer begins as the rejected one does, so the cheapest way to win is to lower both.
    nested = [make_pair(number, chosen="no way", rejected="no way no way no way") for number in range(8)]
    result, _ = train(policy, tmp_path, nested, epochs=6, learning_rate=2e-2)
    assert result["chosen_logprob_after"] < result["chosen_logprob_before"] - 1
    assert result["margin_growth"] > 1
    assert result["displaced_share"] == 1


def test_two_runs_write_the_same_bytes(policy, tmp_path):
    folders = [train(policy, tmp_path / name, compute="bfloat16", epochs=1)[1].path for name in "ab"]
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second
    assert first["config.json"] == (policy.path / "config.json").read_bytes()


def test_long_pairs_are_left_out_and_counted(policy, tmp_path):
    long = [make_pair(100 + number, rejected="x" * 90) for number in range(3)]
    result, _ = train(policy, tmp_path, [*PAIRS, *long], max_tokens=90, epochs=1)
    assert (result["rows_trained"], result["rows_too_long"]) == (10, 3)
    with pytest.raises(StarvedLoop, match=r"0 pairs to train on: all 10 are longer than update\.max_tokens=5"):
        train(policy, tmp_path, max_tokens=5)


@pytest.mark.parametrize("loss", ["ipo", "robust", "sigmoid_norm"])
def test_every_other_loss_runs(policy, tmp_path, loss):
    result, _ = train(policy, tmp_path, PAIRS[:4], epochs=1, loss=(loss,), label_smoothing=0.1)
    assert math.isfinite(result["mean_loss"])


def test_losses_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="one weight a loss"):
        DpoSpec(loss=("sigmoid", "sft"), loss_weights=(1.0,))
    with pytest.raises(ValidationError, match="label_smoothing"):
        DpoSpec(loss=("exo_pair",))
