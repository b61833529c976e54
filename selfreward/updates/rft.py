"""Rejection-sampling fine-tuning: the next policy learns the chosen answers, with TRL's SFTTrainer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from selfreward.backends.chat import Chat, answer_tokens, render_prompt
from selfreward.backends.local import load_chat, quiet
from selfreward.errors import StarvedLoop
from selfreward.records import Example, Policy
from selfreward.updates.report import Training
from selfreward.updates.training import (
    StepAdvance,
    TrainingBase,
    adapter,
    model_to_train,
    padded,
    save_chat,
    save_model,
    train,
    trained_thought,
    trainer_settings,
)

_NO_LOSS = -100


class RftSpec(TrainingBase):
    """How to train on chosen answers: the loss is the mean over the tokens of thoughts and answers."""

    kind: Literal["rft"] = "rft"


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt with its answer: the token ids, and as `labels` the same with the prompt masked."""

    input_ids: list[int]
    labels: list[int]


def train_rft(
    spec: RftSpec,
    policy: Policy,
    examples: Sequence[Example],
    out: Path,
    scratch: Path,
    seed: int,
    advance: StepAdvance,
) -> Training:
    """Trains `policy` on `examples`, writes the new model with its tokenizer to `out`; what the training saw.

    On a CPU the same call writes the same bytes. `advance(step, steps)` is called after each step; `scratch` is where
    the trainer may leave files.

    Raises:
        StarvedLoop: no row is short enough.
        ConfigError: `top_layers` exceeds the model's layers, or several GPUs are visible.
        BackendError: the policy's folder cannot be loaded.
    """
    chat = load_chat(policy.path, trust_remote_code=spec.trust_remote_code)
    shown = [replace(example, thought=trained_thought(spec, example.thought)) for example in examples]
    rows = tokenize_examples(chat, shown)
    kept = [row for row in rows if len(row.input_ids) <= spec.max_tokens]
    if not kept:
        raise StarvedLoop(
            f"0 rows to train on: all {len(rows)} are longer than update.max_tokens={spec.max_tokens}, so raise it"
        )
    model = model_to_train(spec, policy)
    save_chat(chat, out)
    with quiet():
        trained, result = train(partial(_make_trainer, spec, model, chat, kept, scratch, seed), model, advance)
        save_model(trained, out, like=policy.path)
    return Training(
        rows_trained=len(kept),
        rows_too_long=len(rows) - len(kept),
        tokens_trained=spec.epochs * sum(label != _NO_LOSS for row in kept for label in row.labels),
        **asdict(result),
    )


def tokenize_examples(chat: Chat, examples: Sequence[Example]) -> list[_Row]:
    """One row for each example, with the tokens that the backend scores: prompt, thought, answer, end of turn."""
    rows = []
    for example in examples:
        tokens = answer_tokens(chat, example.text, ended=True, thought=example.thought)
        prompt = [*render_prompt(chat, example.messages), *tokens.lead]
        rows.append(_Row([*prompt, *tokens.completion], [*([_NO_LOSS] * len(prompt)), *tokens.completion]))
    return rows


def _make_trainer(spec: RftSpec, model: Any, chat: Chat, rows: Sequence[_Row], scratch: Path, seed: int) -> Any:
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

    tokenizer = padded(chat, model)
    columns = {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
    settings = trainer_settings(spec, len(rows), scratch, seed)
    return SFTTrainer(
        model=model,
        args=SFTConfig(**settings, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id),
        peft_config=adapter(spec),
    )
