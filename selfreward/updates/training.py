"""What every training with TRL shares: settings, what is frozen, how the trained policy is saved."""

import copy
import math
import shutil
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, NonNegativeInt, PositiveInt

from selfreward.backends.chat import Chat, pad_id
from selfreward.backends.device import Device, Dtype, resolve_device, resolve_dtype
from selfreward.backends.model_folder import first_without_numbers
from selfreward.backends.model_loading import load_model
from selfreward.backends.model_saving import save_weights
from selfreward.backends.new_tokens import NewTokens
from selfreward.backends.rendering import write_rendering
from selfreward.errors import ConfigError, StageError, StarvedLoop
from selfreward.installed import version
from selfreward.policies import Policy
from selfreward.replaced import replaced
from selfreward.spec import Json, execution, neutral
from selfreward.updates.adapters import Targets, lora_settings
from selfreward.updates.autocast_weights import cast_once
from selfreward.updates.base import StepAdvance, UpdateBase
from selfreward.updates.checkpoints import train_on
from selfreward.updates.head_gradient import head_kept_whole
from selfreward.updates.libraries import load_trainers
from selfreward.updates.new_rows import train_rows
from selfreward.updates.packed_steps import rows_packed
from selfreward.updates.scored_positions import trained_positions_alone
from selfreward.updates.training_steps import mean_loss, no_numbers, watch_steps

MakeTrainer = Callable[[dict[str, Any], dict[str, Any]], Any]
Row = TypeVar("Row", bound=Sized)


class TrainingBase(UpdateBase):
    """How to train. Weights are float32; `compute` is the type that the steps calculate in.

    `trainable` is all weights, the last `top_layers` decoder layers with the final norm, or LoRA adapters on the linear
    layers that `lora_targets` names, all of them or the ends of their names, merged before saving; LoRA wants a
    learning rate about ten times that of the others. Rows of more than `max_tokens` tokens (prompt and answer) are left
    out and counted, never cut. `init` names the policy that training starts from: the one that drew the answers, or the
    one of iteration 0. `thought` says what becomes of a thought before an answer, the policy's own or a person's:
    `keep` trains on it as on the answer, `drop` on the answer alone. With `isolate`, training runs in a process of its
    own; `auto` does so on a GPU, whose memory comes back only that way. With `save_steps`, training that was killed
    goes on from the last step that is a multiple of it.
    """

    group: ClassVar[str] = "update"
    """What its settings are typed behind."""

    learning_rate: float = Field(5e-5, gt=0)
    batch_size: PositiveInt = 8
    epochs: PositiveInt = 1
    trainable: Literal["full", "top_layers", "lora"] = "top_layers"
    top_layers: PositiveInt = 12
    lora_rank: PositiveInt = 16
    lora_alpha: PositiveInt = 32
    lora_targets: Targets = neutral("all-linear")
    warmup_steps: NonNegativeInt = 0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    max_grad_norm: float = Field(1.0, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    max_tokens: PositiveInt = 512
    init: Literal["previous", "initial"] = "previous"
    thought: Literal["keep", "drop"] = neutral("keep")
    compute: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gradient_checkpointing: bool = False
    trust_remote_code: bool = False
    isolate: Literal["auto", "always", "never"] = execution("auto")
    save_steps: NonNegativeInt = execution(0)

    def engine(self) -> dict[str, Json]:
        """What decides the outcome besides the settings; reading it loads nothing."""
        versions: dict[str, Json] = {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
        kernels: dict[str, Json] = {"attention": "without cudnn"} if device_of(self) == "cuda" else {}
        return {**versions, **kernels, "device": device_of(self), "compute": compute_of(self)}

    @property
    def lasting(self) -> bool:
        """As it is set."""
        return self.save_steps > 0

    @property
    def apart(self) -> bool:
        """Whether training runs in a process of its own."""
        return self.isolate == "always" or (self.isolate == "auto" and device_of(self) == "cuda")


def device_of(spec: TrainingBase) -> Device:
    """Where to train."""
    return resolve_device(spec.device)


def compute_of(spec: TrainingBase) -> Dtype:
    """The type that the steps calculate in."""
    return resolve_dtype(spec.compute, device_of(spec))


def model_of(spec: TrainingBase, policy: Policy) -> Any:
    """The policy's model in float32. Raises BackendError where its folder cannot be loaded."""
    return load_model(policy.path, dtype="float32", device=device_of(spec), trust_remote_code=spec.trust_remote_code)


def model_to_train(spec: TrainingBase, policy: Policy) -> Any:
    """As `model_of`, with gradients where `spec.trainable` wants them. Raises ConfigError for too many `top_layers`."""
    return with_gradients(spec, model_of(spec, policy))


def with_gradients(spec: TrainingBase, model: Any) -> Any:
    """`model` with gradients where `spec.trainable` wants them. Raises ConfigError for too many `top_layers`."""
    from torch.nn import ModuleList

    if spec.trainable != "top_layers":
        return model
    base = model.base_model
    lists = [(len(part), name) for name, part in base.named_modules() if isinstance(part, ModuleList)]
    if not lists:
        raise ConfigError(f"{type(model).__name__} has no list of decoder layers: set trainable=full or lora")
    count, name = max(lists)
    if spec.top_layers > count:
        raise ConfigError(f"top_layers={spec.top_layers}, but the model has {count} layers: set at most {count}")
    model.requires_grad_(False)
    for layer in base.get_submodule(name)[-spec.top_layers :]:
        layer.requires_grad_(True)
    for child, part in base.get_submodule(name.rpartition(".")[0]).named_children():
        if "norm" in child or child == "ln_f":  # the norm behind the layers
            part.requires_grad_(True)
    return model


def _trainer_settings(spec: TrainingBase, scratch: Path, seed: int) -> dict[str, Any]:
    """The arguments that any TRL config takes. Raises ConfigError where several GPUs are visible."""
    import torch

    device = device_of(spec)
    if device == "cuda" and torch.cuda.device_count() > 1:
        raise ConfigError("several GPUs are visible and training uses one: set CUDA_VISIBLE_DEVICES=0")
    constant = "constant_with_warmup" if spec.warmup_steps else "constant"
    return {
        "output_dir": str(scratch),
        "use_cpu": device == "cpu",
        "bf16": compute_of(spec) == "bfloat16",
        "per_device_train_batch_size": spec.batch_size,
        "num_train_epochs": spec.epochs,
        "learning_rate": spec.learning_rate,
        "lr_scheduler_type": constant if spec.schedule == "constant" else spec.schedule,
        "warmup_steps": spec.warmup_steps,
        "max_grad_norm": spec.max_grad_norm,
        "weight_decay": spec.weight_decay,
        "seed": seed,
        "data_seed": seed,
        "max_length": None,
        "gradient_checkpointing": spec.gradient_checkpointing,
        "dataloader_pin_memory": device == "cuda",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps" if spec.lasting else "no",
        "save_steps": max(1, spec.save_steps),
        "report_to": "none",
        "disable_tqdm": True,
    }


def short_enough(spec: TrainingBase, rows: Sequence[Row], what: str) -> list[Row]:
    """The rows of at most `max_tokens` tokens. Raises StarvedLoop where none of these `what` is."""
    kept = [row for row in rows if len(row) <= spec.max_tokens]
    if not kept:
        raise StarvedLoop(
            f"0 {what} to train on: all {len(rows)} are longer than {spec.group}.max_tokens={spec.max_tokens}, so "
            "raise it"
        )
    return kept


def _trainer_inputs(spec: TrainingBase, model: Any, chat: Chat, columns: dict[str, list[Any]]) -> dict[str, Any]:
    """What any TRL trainer is given besides its config; the LoRA settings are None where none are wanted."""
    from datasets import Dataset

    tokenizer = copy.deepcopy(chat.tokenizer)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad_id(chat, model.get_input_embeddings().num_embeddings))
    if tokenizer.eos_token is None:
        tokenizer.eos_token = chat.rendering.end_of_turn
    lora = None
    if spec.trainable == "lora":
        targets, setting = spec.lora_targets, f"{spec.group}.lora_targets"
        lora = lora_settings(model, targets, rank=spec.lora_rank, alpha=spec.lora_alpha, setting=setting)
    return {
        "model": model,
        "train_dataset": Dataset.from_dict(columns),
        "processing_class": tokenizer,
        "peft_config": lora,
    }


def train(
    spec: TrainingBase,
    make_trainer: MakeTrainer,
    model: Any,
    chat: Chat,
    columns: dict[str, list[Any]],
    scratch: Path,
    seed: int,
    advance: StepAdvance,
    new_tokens: NewTokens | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The model trained on `columns`, adapters merged, with the configs it had before, and what the trainer did.

    The rows of `new_tokens` are trained whatever else is frozen.

    `make_trainer` is given the arguments of its config and its own; it writes choices of its own into the model's
    configs, and what is saved should differ in weights only. With `spec.save_steps` it leaves checkpoints in `scratch`
    and goes on from the last one there. Raises StageError at the step whose numbers are none.
    """
    load_trainers()
    from peft.helpers import disable_input_dtype_casting
    from transformers import GenerationConfig, PrinterCallback

    total = sum(weight.numel() for weight in model.parameters())
    configs = copy.deepcopy(model.config), copy.deepcopy(model.generation_config)
    rows = len(next(iter(columns.values())))
    if model.generation_config is not None:  # transformers refuses to write some that model authors ship
        model.generation_config = GenerationConfig()
    settings = _trainer_settings(spec, scratch, seed)
    trainer = make_trainer(settings, _trainer_inputs(spec, model, chat, columns))
    # It prints every log entry where progress bars are off.
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch_steps(spec.group, advance))
    trainable = sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad)
    if new_tokens is not None:
        trainable += train_rows(spec.weight_decay, trainer.model, new_tokens)
    once = cast_once(trainer.model, compute_of(spec), frozen=True)
    uncast = disable_input_dtype_casting(trainer.model)  # autocast casts what adapters read; PEFT would there and back
    with _sound_attention(), trained_positions_alone(), rows_packed(model), uncast, once as cast, head_kept_whole(cast):
        steps = train_on(trainer, scratch) if spec.lasting else trainer.train().global_step
    merge = getattr(trainer.model, "merge_and_unload", None)
    trained = trainer.model if merge is None else merge()
    lost = first_without_numbers(trained)
    if lost is not None:
        raise StageError(no_numbers(steps, f"the weights {lost} hold", spec.group))
    trained.config, trained.generation_config = configs
    return trained, {
        "steps": steps,
        "mean_loss": mean_loss(trainer.state.log_history, math.ceil(rows / spec.batch_size)),
        "trainable_parameters": trainable,
        "total_parameters": total,
    }


def unhashed(module: Any) -> AbstractContextManager[None]:
    """Inside, TRL's `module` of a trainer takes no hash of all weights: it would name a cache, and there is none."""
    return replaced(module, hash_module=lambda _model: None)


@contextmanager
def _sound_attention() -> Iterator[None]:
    """Training without cuDNN's attention, whose backward pass can give NaN from torch 2.11 on.

    It does at 64 tokens more than a multiple of 128, with a mask, on H100 and H200 (github.com/pytorch/pytorch, issue
    196678); torch then takes another kernel. Scoring has no backward pass.
    """
    from torch.backends import cuda

    before = cuda.cudnn_sdp_enabled()
    cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        cuda.enable_cudnn_sdp(before)


def save_policy(model: Any, chat: Chat, out: Path, *, like: Path) -> None:
    """Writes model and tokenizer to `out`, with the chat template and what is settled about rendering.

    The generation config is that of the policy in `like`, to the letter: transformers would refuse to write many that
    model authors ship.
    """
    from transformers import GenerationConfig

    chat.tokenizer.save_pretrained(out)
    write_rendering(out, chat.rendering)
    model.generation_config = GenerationConfig()
    save_weights(model, out)
    name = "generation_config.json"
    (out / name).unlink(missing_ok=True)
    if (like / name).exists():
        shutil.copyfile(like / name, out / name)
