"""Rejection-sampling fine-tuning: the next policy learns the chosen answers, with TRL's SFTTrainer."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from selfreward.backends.chat import completion_ids, render_prompt
from selfreward.backends.device import resolve_device, resolve_dtype
from selfreward.backends.local import load_model, load_tokenizer, quiet
from selfreward.errors import ConfigError, StarvedLoop
from selfreward.records import Example, Policy
from selfreward.spec import Spec, execution

_NO_LOSS = -100


class RftSpec(Spec):
    """How to train on chosen answers. Weights are float32; `compute` is the type that the steps calculate in.

    `trainable` is all weights, the last `top_layers` decoder layers with the final norm, or LoRA adapters on every
    linear layer, merged before saving; LoRA wants a learning rate about ten times that of the others. Rows of more
    than `max_tokens` tokens (prompt and answer) are left out and counted, never cut. `init` names the policy that
    training starts from: the one that drew the answers, or the one of iteration 0. With `isolate`, training runs in
    a process of its own; `auto` does so on a GPU, whose memory comes back only that way.
    """

    kind: Literal["rft"] = "rft"
    learning_rate: float = Field(5e-5, gt=0)
    batch_size: PositiveInt = 8
    epochs: PositiveInt = 1
    trainable: Literal["full", "top_layers", "lora"] = "top_layers"
    top_layers: PositiveInt = 12
    lora_rank: PositiveInt = 16
    lora_alpha: PositiveInt = 32
    warmup_steps: NonNegativeInt = 0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    max_grad_norm: float = Field(1.0, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    max_tokens: PositiveInt = 512
    init: Literal["previous", "initial"] = "previous"
    compute: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gradient_checkpointing: bool = False
    trust_remote_code: bool = False
    isolate: Literal["auto", "always", "never"] = execution("auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class RftResult:
    """What the training saw.

    `tokens_trained` counts the answer tokens that bore loss, once for each epoch; `mean_loss` is in nats per such
    token, averaged over the steps.
    """

    rows_trained: int
    rows_too_long: int
    steps: int
    tokens_trained: int
    mean_loss: float
    trainable_parameters: int
    total_parameters: int


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
    advance: Callable[[int, int], None],
) -> RftResult:
    """Trains `policy` on `examples` and writes the new model with its tokenizer to `out`.

    On a CPU the same call writes the same bytes. `advance(step, steps)` is called after each step; `scratch` is
    where the trainer may leave files.

    Raises:
        StarvedLoop: no row is short enough.
        ConfigError: `top_layers` exceeds the model's layers, or several GPUs are visible.
        BackendError: the policy's folder cannot be loaded.
    """
    device = resolve_device(spec.device)
    tokenizer = load_tokenizer(policy.path, trust_remote_code=spec.trust_remote_code)
    rows = tokenize_examples(tokenizer, examples)
    kept = [row for row in rows if len(row.input_ids) <= spec.max_tokens]
    too_long = len(rows) - len(kept)
    if not kept:
        raise StarvedLoop(
            f"0 rows to train on: all {len(rows)} are longer than update.max_tokens={spec.max_tokens}, so raise it"
        )
    model = load_model(policy.path, dtype="float32", device=device, trust_remote_code=spec.trust_remote_code)
    total = sum(weight.numel() for weight in model.parameters())
    # The trainer writes its own choices into the configs; what is saved should differ in weights only.
    configs = copy.deepcopy(model.config), copy.deepcopy(model.generation_config)
    if spec.trainable == "top_layers":
        _freeze_below(model, spec.top_layers)
    tokenizer.save_pretrained(out)
    with quiet():
        trainer = _make_trainer(spec, model, tokenizer, kept, scratch, seed, device, advance)
        trained = sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad)
        outcome = trainer.train()
        model = trainer.model.merge_and_unload() if spec.trainable == "lora" else trainer.model
        model.config, model.generation_config = configs
        save_model(model, out)
    return RftResult(
        rows_trained=len(kept),
        rows_too_long=too_long,
        steps=outcome.global_step,
        tokens_trained=spec.epochs * sum(label != _NO_LOSS for row in kept for label in row.labels),
        mean_loss=outcome.training_loss,
        trainable_parameters=trained,
        total_parameters=total,
    )


def tokenize_examples(tokenizer: Any, examples: Sequence[Example]) -> list[_Row]:
    """One row for each example, with exactly the tokens that the backend scores: prompt, answer, end of turn."""
    rows = []
    for example in examples:
        prompt = render_prompt(tokenizer, example.messages)
        completion = completion_ids(tokenizer, example.text, ended=True)
        rows.append(_Row([*prompt, *completion], [*([_NO_LOSS] * len(prompt)), *completion]))
    return rows


def save_model(model: Any, out: Path) -> None:
    """Writes weights and configs to `out`; the weights are one file, so that equal weights are equal bytes."""
    model.save_pretrained(out, max_shard_size="1000GB")


def _freeze_below(model: Any, top_layers: int) -> None:
    """Leaves gradients to the last `top_layers` decoder layers and to the norm behind them."""
    from torch.nn import ModuleList

    base = model.base_model
    lists = [(len(part), name) for name, part in base.named_modules() if isinstance(part, ModuleList)]
    if not lists:
        raise ConfigError(f"{type(model).__name__} has no list of decoder layers: set trainable=full or lora")
    count, name = max(lists)
    if top_layers > count:
        raise ConfigError(f"top_layers={top_layers}, but the model has {count} layers: set at most {count}")
    model.requires_grad_(False)
    for layer in base.get_submodule(name)[-top_layers:]:
        layer.requires_grad_(True)
    for child, part in base.get_submodule(name.rpartition(".")[0]).named_children():
        if "norm" in child or child == "ln_f":
            part.requires_grad_(True)


def _make_trainer(
    spec: RftSpec,
    model: Any,
    tokenizer: Any,
    rows: list[_Row],
    scratch: Path,
    seed: int,
    device: str,
    advance: Callable[[int, int], None],
) -> Any:
    """An SFTTrainer that takes `rows` as they are: it neither tokenises, cuts, packs, saves nor reports."""
    from datasets import Dataset
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    columns = {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
    trainer = SFTTrainer(
        model=model,
        args=_trainer_settings(spec, len(rows), scratch, seed, device),
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(pad_token_id=pad),
        peft_config=_adapter(spec) if spec.trainable == "lora" else None,
        callbacks=[_progress_callback(advance)],
    )
    return _without_printer(trainer)


def _trainer_settings(spec: RftSpec, rows: int, scratch: Path, seed: int, device: str) -> Any:
    import torch
    from trl.trainer.sft_config import SFTConfig

    if device == "cuda" and torch.cuda.device_count() > 1:
        raise ConfigError("several GPUs are visible and training uses one: set CUDA_VISIBLE_DEVICES=0")
    constant = "constant_with_warmup" if spec.warmup_steps else "constant"
    return SFTConfig(
        output_dir=str(scratch),
        use_cpu=device == "cpu",
        bf16=resolve_dtype(spec.compute, "cuda" if device == "cuda" else "cpu") == "bfloat16",
        per_device_train_batch_size=spec.batch_size,
        num_train_epochs=spec.epochs,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=constant if spec.schedule == "constant" else spec.schedule,
        warmup_steps=spec.warmup_steps,
        max_grad_norm=spec.max_grad_norm,
        weight_decay=spec.weight_decay,
        seed=seed,
        data_seed=seed,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        gradient_checkpointing=spec.gradient_checkpointing,
        dataloader_pin_memory=device == "cuda",
        logging_steps=max(1, math.ceil(rows / spec.batch_size)),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _adapter(spec: RftSpec) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=spec.lora_rank,
        lora_alpha=spec.lora_alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _progress_callback(advance: Callable[[int, int], None]) -> Any:
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            advance(state.global_step, state.max_steps)

    return Progress()


def _without_printer(trainer: Any) -> Any:
    """Takes out the callback that prints every log entry where progress bars are off."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer
