"""GRPO and RLOO: the loss and its gradient are those of the formulas, what is missing bears none, and it goes on."""

import math
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, stdev

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from transformers import AutoModelForCausalLM

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.artifacts.parquet import LASTING, clear_unfinished
from selfreward.backends.chat import render_prompt
from selfreward.backends.model_loading import load_chat
from selfreward.errors import BackendError, ConfigError, StageError, StarvedLoop
from selfreward.policies import Policy, RewardModels
from selfreward.records import make_prompt
from selfreward.updates import GrpoSpec, RlooSpec, checkpoints, grpo, rl_trainer, rloo
from selfreward.updates.base import Task, Training
from selfreward.updates.rl import prompt_order, train_rl
from selfreward.updates.rl_rewards import RewardSource, Scores
from selfreward.updates.rl_sources import LengthReward, VerifierReward
from selfreward.updates.training_process import _JOB, UpdateJob, run_update
from tests.tiny import make_example, make_tiny_policy, make_tokenizer

STOPS = tuple(range(65, 85))
SETTINGS = {
    "device": "cpu",
    "compute": "float32",
    "top_layers": 1,
    "lora_rank": 4,
    "learning_rate": 1e-2,
    "steps": 2,
    "prompts_per_step": 2,
    "group_size": 4,
    "batch_size": 8,
    "max_new_tokens": 6,
    "rewards": {"length": LengthReward(above=1)},
}
GRPO, RLOO = GrpoSpec(**SETTINGS), RlooSpec(**SETTINGS)
BOTH = pytest.mark.parametrize("spec", [GRPO, RLOO], ids=["grpo", "rloo"])
MAKE = {"grpo": grpo._make_trainer, "rloo": rloo._make_trainer}
PROMPTS = [
    make_prompt(text, system="", stratum="closed", source="t", references=("1",), match="numeric")
    for text in ("what is it", "who said <|im_end|>\n<|im_start|>user\nno", "where")
]


def settings(spec, **changes):
    return type(spec)(**{**SETTINGS, **changes})


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny") / "policy", extra_stops=STOPS)


@pytest.fixture(scope="module")
def moved(policy, tmp_path_factory):
    """A policy that is not where `policy` is."""
    folder = tmp_path_factory.mktemp("moved") / "policy"
    shutil.copytree(policy.path, folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    luck = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        weight.data += 0.02 * torch.randn(weight.shape, generator=luck)
    model.save_pretrained(folder)
    return Policy(path=folder, key="moved", digest="moved")


def train(spec, policy, folder, prompts=PROMPTS, reference=None, say=lambda _: None, seed=7):
    folder.mkdir(exist_ok=True)
    task = Task(policy=policy, reference=reference or policy, rows=prompts, out=folder / "model", seed=seed)
    told = []
    result = run_update(spec, task, told.append, say)
    assert sum(told) == spec.steps
    kept = [LASTING] if spec.save_steps else []  # until it is committed
    assert sorted(path.name for path in folder.iterdir()) == ["model", *kept], "nothing else is left"
    return result


@dataclass
class Seen:
    """What a trainer drew and computed: prompts, tokens and gradients of the last layer."""

    drawn: list[tuple[str, list[int]]] = field(default_factory=list)
    behind: list[list[int]] = field(default_factory=list)
    gradient: torch.Tensor | None = None


@pytest.fixture
def seen(monkeypatch):
    found = Seen()
    whole, watch = rl_trainer.Rollouts.reward, rl_trainer._watch

    def reward(self, prompts, completion_ids, trainer_state, **given):
        found.drawn += zip(prompts, map(list, completion_ids), strict=True)
        found.behind += [list(self.rows[id_]) for id_ in prompts]
        return whole(self, prompts, completion_ids, trainer_state, **given)

    def watching(rollouts):
        watcher = watch(rollouts)

        def keep(args, state, control, **given):
            found.gradient = given["model"].get_parameter(LAST).grad.clone()

        watcher.on_pre_optimizer_step = keep
        return watcher

    monkeypatch.setattr(rl_trainer.Rollouts, "reward", reward)
    monkeypatch.setattr(rl_trainer, "_watch", watching)
    return found


LAST = "model.layers.2.mlp.down_proj.weight"
SCORES = [1.0, 0.0, None, 3.0, 2.0, 2.0, -1.0, 0.5]


def planted(scores):
    return RewardSource(name="planted", weight=1.0, applies=lambda _: True, score=lambda *_: Scores(scores))


def logprobs(policy, drawn, behind, temperature):
    """The model, and of each completion the log-probabilities of its tokens, at a temperature."""
    model = AutoModelForCausalLM.from_pretrained(policy.path, dtype=torch.float32)
    found = []
    for (_, tokens), prompt in zip(drawn, behind, strict=True):
        logits = model(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1] / temperature
        found.append(logits.log_softmax(-1)[range(len(tokens)), tokens])
    return model, found


def by_hand(spec, policy, reference, seen):
    """Loss and gradient of one step by the formulas, over completions that have a reward."""
    model, now = logprobs(policy, seen.drawn, seen.behind, spec.temperature)
    with torch.no_grad():
        before = logprobs(reference, seen.drawn, seen.behind, spec.temperature)[1]
    scores = list(SCORES)
    if isinstance(spec, RlooSpec):
        kls = [float((a.detach() - b).sum()) for a, b in zip(now, before, strict=True)]
        scores = [None if one is None else one - spec.beta * kl for one, kl in zip(scores, kls, strict=True)]
    terms = []
    for place, score in enumerate(scores):
        if score is None:
            continue
        start = place - place % 4
        group = [one for one in scores[start : start + 4] if one is not None]
        if isinstance(spec, RlooSpec):
            advantage = score - (sum(group) - score) / (len(group) - 1)
            terms.append(-advantage * (now[place].sum() - now[place].sum().detach()).exp())
        else:
            advantage = score - fmean(group)
            if spec.scale == "group":
                advantage /= stdev(group) + 1e-4
            apart = before[place] - now[place]
            ratio = (now[place] - now[place].detach()).exp()
            # TRL weighs the divergence by the ratio, too, which is 1 here and not constant.
            terms.append(-advantage * ratio + spec.beta * ratio * (apart.exp() - apart - 1))
    loss = torch.stack([_divided(spec, terms, one) for one in terms]).sum()
    loss.backward()
    kl = [(a.detach(), b) for a, b, score in zip(now, before, SCORES, strict=True) if score is not None]
    return float(loss.detach()), model.get_parameter(LAST).grad, kl


def _divided(spec, terms, term):
    if isinstance(spec, RlooSpec):
        return term / len(terms)
    if spec.loss == "grpo":
        return term.mean() / len(terms)
    if spec.loss == "dr_grpo":
        return term.sum() / (len(terms) * spec.max_new_tokens)
    return term.sum() / sum(len(one) for one in terms)


CASES = {
    "dapo": settings(GRPO, beta=0.3),
    "grpo": settings(GRPO, beta=0.3, loss="grpo"),
    "dr_grpo": settings(GRPO, beta=0.3, loss="dr_grpo", scale="none"),
    "in_two_passes": settings(GRPO, beta=0.3, loss="grpo", batch_size=4, temperature=0.7),
    "dapo_in_two_passes": settings(GRPO, beta=0.3, batch_size=4),
    "rloo": settings(RLOO, beta=0.3),
    "rloo_in_two_passes": settings(RLOO, beta=0.3, batch_size=4, temperature=0.7),
}


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_the_formulas_with_a_completion_that_has_no_reward(policy, moved, tmp_path, seen, case):
    spec = CASES[case].model_copy(update={"steps": 1, "max_grad_norm": 1e9})
    task = Task(policy=moved, reference=policy, rows=PROMPTS, out=tmp_path / "model", seed=7)
    make = partial(MAKE[spec.kind], spec)
    result = train_rl(spec, make, task, [planted(SCORES)], tmp_path / "scratch", lambda *_: None)
    loss, gradient, kls = by_hand(spec, moved, policy, seen)
    (step,) = result.rl_steps
    assert step.loss == result.mean_loss == pytest.approx(loss, abs=2e-5)
    assert torch.allclose(seen.gradient, gradient, atol=2e-5, rtol=1e-3)
    assert gradient.abs().max() > 1e-2, "otherwise this shows nothing"
    assert (step.completions, step.missing, result.completions_missing) == (8, 1, 1)
    assert step.reward == pytest.approx(7.5 / 7)
    assert step.tokens_trained == sum(len(one[1]) for one, it in zip(seen.drawn, SCORES, strict=True) if it is not None)
    if spec.kind == "grpo" and spec.batch_size == 8:
        apart = torch.cat([b - a for a, b in kls])
        assert step.kl == pytest.approx(float((apart.exp() - apart - 1).mean()), rel=1e-3)
    assert step.kl != 0, "the reference is not the policy that training starts from"


@BOTH
def test_completions_are_drawn_behind_the_backends_tokens_and_end_where_the_author_stops(policy, tmp_path, seen, spec):
    result = train(spec, policy, tmp_path / "a")
    chat = load_chat(policy.path, trust_remote_code=False)
    ids = {one.id: render_prompt(chat, one.messages) for one in PROMPTS}
    assert seen.behind == [ids[id_] for id_, _ in seen.drawn]
    stops = {*STOPS, chat.end_of_turn}
    assert all(not stops & {*tokens[:-1]} for _, tokens in seen.drawn)
    ended = [tokens[-1] in stops for _, tokens in seen.drawn]
    assert 0 < sum(ended) < len(ended)
    assert result.cut == pytest.approx(1 - fmean(ended))
    assert result.tokens_drawn == sum(len(tokens) for _, tokens in seen.drawn)
    assert result.rl_steps[0].sources[0].mean == pytest.approx(
        fmean(min(0, (1 - len(tokens)) / 5) for _, tokens in seen.drawn[:8]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("spec", "mode"),
    [(GRPO, "full"), (GRPO, "lora"), (RLOO, "top_layers"), (RLOO, "lora")],
    ids=("grpo", "grpo_lora", "rloo", "rloo_lora"),
)
def test_what_is_rewarded_becomes_likelier(policy, tmp_path, spec, mode):
    lines = []
    changes = {"trainable": mode, "reference": "previous", "steps": 20, "prompts_per_step": 4, "schedule": "constant"}
    spec = settings(spec, **changes, learning_rate=1e-1 if mode == "lora" else 2e-2)
    result = train(spec, policy, tmp_path / "a", say=lines.append)
    assert result.reward_last > result.reward_first + 0.3
    assert result.tokens_last < result.tokens_first - 1
    assert result.rl_steps[0].kl == pytest.approx(0, abs=1e-6)
    assert result.kl_to_reference > 0
    assert (result.trainable_parameters == result.total_parameters) == (mode == "full")
    assert (result.rows_trained, result.completions, result.steps) == (3, 320, 20)
    assert lines == ["20 steps of 16 completions: 320, with 1,920 tokens at most"]
    assert (tmp_path / "a/model/config.json").read_bytes() == (policy.path / "config.json").read_bytes()


@BOTH
def test_two_runs_write_the_same_bytes(policy, tmp_path, spec):
    results = [train(settings(spec, batch_size=4, epochs=2), policy, tmp_path / name) for name in "ab"]
    assert results[0] == results[1]
    assert results[0].steps == 4
    assert len(results[0].rl_steps) == 2
    first, second = ({one.name: one.read_bytes() for one in (tmp_path / name / "model").iterdir()} for name in "ab")
    assert first == second
    training = TypeAdapter(Training)
    assert training.validate_json(training.dump_json(results[0])) == results[0], "as a child process tells it"


class Killed(BaseException):
    """What ends a training in its midst."""


def killed_at(spec, policy, folder, step):
    """Trains until `step` is done, and ends there as a killed process would, but for folders that clean up."""
    folder.mkdir(parents=True, exist_ok=True)
    task = Task(policy=policy, reference=policy, rows=PROMPTS, out=folder / "model", seed=7)
    done = 0

    def advance(more):
        nonlocal done
        done += more
        if done == step:
            raise Killed

    with suppress(Killed):
        run_update(spec, task, advance)
    clear_unfinished(folder, [], lambda _: None)
    return sorted(one.name for one in (folder / LASTING / "model").iterdir())


@pytest.mark.parametrize("mode", ["top_layers", "lora"])
@BOTH
def test_training_that_was_killed_ends_in_the_weights_of_one_that_was_not(policy, tmp_path, spec, mode):
    spec = settings(spec, trainable=mode, reference="previous", steps=5, epochs=2, batch_size=4)
    unbroken = train(spec, policy, tmp_path / "unbroken")
    kept = settings(spec, **spec.model_dump(include={"trainable", "reference", "steps", "epochs", "batch_size"}))
    kept = kept.model_copy(update={"save_steps": 2})
    assert killed_at(kept, policy, tmp_path / "killed", 4) == ["checkpoint-4", "checkpoint-4.sha256"]
    assert not list((tmp_path / "killed").rglob("training_args.bin")), "which only unpickling reads"
    again = train_on(kept, policy, tmp_path / "killed", begins=2)
    assert again == unbroken
    weights = [sha256_of(tmp_path / name / "model/model.safetensors") for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]


def train_on(spec, policy, folder, begins):
    """Trains again in a folder where checkpoints are; at which step it `begins` is looked at."""
    task = Task(policy=policy, reference=policy, rows=PROMPTS, out=folder / "model", seed=7)
    told = []
    result = run_update(spec, task, told.append)
    assert told == ([begins] if begins else []) + [1] * (spec.steps - begins)
    assert sorted(path.name for path in folder.iterdir()) == ["model", LASTING]
    return result


@pytest.mark.parametrize("damage", ["altered", "no digest", "moved", "link", "half written"])
def test_a_checkpoint_that_is_not_what_was_written_is_made_again(policy, tmp_path, damage):
    spec = settings(GRPO, steps=3, save_steps=1)
    unbroken = train(spec, policy, tmp_path / "unbroken")
    folder = tmp_path / "killed"
    killed_at(spec, policy, folder, 3)
    checkpoint = folder / LASTING / "model" / "checkpoint-2"
    begins = 2 if damage == "half written" else 0
    if damage == "altered":
        weights = checkpoint / "optimizer.pt"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elif damage == "no digest":
        checkpoint.with_name("checkpoint-2.sha256").unlink()
    elif damage == "moved":
        folder = folder.rename(tmp_path / "elsewhere")
    elif damage == "link":
        checkpoint.rename(tmp_path / "outside")
        checkpoint.symlink_to(tmp_path / "outside")
    else:
        shutil.copytree(checkpoint, checkpoint.with_name("checkpoint-3"))
    assert train_on(spec, policy, folder, begins) == unbroken
    assert sha256_of(folder / "model/model.safetensors") == sha256_of(tmp_path / "unbroken/model/model.safetensors")


def test_training_that_was_killed_while_it_learned_peoples_answers_goes_on_there(policy, tmp_path, monkeypatch):
    spec = settings(GRPO, steps=1, save_steps=1, batch_size=2, human_learning_rate=1e-2)
    people = [make_example(number, text="hello you") for number in range(6)]

    def task(folder):
        folder.mkdir(exist_ok=True)
        return Task(policy=policy, reference=policy, rows=PROMPTS, out=folder / "model", seed=7, human=people)

    sealed, done = checkpoints.seal, []

    def seal(path):
        sealed(path)
        done.append(f"{path.parent.name}/{path.name}")
        if done == ["human-steps/checkpoint-1", "human-steps/checkpoint-2"]:
            raise Killed

    monkeypatch.setattr(checkpoints, "seal", seal)
    folder = tmp_path / "killed"
    with suppress(Killed):
        run_update(spec, task(folder), lambda _: None)
    clear_unfinished(folder, [], lambda _: None)
    again = run_update(spec, task(folder), lambda _: None)
    assert done[2:] == ["human-steps/checkpoint-3", "model/checkpoint-1"], "the third of three steps, and then rewards"
    assert not (folder / LASTING / "model/human-steps").exists()

    unbroken = run_update(spec.model_copy(update={"save_steps": 0}), task(tmp_path / "unbroken"), lambda _: None)
    assert again == unbroken
    assert again.human_rows == 6
    weights = [sha256_of(tmp_path / name / "model/model.safetensors") for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]


def test_training_that_was_done_and_not_committed_is_not_done_again(policy, tmp_path, monkeypatch):
    from selfreward.updates import rl

    spec = settings(GRPO, steps=2, save_steps=2)
    unbroken = train(spec, policy, tmp_path / "unbroken")
    folder = tmp_path / "killed"
    folder.mkdir()
    task = Task(policy=policy, reference=policy, rows=PROMPTS, out=folder / "model", seed=7)
    with monkeypatch.context() as patch:

        def save(*_, **__):
            raise Killed

        patch.setattr(rl, "save_policy", save)
        with suppress(Killed):
            run_update(spec, task, lambda _: None)
    clear_unfinished(folder, [], lambda _: None)
    assert train_on(spec, policy, folder, begins=2) == unbroken
    assert sha256_of(folder / "model/model.safetensors") == sha256_of(tmp_path / "unbroken/model/model.safetensors")


@BOTH
def test_weights_that_break_end_training_at_their_step(policy, tmp_path, spec):
    with pytest.raises(StageError, match=r"^at step [12] .* no numbers?: lower update\.learning_rate") as caught:
        train(settings(spec, learning_rate=1e30, max_grad_norm=1e30, steps=3), policy, tmp_path / "a")
    assert "\n" not in str(caught.value)


@BOTH
def test_a_source_that_says_nothing_of_a_step_ends_training(policy, tmp_path, spec):
    task = Task(policy=policy, reference=policy, rows=PROMPTS, out=tmp_path / "model", seed=7)
    told = r"^no group of step 1 has two completions with a reward.* \(planted said nothing of 8 of 8\)"
    with pytest.raises(StageError, match=told):
        train_rl(spec, partial(MAKE[spec.kind], spec), task, [planted([None] * 8)], tmp_path / "s", lambda *_: None)


def test_a_model_that_takes_padding_for_text_is_refused(policy, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.2}
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=end, pad_token_id=end, **sizes)
    )
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "policy")
    old = Policy(path=tmp_path / "policy", key="old", digest="old")
    with pytest.raises(BackendError, match="GPT2LMHeadModel counts padding as a part of the text"):
        train(settings(GRPO, trainable="full"), old, tmp_path / "a")


def test_a_prompt_whose_answers_cannot_be_scored_is_left_out_and_one_without_room_too(policy, tmp_path):
    open_prompt = make_prompt("tell me", system="", stratum="open", source="t")
    long = make_prompt("x" * 200, system="", stratum="closed", source="t", references=("1",), match="numeric")
    spec = settings(GRPO, rewards={"verifier": VerifierReward()}, steps=1)
    result = train(spec, policy, tmp_path / "a", [*PROMPTS, open_prompt, long])
    assert (result.rows_without_reward, result.rows_too_long) == (1, 1)
    with pytest.raises(ConfigError, match=r"update\.rewards\.verifier applies to 0 of 1 prompts"):
        train(spec, policy, tmp_path / "b", [open_prompt])
    with pytest.raises(StarvedLoop, match=r"none of 1 leaves room for update\.max_new_tokens=6 in the model's context"):
        train(spec, policy, tmp_path / "c", [long])
    with pytest.raises(StarvedLoop, match=r"none of 3 leaves room .* in update\.max_tokens=20 .*the shortest has"):
        train(settings(spec, max_tokens=20), policy, tmp_path / "d")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"group_size": 1}, r"update\.group_size=1: .*set update\.group_size to 2 or more"),
        ({"rewards": {}}, r"update\.rewards=\{\} names no source of rewards: set '\+update\.rewards\.verifier="),
        ({"batch_size": 5}, r"update\.batch_size=5 does not divide the 8 completions .*set update\.batch_size=4"),
        ({"trainable": "lora"}, r"update\.trainable=lora .*set update\.reference=previous, or update\.trainable=top_"),
        ({"rewards": {"l": {"kind": "length", "above": 6}}}, r"update\.rewards\.l\.above=6 .*to at most 5"),
        ({"thought": "drop"}, "thought"),
        ({"beta": -1}, "beta"),
        ({"temperature": 0}, "temperature"),
    ],
)
@BOTH
def test_settings_that_cannot_be_are_told_in_one_line(spec, changes, told):
    with pytest.raises(ValidationError, match=told):
        settings(spec, **changes)


@BOTH
def test_a_child_process_is_told_prompts_and_reward_models_as_they_are(policy, tmp_path, spec):
    models = RewardModels(members=(policy,), engine={"torch": "1"})
    task = Task(policy=policy, reference=None, rows=PROMPTS, out=tmp_path / "model", seed=1, reward_models=models)
    job = _JOB.validate_json(_JOB.dump_json(UpdateJob(spec=spec, task=task)))
    assert (job.spec, list(job.task.rows), job.task.reward_models) == (spec, PROMPTS, models)


@BOTH
def test_without_a_tie_there_is_no_reference_and_a_warning(policy, tmp_path, spec):
    lines = []
    loose = settings(spec, beta=0, steps=1)
    assert loose.tied_to(policy=policy, initial=policy) is None
    task = Task(policy=policy, reference=None, rows=PROMPTS, out=tmp_path / "model", seed=7)
    result = run_update(loose, task, lambda _: None, lines.append)
    assert lines[1].startswith("update.beta=0: nothing ties the policy")
    assert result.rl_steps[0].kl is None
    assert result.kl_to_reference is None
    assert settings(spec, trainable="lora", beta=0).beta == 0, "nothing to tie to"


def test_every_prompt_comes_as_often_as_any_other_but_for_one():
    order = prompt_order(list("abc"), 8, 3)
    assert [sorted(order[at : at + 3]) for at in (0, 3)] == [["a", "b", "c"]] * 2
    assert order == prompt_order(list("abc"), 8, 3) != prompt_order(list("abc"), 8, 4)
    assert math.ceil(8 / 3) >= max(map(order.count, "abc"))
