"""Part of bench_engines.py: the updates, beside a script that calls TRL as its documentation does."""

import io
import tempfile
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from pairs import Done, Wanted, in_turn, row, timed

from selfreward.backends.chat import answer_tokens
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.data.embedded import load_everyday
from selfreward.policies import Policy
from selfreward.records import Example, PreferencePair, digest_of
from selfreward.updates.dpo import DpoSpec, tokenize_pairs, train_dpo
from selfreward.updates.rft import RftSpec, tokenize_examples, train_rft
from selfreward.updates.training import TrainingBase, _trainer_settings, compute_of

SYSTEM = "Answer in one short sentence."


def training(policy: Policy, pairs: int, rows: int) -> None:
    """RFT and DPO as they come, model loading and saving included, beside SFTTrainer and DPOTrainer on equal rows."""
    chat = load_chat(policy.path, trust_remote_code=False)
    preferred = preference_pairs(policy, rows)
    examples = [example_of(chat, one) for one in preferred]
    ways = (
        ("RFT", RftSpec(device="cpu"), partial(our_rft, policy, examples), partial(bare_sft, policy, chat, examples)),
        ("DPO", DpoSpec(device="cpu"), partial(our_dpo, policy, preferred), partial(bare_dpo, policy, chat, preferred)),
    )
    for (name, spec, ours, bare), bound in zip(ways, (1.0, 1.03), strict=True):
        for way in (ours, bare):  # what is imported and compiled once
            way(spec, 0)
        found = in_turn(partial(ours, spec), partial(bare, spec), pairs)
        print(
            row(f"{name} update beside bare TRL", found, "update", Wanted(bound, least=False), of_time=True), flush=True
        )


def preference_pairs(policy: Policy, count: int) -> list[PreferencePair]:
    """The accepted answer to an everyday question over that to the next, which the length of both varies with."""
    asked = load_everyday("train", SYSTEM)[:count]
    return [
        PreferencePair(
            id=digest_of("pair", one.id),
            prompt_id=one.id,
            messages=one.messages,
            chosen=f"The answer is {one.references[0]}.",
            rejected=f"I would say that it is {other.references[0]}, but I am not sure.",
            origin="self",
            stratum=one.stratum,
            chosen_tokens=0,
            rejected_tokens=0,
            margin=None,
        )
        for one, other in zip(asked, [*asked[1:], asked[0]], strict=True)
    ]


def example_of(chat, pair: PreferencePair) -> Example:
    """The chosen answer alone."""
    tokens = len(answer_tokens(chat, pair.chosen, ended=True).completion)
    return Example(
        id=pair.id,
        prompt_id=pair.prompt_id,
        messages=pair.messages,
        text=pair.chosen,
        origin="self",
        stratum=pair.stratum,
        tokens=tokens,
    )


def in_folders(train) -> Done:
    """What `train` takes, given a folder for the model and one for the trainer."""
    with tempfile.TemporaryDirectory() as name:
        out, scratch = Path(name) / "out", Path(name) / "scratch"
        scratch.mkdir()

        def update() -> float:
            train(out, scratch)
            return 1

        return timed(update)


def our_rft(policy: Policy, examples: list[Example], spec: RftSpec, seed: int) -> Done:
    """`train_rft`."""
    return in_folders(lambda out, scratch: train_rft(spec, policy, examples, out, scratch, seed, lambda *_: None))


def our_dpo(policy: Policy, preferred: list[PreferencePair], spec: DpoSpec, seed: int) -> Done:
    """`train_dpo`, with the policy itself as reference."""
    return in_folders(
        lambda out, scratch: train_dpo(spec, policy, policy, preferred, out, scratch, seed, lambda *_: None)
    )


def bare_sft(policy: Policy, chat, examples: list[Example], spec: RftSpec, seed: int) -> Done:
    """SFTTrainer on the tokens of the same rows, tokenised before."""
    rows = tokenize_examples(chat, examples)
    columns = {"input_ids": [one.input_ids for one in rows], "labels": [one.labels for one in rows]}

    def train(out: Path, scratch: Path) -> None:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        model, tokenizer = loaded(policy, spec)
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(**_trainer_settings(spec, scratch, seed)),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
        )
        trainer.train()
        trainer.save_model(str(out))

    with quiet(), redirect_stdout(io.StringIO()):  # it prints its figures
        return in_folders(train)


def bare_dpo(policy: Policy, chat, preferred: list[PreferencePair], spec: DpoSpec, seed: int) -> Done:
    """DPOTrainer on the tokens of the same pairs, tokenised before; its own copy of the model is the reference."""
    rows = tokenize_pairs(chat, preferred)
    columns = {
        "prompt_ids": [one.prompt for one in rows],
        "chosen_ids": [one.chosen for one in rows],
        "rejected_ids": [one.rejected for one in rows],
    }

    def train(out: Path, scratch: Path) -> None:
        from datasets import Dataset
        from trl import DPOConfig, DPOTrainer

        class Tokenised(DPOTrainer):
            """Takes rows that are tokens."""

            def _prepare_dataset(self, dataset, *_):
                return dataset

        model, tokenizer = loaded(policy, spec)
        trainer = Tokenised(
            model=model,
            args=DPOConfig(**_trainer_settings(spec, scratch, seed), beta=spec.beta),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
        )
        trainer.train()
        trainer.save_model(str(out))

    with quiet(), redirect_stdout(io.StringIO()):  # it prints its figures
        return in_folders(train)


def loaded(policy: Policy, spec: TrainingBase):
    """Model and tokenizer as transformers loads them, with gradients in the layers that `spec` trains."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert compute_of(spec) in {"float32", "bfloat16"}  # which the settings of the trainer say
    model = AutoModelForCausalLM.from_pretrained(policy.path, dtype=torch.float32)
    model.requires_grad_(False)
    for part in [*model.model.layers[-spec.top_layers :], model.model.norm]:
        part.requires_grad_(True)
    return model, AutoTokenizer.from_pretrained(policy.path)
