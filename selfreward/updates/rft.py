"""Rejection-sampling fine-tuning: the next policy learns the chosen answers, with TRL's SFTTrainer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from selfreward.backends.chat import Chat, answer_tokens, render_prompt
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.backends.new_tokens import read_new_tokens
from selfreward.policies import Policy
from selfreward.records import Example
from selfreward.row_kinds import EXAMPLES, RowKind
from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.training import (
    TrainingBase,
    model_to_train,
    save_policy,
    short_enough,
    train,
)

_NO_LOSS = -100


class RftSpec(TrainingBase):
    """How to train on chosen answers: the loss is the mean over the tokens of thoughts and answers."""

    trains_on: ClassVar[tuple[RowKind, ...]] = (EXAMPLES,)

    kind: Literal["rft"] = "rft"

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the examples of `task` saw and did."""
        examples = [row for row in task.rows if isinstance(row, Example)]
        return train_rft(self, task.policy, examples, task.out, scratch, task.seed, advance)


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt with its answer: the token ids, and as `labels` the same with the prompt masked."""

    input_ids: list[int]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.input_ids)


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
    the trainer may leave files. Raises StarvedLoop where no row is short enough, ConfigError for more `top_layers` than
    the model has or several GPUs, and BackendError for a policy that cannot be loaded.
    """
    chat = load_chat(policy.path, trust_remote_code=spec.trust_remote_code)
    shown = examples if spec.thought == "keep" else [replace(example, thought=None) for example in examples]
    rows = tokenize_examples(chat, shown)
    kept = short_enough(spec, rows, "rows")
    columns = {"input_ids": [row.input_ids for row in kept], "labels": [row.labels for row in kept]}
    model, new = model_to_train(spec, policy), read_new_tokens(policy.path)
    with quiet():
        trained, result = train(spec, _make_trainer, model, chat, columns, scratch, seed, advance, new_tokens=new)
        save_policy(trained, chat, out, like=policy.path)
    return Training(
        rows_trained=len(kept),
        rows_too_long=len(rows) - len(kept),
        tokens_trained=spec.epochs * sum(label != _NO_LOSS for row in kept for label in row.labels),
        **result,
    )


def tokenize_examples(chat: Chat, examples: Sequence[Example]) -> list[_Row]:
    """One row for each example, with the tokens that the backend scores: prompt, thought, answer, end of turn."""
    rows = []
    for example in examples:
        tokens = answer_tokens(chat, example.text, ended=True, thought=example.thought)
        prompt = [*render_prompt(chat, example.messages), *tokens.lead]
        rows.append(_Row([*prompt, *tokens.completion], [*([_NO_LOSS] * len(prompt)), *tokens.completion]))
    return rows


def _make_trainer(settings: dict[str, Any], inputs: dict[str, Any]) -> Any:
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

    return SFTTrainer(
        args=SFTConfig(**settings, dataset_kwargs={"skip_prepare_dataset": True}),
        data_collator=DataCollatorForLanguageModeling(pad_token_id=inputs["processing_class"].pad_token_id),
        **inputs,
    )
