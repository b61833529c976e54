"""Training a reward model: the loss is the formula's, the saved model scores as the trained one, at the same token."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.backends.model_loading import load_chat
from selfreward.backends.reward_model import RewardModel, Shown, read_position, reward_rows, rewards_of
from selfreward.errors import BackendError, ConfigError, DataError, StageError, StarvedLoop
from selfreward.policies import Policy
from selfreward.updates import reward
from selfreward.updates.reward import RewardSpec, train_reward
from selfreward.updates.reward_pairs import check_pairs, resampled, split_by_prompt
from tests.rewarding import make_tiny_reward_model
from tests.tiny import CHAT_TEMPLATE, make_pair, make_tiny_policy

SPEC = RewardSpec(learning_rate=5e-3, batch_size=4, epochs=3, top_layers=1, compute="float32", device="cpu")
PAIRS = [make_pair(number) for number in range(10)]
STILL = {"learning_rate": 1e-12, "epochs": 1, "batch_size": 10}


def quietly(*_: int) -> None:
    """Progress that nobody watches."""


def train(policy, folder, pairs=PAIRS, seed=7, **changes):
    spec = SPEC.model_copy(update=changes)
    return train_reward(spec, policy, pairs, folder / "out", folder / "scratch", seed, quietly), folder / "out"


def rewards(folder, pairs=PAIRS):
    """The rewards of the chosen and of the rejected answers."""
    model = RewardModel(folder=folder, device="cpu", dtype="float32", batch_tokens=512)
    texts = [[Shown(messages=one.messages, text=getattr(one, side)) for one in pairs] for side in SIDES]
    return [[one.score for one in model.score(shown, quietly)] for shown in texts]


SIDES = ("chosen", "rejected")


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny") / "policy")


@pytest.mark.parametrize("mode", ["full", "top_layers", "lora"])
def test_the_chosen_answer_wins_and_the_saved_model_scores_as_the_trained_one(policy, tmp_path, monkeypatch, mode):
    trained = []

    def save(model, chat, pad, out):
        write(model, chat, pad, out)
        answers = [Shown(messages=one.messages, text=one.chosen) for one in PAIRS]
        trained.extend(rewards_of(model.eval(), reward_rows(chat, answers), 512, quietly))

    write = reward._save
    monkeypatch.setattr(reward, "_save", save)
    result, folder = train(policy, tmp_path, trainable=mode, epochs=6)
    chosen, rejected = rewards(folder)
    assert chosen == pytest.approx(trained, abs=3e-6)
    assert all(good > bad for good, bad in zip(chosen, rejected, strict=True))
    assert result.mean_loss < math.log(2)
    assert (result.rows_trained, result.rows_too_long, result.rows_without_margin) == (10, 0, None)
    assert (result.trainable_parameters == result.total_parameters) == (mode == "full")


def test_adapters_of_a_reward_model_stand_beside_the_layers_that_are_named(policy, tmp_path):
    chosen, every = (
        train(policy, tmp_path / name, trainable="lora", lora_targets=targets)[0].trainable_parameters
        for name, targets in (("chosen", ("q_proj", "v_proj")), ("every", "all-linear"))
    )
    assert 0 < chosen < every
    with pytest.raises(ConfigError, match="no linear layer c_attn"):
        train(policy, tmp_path / "none", trainable="lora", lora_targets=("c_attn",))


def logsigmoid(value):
    return -math.log1p(math.exp(-value))


@pytest.mark.parametrize("case", ["hard", "margin", "soft", "smoothed", "all"])
def test_the_loss_is_the_formulas(policy, tmp_path, case):
    margins = [0.5, 3.0, None, 0.25, 1.0, 0.0, 2.0, None, 4.0, 0.1]
    labels = [1.0, 0.9, 0.75, 0.6, 1.0, 0.3, 0.5, 0.8, 1.0, 0.99]
    soft, wide = case in ("soft", "all"), case in ("margin", "all")
    pairs = [
        replace(make_pair(number, chosen=f"hello {'you ' * number}"), margin=margin, label=label if soft else None)
        for number, (margin, label) in enumerate(zip(margins, labels, strict=True))
    ]
    smoothing = 0.1 if case in ("smoothed", "all") else 0.0
    weight = 0.3 if wide else 0.0
    changes = {"label_smoothing": smoothing, "margin_weight": weight, "centering": 0.02 if case == "all" else 0.0}
    result, folder = train(policy, tmp_path, pairs, **STILL, **changes)
    chosen, rejected = rewards(folder, pairs)
    losses = []
    for good, bad, one in zip(chosen, rejected, pairs, strict=True):
        label = 1.0 if one.label is None else one.label
        p = (1 - smoothing) * label + smoothing * (1 - label)
        apart = good - bad
        loss = -p * logsigmoid(apart - weight * (one.margin or 0.0)) - (1 - p) * logsigmoid(-apart)
        losses.append(loss + changes["centering"] * (good + bad) ** 2)
    assert result.mean_loss == pytest.approx(sum(losses) / len(losses), abs=1e-6)
    assert result.rows_without_margin == (2 if wide else None)


def test_the_hard_loss_is_that_of_trl(policy, tmp_path):
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    result, folder = train(policy, tmp_path, **STILL, centering=0.0)
    chat = load_chat(folder, trust_remote_code=False)
    rows = [
        reward_rows(chat, [Shown(messages=one.messages, text=getattr(one, side)) for one in PAIRS]) for side in SIDES
    ]
    trainer = RewardTrainer(
        model=str(folder),
        args=RewardConfig(
            output_dir=str(tmp_path / "trl"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            learning_rate=1e-12,
            per_device_train_batch_size=10,
            num_train_epochs=1,
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=Dataset.from_dict({"chosen_ids": rows[0], "rejected_ids": rows[1]}),
        processing_class=chat.tokenizer,
    )
    assert trainer.train().training_loss == pytest.approx(result.mean_loss, abs=1e-6)


ENDS = {
    "line break": CHAT_TEMPLATE,
    "end of turn": CHAT_TEMPLATE.replace("<|im_end|>\n{% endfor", "<|im_end|>{% endfor"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_model_that_trl_trained_is_read_where_it_was_trained(policy, tmp_path, end):
    """Its pad token is its end of turn: TRL trains the line break behind that, or the token before it."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    tokenizer = AutoTokenizer.from_pretrained(policy.path)
    tokenizer.chat_template = ENDS[end]
    rows = [
        {
            "prompt": [{"role": "user", "content": one.messages[0].content}],
            **{side: [{"role": "assistant", "content": getattr(one, side)}] for side in SIDES},
        }
        for one in PAIRS
    ]
    seen = []

    class Watched(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            seen.append(inputs["input_ids"])
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    trainer = Watched(
        model=str(policy.path),
        args=RewardConfig(
            output_dir=str(tmp_path / "trl"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            per_device_train_batch_size=10,
            num_train_epochs=1,
            disable_tqdm=True,
            save_strategy="no",
            seed=3,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    with torch.inference_mode():
        trained = trainer.model.eval()(seen[0]).logits[:, 0].tolist()
    ours = [one for side in rewards(tmp_path / "model") for one in side]
    assert sorted(ours) == pytest.approx(sorted(trained), abs=3e-6)


def test_training_on_a_policy_reads_the_last_token_whatever_pads(tmp_path):
    """Also where the template ends in the end of turn, which is the pad token of the policy."""
    policy = make_tiny_policy(tmp_path / "policy")
    (policy.path / "chat_template.jinja").write_text(ENDS["end of turn"])
    _, folder = train(policy, tmp_path, epochs=1)
    chat = load_chat(folder, trust_remote_code=False)
    config = json.loads((folder / "config.json").read_text())
    (row,) = reward_rows(chat, [Shown(messages=PAIRS[0].messages, text="hello")])
    assert row[-1] == chat.end_of_turn != config["pad_token_id"]
    assert read_position(row, config["pad_token_id"]) == len(row) - 1
    assert chat.tokenizer.pad_token_id == config["pad_token_id"]


def test_a_reward_model_is_trained_on_where_it_was_read(tmp_path, policy):
    start = make_tiny_reward_model(tmp_path / "start")
    before = rewards(start)
    _, folder = train(Policy(path=start, key="k", digest="d"), tmp_path, path=start, **STILL)
    assert rewards(folder) == [pytest.approx(side, abs=3e-6) for side in before]
    pads = [json.loads((one / "config.json").read_text())["pad_token_id"] for one in (start, folder)]
    assert pads[0] == pads[1]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_another_head(policy, tmp_path):
    folders = [train(policy, tmp_path / name, seed=seed, epochs=1)[1] for name, seed in [("a", 1), ("b", 1), ("c", 2)]]
    first, again, other = map(bytes_of, folders)
    assert first == again
    assert first["model.safetensors"] != other["model.safetensors"]
    assert {name for name in first if first[name] != other[name]} == {"model.safetensors"}


def test_rewards_are_kept_near_0(policy, tmp_path):
    means = []
    for centering in (0.0, 1.0):
        _, folder = train(policy, tmp_path / str(centering), centering=centering, epochs=6, trainable="full")
        means.append(abs(sum(map(sum, rewards(folder))) / (2 * len(PAIRS))))
    assert means[1] < 0.3 * means[0]


def test_a_loss_that_is_no_number_stops_at_its_step(policy, tmp_path):
    with pytest.raises(StageError, match=r"^after step \d .* no numbers: lower reward\.learning_rate"):
        train(policy, tmp_path, learning_rate=1e30, max_grad_norm=1e30, trainable="full")


def test_long_pairs_are_left_out_and_counted(policy, tmp_path):
    long = make_pair(10, chosen="y" * 200)
    result, _ = train(policy, tmp_path, [*PAIRS, long], max_tokens=100, epochs=1)
    assert (result.rows_trained, result.rows_too_long) == (10, 1)
    with pytest.raises(StarvedLoop, match=r"0 pairs to train on: all 1 .* reward\.max_tokens=100"):
        train(policy, tmp_path, [long], max_tokens=100)


def test_a_start_that_is_none_is_refused_in_one_line(policy, tmp_path):
    start = make_tiny_reward_model(tmp_path / "start")
    with pytest.raises(BackendError, match=r"no causal language model to start .* as reward\.path"):
        train(Policy(path=start, key="k", digest="d"), tmp_path)
    with pytest.raises(BackendError, match="no reward model"):
        train(policy, tmp_path, path=policy.path)


def labelled(label=None, margin=None, count=10):
    return [replace(make_pair(number), margin=margin, label=label) for number in range(count)]


def test_pairs_that_cannot_be_learned_from_are_refused():
    with pytest.raises(StarvedLoop, match=r"9 pairs .* fewer than reward\.min_pairs=10") as caught:
        check_pairs(labelled(count=9), 10)
    assert caught.value.exit_status == 3
    for pairs, message in [
        (labelled(0.3), r"none of 10 pairs is more likely right than wrong"),
        (labelled(1.5), r"the label 1\.5, which is no probability"),
        (labelled(margin=-1.0), r"a margin below 0"),
    ]:
        with pytest.raises(DataError, match=message):
            check_pairs(pairs, 10)
    assert check_pairs(labelled(), 10) == [
        "10 pairs are few for a reward model: look at its accuracy on held-out prompts"
    ]


def test_pairs_are_held_out_by_prompt_and_resampled_by_prompt():
    pairs = [make_pair(number // 2, chosen=f"{number}") for number in range(40)]
    kept, held_out = split_by_prompt(pairs, 0.2, 3)
    prompts = [{one.prompt_id for one in side} for side in (kept, held_out)]
    assert (len(prompts[0]), len(prompts[1]), prompts[0] & prompts[1]) == (16, 4, set())
    assert len(held_out) == 8
    assert split_by_prompt(pairs[::-1], 0.2, 3)[1] == held_out[::-1]
    assert split_by_prompt(pairs, 0.2, 4)[1] != held_out
    with pytest.raises(StarvedLoop, match="one prompt"):
        split_by_prompt(pairs[:2], 0.2, 3)

    drawn = resampled(pairs, 5)
    counts = {id_: [one.prompt_id for one in drawn].count(id_) for id_ in {one.prompt_id for one in drawn}}
    assert len(drawn) == 40
    assert set(counts.values()) > {2}
    assert all(count % 2 == 0 for count in counts.values())
