from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.backends.base import Answer
from selfreward.backends.chat import render_prompt
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.errors import ConfigError, StarvedLoop
from selfreward.policies import Policy
from selfreward.spec import identity
from selfreward.updates import rft
from selfreward.updates.rft import RftSpec, train_rft
from tests.tiny import completion, make_chat, make_example, make_tiny_policy, make_tokenizer

SPEC = RftSpec(learning_rate=5e-3, batch_size=4, epochs=2, top_layers=1, lora_rank=4, compute="float32", device="cpu")
MODES = ("full", "top_layers", "lora")


EXAMPLES = [make_example(number) for number in range(10)]


def train(policy, folder, examples=EXAMPLES, advance=lambda _step, _steps: None, **changes):
    spec = SPEC.model_copy(update=changes)
    result = train_rft(spec, policy, examples, folder / "out", folder / "scratch", 7, advance)
    return result, Policy(path=folder / "out", key="next", digest="next")


def logprobs(policy):
    backend = HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy)
    answers = [Answer(messages=example.messages, text=example.text) for example in EXAMPLES]
    return [one.logprob for one in backend.score(answers, lambda _done: None)]


def weights(policy):
    from safetensors.torch import load_file

    return load_file(policy.path / "model.safetensors")


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def before(policy):
    return logprobs(policy)


@pytest.mark.parametrize("mode", MODES)
def test_training_raises_its_answers_and_saves_what_was_trained(policy, before, tmp_path, monkeypatch, mode):
    from selfreward.backends.forward import token_logprobs

    in_memory = []

    def spy(model, chat, out, like):
        rows = [(render_prompt(make_chat(), one.messages), completion(one.text)) for one in EXAMPLES]
        in_memory.extend(map(sum, token_logprobs(model.eval(), rows, 0)))
        rft_save(model, chat, out, like=like)

    rft_save = rft.save_policy
    monkeypatch.setattr(rft, "save_policy", spy)
    steps = []
    result, after = train(policy, tmp_path, advance=lambda *step: steps.append(step), trainable=mode)
    saved = logprobs(after)
    assert saved == pytest.approx(in_memory, abs=1e-4)
    assert sum(saved) > sum(before) + 1
    assert steps == [(number, 6) for number in range(1, 7)]
    assert (result.rows_trained, result.rows_too_long, result.steps) == (10, 0, 6)
    assert result.tokens_trained == 2 * 10 * len(completion("hello you"))
    assert 0 < result.mean_loss < 10
    assert 0 < result.trainable_parameters <= result.total_parameters
    assert (result.trainable_parameters == result.total_parameters) == (mode == "full")


def test_training_keeps_off_attention_whose_gradients_can_be_nan_and_puts_the_setting_back(policy, tmp_path):
    from torch.backends import cuda

    seen = []
    before = cuda.cudnn_sdp_enabled()
    train(policy, tmp_path / "trained", advance=lambda _step, _steps: seen.append(cuda.cudnn_sdp_enabled()))
    assert set(seen) == {False}
    assert cuda.cudnn_sdp_enabled() is before


def test_what_is_saved_names_no_folder_and_keeps_the_configs(policy, tmp_path):
    _, after = train(policy, tmp_path, epochs=1)
    texts = {path.name: path.read_text() for path in after.path.iterdir() if path.suffix != ".safetensors"}
    assert {"config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja"} <= set(texts)
    for text in texts.values():
        assert str(policy.path) not in text
        assert str(tmp_path) not in text
    assert texts["config.json"] == (policy.path / "config.json").read_text()
    assert texts["generation_config.json"] == (policy.path / "generation_config.json").read_text()
    assert not any(path.suffix == ".md" for path in after.path.iterdir())


@pytest.mark.parametrize("mode", MODES)
def test_two_runs_write_the_same_bytes(policy, tmp_path, mode):
    folders = [train(policy, tmp_path / name, trainable=mode, compute="bfloat16")[1].path for name in "ab"]
    first, second = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert first == second


def test_top_layers_leaves_every_other_weight_alone(policy, tmp_path):
    _, after = train(policy, tmp_path)
    old, new = weights(policy), weights(after)
    changed = {name for name in old if not old[name].equal(new[name])}
    assert old.keys() == new.keys()
    assert changed == {name for name in old if name.startswith(("model.layers.2.", "model.norm."))}


def test_the_loss_is_that_of_the_answers_alone(policy, before, tmp_path):
    # One batch of everything: the loss of its one step is the untrained mean over the answers' tokens.
    result, _ = train(policy, tmp_path, batch_size=10, epochs=1)
    assert result.steps == 1
    assert result.mean_loss == pytest.approx(-sum(before) / result.tokens_trained, abs=1e-4)


def test_rows_are_the_tokens_that_the_backend_scores(policy):
    tokenizer = make_tokenizer()
    (row,) = rft.tokenize_examples(make_chat(), EXAMPLES[:1])
    turns = [{"role": "user", "content": "what is it 0"}, {"role": "assistant", "content": "hello you"}]
    whole = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
    # The template writes a line break behind the last turn, which no answer contains.
    assert row.input_ids == whole[: len(row.input_ids)]
    assert [label for label in row.labels if label != -100] == completion("hello you")


def test_rows_that_are_too_long_are_left_out_and_counted(policy, tmp_path):
    long = [make_example(100 + number, text="x" * 80) for number in range(3)]
    result, after = train(policy, tmp_path, [*EXAMPLES, *long], max_tokens=90, epochs=1)
    assert (result.rows_trained, result.rows_too_long) == (10, 3)
    (tmp_path / "without").mkdir()
    _, without = train(policy, tmp_path / "without", EXAMPLES, max_tokens=90, epochs=1)
    assert (after.path / "model.safetensors").read_bytes() == (without.path / "model.safetensors").read_bytes()
    with pytest.raises(StarvedLoop, match=r"0 rows to train on: all 10 are longer than update\.max_tokens=5"):
        train(policy, tmp_path, max_tokens=5)


def test_adapters_stand_beside_the_layers_that_are_named(policy, tmp_path):
    _, after = train(policy, tmp_path, trainable="lora", lora_targets=("q_proj", "v_proj"))
    changed = {name for name, weight in weights(policy).items() if not weight.equal(weights(after)[name])}
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "v_proj"}


def test_a_layer_that_the_model_lacks_is_a_mistake_that_names_those_it_has(policy, tmp_path):
    told = r"update\.lora_targets=.* no linear layer c_attn; it has down_proj,.*v_proj$"
    with pytest.raises(ConfigError, match=told):
        train(policy, tmp_path, trainable="lora", lora_targets=("q_proj", "c_attn"))


def test_more_top_layers_than_layers_is_a_mistake(policy, tmp_path):
    with pytest.raises(ConfigError, match="top_layers=12, but the model has 3 layers"):
        train(policy, tmp_path, top_layers=12)


def test_schedules_and_warmup(policy, tmp_path):
    bytes_of = set()
    for schedule in ("constant", "linear", "cosine"):
        folder: Path = tmp_path / schedule
        bytes_of.add(
            (train(policy, folder, schedule=schedule, warmup_steps=2)[1].path / "model.safetensors").read_bytes()
        )
    assert len(bytes_of) == 3


THOUGHT = "<think>he</think>\n"


def test_a_thought_is_trained_unless_it_is_dropped(policy, tmp_path):
    thoughtful = [replace(example, thought=THOUGHT) for example in EXAMPLES]
    answer = len(completion("hello you"))
    both = len(completion(THOUGHT + "hello you"))
    tokens, trained = {}, {}
    for name, rows, choice in (("plain", EXAMPLES, "keep"), ("keep", thoughtful, "keep"), ("drop", thoughtful, "drop")):
        (tmp_path / name).mkdir()
        result, after = train(policy, tmp_path / name, rows, epochs=1, thought=choice)
        tokens[name] = result.tokens_trained
        trained[name] = (after.path / "model.safetensors").read_bytes()
    assert tokens == {"plain": 10 * answer, "keep": 10 * both, "drop": 10 * answer}
    assert trained["drop"] == trained["plain"] != trained["keep"]


def test_keeping_thoughts_is_no_part_of_the_key():
    assert identity(SPEC) == identity(SPEC.model_copy(update={"thought": "keep"}))
    assert identity(SPEC.model_copy(update={"thought": "drop"}))["thought"] == "drop"
