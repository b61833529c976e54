"""Preference training: what it raises, what it lowers, and that the numbers it reports are those of the policy."""

import inspect
import math
import re
from dataclasses import replace
from typing import get_args

import pytest
from pydantic import ValidationError

from selfreward.backends.base import Answer
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.errors import StarvedLoop
from selfreward.policies import Policy
from selfreward.spec import identity
from selfreward.updates.dpo import SMOOTHED, DpoSpec, Loss, train_dpo
from tests.tiny import completion, make_pair, make_tiny_policy

SPEC = DpoSpec(learning_rate=5e-3, batch_size=4, epochs=3, top_layers=1, lora_rank=4, compute="float32", device="cpu")
PAIRS = [make_pair(number) for number in range(10)]


def train(policy, folder, pairs=PAIRS, reference=None, **changes):
    spec = SPEC.model_copy(update=changes)
    told = []
    result = train_dpo(
        spec, policy, reference or policy, pairs, folder / "out", folder / "scratch", 7, lambda *step: told.append(step)
    )
    assert told[-1] == (result.steps, result.steps)
    return result, Policy(path=folder / "out", key="next", digest="next")


def logprobs(policy):
    """Log-probabilities of the chosen and of the rejected answers, as a backend scores them."""
    backend = HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy)
    return [
        [one.logprob for one in backend.score([Answer(messages=p.messages, text=text(p)) for p in PAIRS], len_of)]
        for text in (lambda pair: pair.chosen, lambda pair: pair.rejected)
    ]


def mean_logprobs(policy):
    """The means of both."""
    return [sum(values) / len(PAIRS) for values in logprobs(policy)]


def len_of(_):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("mode", ["full", "top_layers", "lora"])
def test_the_chosen_answer_wins_and_the_figures_are_those_of_the_policies(policy, tmp_path, mode):
    result, after = train(policy, tmp_path, trainable=mode)
    old, new = mean_logprobs(policy), mean_logprobs(after)
    assert [result.chosen_logprob_before, result.rejected_logprob_before] == pytest.approx(old, abs=1e-3)
    assert [result.chosen_logprob_after, result.rejected_logprob_after] == pytest.approx(new, abs=1e-3)
    assert result.margin_growth == pytest.approx((new[0] - new[1]) - (old[0] - old[1]), abs=1e-3)
    assert result.margin_growth > 1
    assert result.mean_loss < math.log(2)
    answers = [completion(text) for pair in PAIRS for text in (pair.chosen, pair.rejected)]
    assert result.tokens_trained == 3 * sum(map(len, answers))
    assert (result.trainable_parameters == result.total_parameters) == (mode == "full")


def test_training_starts_at_the_reference(policy, tmp_path):
    # One step over everything: its loss is that of a policy that prefers nothing yet.
    result, _ = train(policy, tmp_path, epochs=1, batch_size=10)
    assert result.mean_loss == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("ld_alpha", [None, 0.5])
def test_the_reference_is_weighed_by_length_as_the_policy_is(policy, tmp_path, ld_alpha):
    uneven = [make_pair(number, rejected="no way out of here at all") for number in range(4)]
    result, _ = train(policy, tmp_path, uneven, epochs=1, ld_alpha=ld_alpha)
    assert result.mean_loss == pytest.approx(math.log(2), abs=1e-4)


def test_another_reference_is_another_start(policy, tmp_path):
    _, moved = train(policy, tmp_path / "a")
    result, _ = train(moved, tmp_path / "b", reference=policy, epochs=1, batch_size=10)
    grown = result.chosen_logprob_before - result.rejected_logprob_before
    start = mean_logprobs(policy)
    expected = -math.log(1 / (1 + math.exp(-0.1 * (grown - (start[0] - start[1])))))
    assert result.mean_loss == pytest.approx(expected, abs=0.02)
    assert result.mean_loss < math.log(2) - 0.05


def test_with_the_sft_term_the_chosen_answer_does_not_become_less_likely(policy, tmp_path):
    # Only the first two letters differ: pushing the rejected one down takes the chosen one along.
    close = [make_pair(number, chosen="ab hello", rejected="ac hello") for number in range(8)]
    plain, _ = train(policy, tmp_path / "plain", close, beta=0.5)
    held, _ = train(policy, tmp_path / "held", close, beta=0.5, loss=("sigmoid", "sft"), loss_weights=(1.0, 1.0))
    assert held.chosen_logprob_after > held.chosen_logprob_before
    assert held.chosen_logprob_after > plain.chosen_logprob_after
    assert held.displaced_share == 0
    assert held.margin_growth > 0


def test_an_ordered_sft_term_enters_the_loss_at_its_weight(policy, tmp_path):
    # One step at a rate of nothing: log 2 for the preference, and the weighted loss of the chosen answer.
    still = {"epochs": 1, "batch_size": 10, "learning_rate": 1e-12}
    plain, _ = train(policy, tmp_path / "plain", **still)
    losses = []
    for weight in (1.0, 0.25):
        spec = SPEC.model_copy(update=still).with_sft(weight)
        result, _ = train(policy, tmp_path / str(weight), **still, loss=spec.loss, loss_weights=spec.loss_weights)
        assert result.sft_weight == weight
        losses.append(result.mean_loss - plain.mean_loss)
    assert plain.sft_weight == 0
    assert losses[0] > 1
    assert losses[0] == pytest.approx(4 * losses[1], rel=1e-3)


@pytest.mark.parametrize("loss", ["sigmoid", "hinge"])
def test_a_margin_is_what_the_log_ratios_must_differ_by(policy, tmp_path, loss):
    # Away from the reference, at a rate of nothing: the loss of each pair is the formula's, to the last digits.
    _, moved = train(policy, tmp_path / "moved", epochs=1, learning_rate=2e-4)
    margins = [0.5, 3.0, None, 0.25, 1.0, 0.0, 2.0, None, 4.0, 0.1]
    pairs = [replace(pair, margin=margin) for pair, margin in zip(PAIRS, margins, strict=True)]
    still = {"epochs": 1, "batch_size": 10, "learning_rate": 1e-12, "loss": (loss,), "beta": 0.2}
    plain, _ = train(moved, tmp_path / "plain", pairs, reference=policy, **still)
    result, _ = train(moved, tmp_path / "offset", pairs, reference=policy, **still, margin_weight=0.3)

    new, old = logprobs(moved), logprobs(policy)
    deltas = [(a - b) - (c - d) for a, b, c, d in zip(*new, *old, strict=True)]
    asked = [0.2 * delta - 0.3 * (margin or 0.0) for delta, margin in zip(deltas, margins, strict=True)]
    losses = [math.log1p(math.exp(-one)) if loss == "sigmoid" else max(0.0, 1 - one) for one in asked]
    assert result.mean_loss == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    assert abs(result.mean_loss - plain.mean_loss) > 0.05

    # What is reported of the policy knows nothing of offsets.
    measured = ("chosen_logprob_before", "rejected_logprob_before", "chosen_logprob_after", "rejected_logprob_after")
    assert [getattr(result, name) for name in measured] == pytest.approx(
        [getattr(plain, name) for name in measured], abs=1e-3
    )
    assert (result.rows_without_margin, plain.rows_without_margin) == (2, None)


def test_pairs_with_wider_margins_are_pushed_further_apart(policy, tmp_path):
    first, second = PAIRS[:5], PAIRS[5:]
    grown = []
    for name, wide in (("first", first), ("second", second)):
        pairs = [replace(pair, margin=8.0 if pair in wide else None) for pair in PAIRS]
        _, after = train(policy, tmp_path / name, pairs, batch_size=2, margin_weight=0.5)
        (chosen, rejected) = logprobs(after)
        grown.append([a - b for a, b in zip(chosen, rejected, strict=True)])
    gained = [a - b for a, b in zip(*grown, strict=True)]
    assert sum(gained[:5]) > sum(gained[5:])


def test_a_loss_that_has_an_sft_term_keeps_its_own():
    own = DpoSpec(loss=("sigmoid", "sft"), loss_weights=(1.0, 0.2))
    assert own.with_sft(1.0) == own
    assert SPEC.with_sft(0.0) == SPEC
    weighted = DpoSpec(loss=("ipo",), loss_weights=(2.0,)).with_sft(0.5)
    assert (weighted.loss, weighted.loss_weights) == (("ipo", "sft"), (2.0, 0.5))


def test_displacement_is_seen_where_the_rejected_answer_holds_the_chosen_one(policy, tmp_path):
    # The chosen answer begins as the rejected one does, so the cheapest way to win is to lower both.
    nested = [make_pair(number, chosen="no way", rejected="no way no way no way") for number in range(8)]
    result, _ = train(policy, tmp_path, nested, epochs=6, learning_rate=2e-2)
    assert result.chosen_logprob_after < result.chosen_logprob_before - 1
    assert result.margin_growth > 1
    assert result.displaced_share == 1


def test_two_runs_write_the_same_bytes(policy, tmp_path):
    folders = [train(policy, tmp_path / name, compute="bfloat16", epochs=1)[1].path for name in "ab"]
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second
    assert first["config.json"] == (policy.path / "config.json").read_bytes()


def test_long_pairs_are_left_out_and_counted(policy, tmp_path):
    long = [make_pair(100 + number, rejected="x" * 90) for number in range(3)]
    result, _ = train(policy, tmp_path, [*PAIRS, *long], max_tokens=90, epochs=1)
    assert (result.rows_trained, result.rows_too_long) == (10, 3)
    with pytest.raises(StarvedLoop, match=r"0 pairs to train on: all 10 are longer than update\.max_tokens=5"):
        train(policy, tmp_path, max_tokens=5)


@pytest.mark.parametrize("loss", ["ipo", "robust", "sigmoid_norm"])
def test_every_other_loss_runs(policy, tmp_path, loss):
    smoothing = 0.1 if loss == "robust" else 0.0
    result, _ = train(policy, tmp_path, PAIRS[:4], epochs=1, loss=(loss,), label_smoothing=smoothing)
    assert math.isfinite(result.mean_loss)


@pytest.mark.parametrize("loss", get_args(Loss))
def test_trl_reads_the_smoothing_of_the_losses_that_may_have_one(loss):
    """Its source, branch by branch: what is refused here is what it ignores, and nothing else."""
    from trl.trainer.dpo_trainer import DPOTrainer

    branches = re.split(r'loss_type == "(\w+)":', inspect.getsource(DPOTrainer._compute_loss))
    read = {name: "self.label_smoothing" in code for name, code in zip(branches[1::2], branches[2::2], strict=True)}
    assert read[loss] == (loss in SMOOTHED)


def test_losses_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="one weight a loss"):
        DpoSpec(loss=("sigmoid", "sft"), loss_weights=(1.0,))
    with pytest.raises(ValidationError, match="label_smoothing"):
        DpoSpec(loss=("exo_pair",))
    for loss in (("sigmoid",), ("ipo", "sft"), ("bco_pair",)):
        with pytest.raises(ValidationError, match=r"update\.label_smoothing=0\.1 with .* set update\.loss=\[robust\]"):
            DpoSpec(loss=loss, label_smoothing=0.1)
    assert DpoSpec(loss=("aot_unpaired", "sft"), label_smoothing=0.1).label_smoothing == 0.1
    for loss in (("ipo",), ("sft",), ("sigmoid", "sigmoid_norm")):
        with pytest.raises(ValidationError, match=r"update\.margin_weight=0\.1 with .* set update\.loss=\[sigmoid\]"):
            DpoSpec(loss=loss, margin_weight=0.1)
    assert DpoSpec(loss=("hinge", "sft"), margin_weight=0.1).margin_weight == 0.1
    assert "margin_weight" not in identity(DpoSpec())


def test_thoughts_are_trained_unless_they_are_dropped(policy, tmp_path):
    thought = "<think>he</think>\n"
    thoughtful = [replace(pair, chosen_thought=thought, rejected_thought=thought) for pair in PAIRS]
    more = len(completion(thought, ended=False))
    results = {}
    for name, rows, choice in (("plain", PAIRS, "keep"), ("keep", thoughtful, "keep"), ("drop", thoughtful, "drop")):
        (tmp_path / name).mkdir()
        results[name], _ = train(policy, tmp_path / name, rows, epochs=1, thought=choice)
    assert results["keep"].tokens_trained == results["plain"].tokens_trained + 20 * more
    assert results["drop"] == results["plain"]
