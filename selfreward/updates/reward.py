"""A reward model learns which of two answers is the better one, with TRL's RewardTrainer.

Source: Bradley-Terry as in Ouyang et al. 2022 (2203.02155); margins as in Llama 2 (2307.09288); soft labels as in Lee
et al. 2023 (2309.00267); rewards are kept near 0 as in Eisenstein et al. 2023 (2312.09244).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from selfreward.backends.chat import Chat, pad_id
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.backends.model_saving import save_weights
from selfreward.backends.rendering import write_rendering
from selfreward.backends.reward_model import HEAD, Shown, load_reward_model, read_classifier, reward_rows
from selfreward.errors import BackendError
from selfreward.policies import Policy
from selfreward.records import PreferencePair
from selfreward.spec import execution, neutral
from selfreward.updates.base import StepAdvance
from selfreward.updates.reward_pairs import chance
from selfreward.updates.training import TrainingBase, device_of, short_enough, train, with_gradients


class RewardSpec(TrainingBase):
    """When and how to train a reward model; a thought before an answer is not shown to it.

    At the `start` of a run it is trained once, before round 0, on the pairs that people compared, or on those of an
    earlier run, `pairs_of`: the name of one, whose last mixture they are, or the folder of a mixture or a selection.
    In each `round` it is trained on the pairs of that round's mixture, and judges nothing.

    It starts as a policy (`init`; at the start of a run, the start model) with a head of one logit that is drawn at
    random, or as the reward model in the folder `path`. The loss of a pair whose rewards differ by d is
    -p log s(d - m) - (1 - p) log s(-d), with the sigmoid s: m is `margin_weight` times the margin of the pair, 0 where
    it carries none, and p its label, 1 where it carries none, of which `label_smoothing` is the share of pairs that may
    be the wrong way round. `centering` times the mean square of the sum of both rewards is added, which keeps their
    mean near 0.

    All pairs of a share of `held_out` prompts are kept out of training. An ensemble has `members`, each with a head and
    a resample of the prompts of its own. Fewer pairs than `min_pairs` end the run.
    """

    group: ClassVar[str] = "reward"

    train: Literal["start", "round"] = execution("start")
    pairs_of: str | None = execution(None)
    learning_rate: float = Field(1e-5, gt=0)
    thought: Literal["drop"] = neutral("drop")
    path: Path | None = execution(None)
    margin_weight: float = neutral(0.0, ge=0, allow_inf_nan=False)
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    centering: float = Field(0.01, ge=0)
    held_out: float = Field(0.1, gt=0, lt=1)
    members: PositiveInt = 1
    min_pairs: PositiveInt = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardTraining:
    """What the training of a reward model saw and did; `mean_loss` is over the steps, in nats a pair."""

    rows_trained: int
    rows_too_long: int
    rows_without_margin: int | None
    steps: int
    mean_loss: float
    trainable_parameters: int
    total_parameters: int


@dataclass(frozen=True, slots=True)
class _Row:
    """Token ids of both conversations of a pair, its margin and its label."""

    chosen: list[int]
    rejected: list[int]
    margin: float | None
    label: float

    def __len__(self) -> int:
        return max(len(self.chosen), len(self.rejected))


def train_reward(
    spec: RewardSpec,
    policy: Policy,
    pairs: Sequence[PreferencePair],
    out: Path,
    scratch: Path,
    seed: int,
    advance: StepAdvance,
) -> RewardTraining:
    """Trains a reward model on `pairs` and writes it to `out`, as transformers and TRL load it; what training saw.

    It starts from the model in the folder of `policy`, which is a reward model where `spec.path` is set. On a CPU the
    same call writes the same bytes. Raises StarvedLoop where no pair is short enough, StageError at the step whose
    numbers are none, and BackendError for a start that cannot be loaded.
    """
    chat = load_chat(policy.path, trust_remote_code=False)
    rows = tokenize_labelled(chat, pairs)
    kept = short_enough(spec, rows, "pairs")
    model = _start(spec, policy.path, seed)
    pad = _pad_token(chat, model, rows, keep=spec.path is not None)
    with quiet():
        make = partial(_make_trainer, spec, pad)
        trained, result = train(spec, make, model, chat, _columns(spec, kept), scratch, seed, advance)
        _save(trained, chat, pad, out)
    return RewardTraining(
        rows_trained=len(kept),
        rows_too_long=len(rows) - len(kept),
        rows_without_margin=sum(row.margin is None for row in kept) if spec.margin_weight else None,
        **result,
    )


@dataclass(frozen=True, kw_only=True)
class RewardJob:
    """The training of one reward model, `train_reward`, as a job that another process can be told of."""

    result: ClassVar[type[RewardTraining]] = RewardTraining

    spec: RewardSpec
    policy: Policy
    pairs: Sequence[PreferencePair]
    out: Path
    seed: int
    kind: Literal["reward"] = "reward"

    @property
    def apart(self) -> bool:
        """Whether it runs in a process of its own."""
        return self.spec.apart

    @property
    def told(self) -> tuple[str, ...]:
        """Nothing; the stage says what is to be said."""
        return ()

    @property
    def lasting(self) -> bool:
        """Whether the training keeps checkpoints."""
        return self.spec.lasting

    def train(self, scratch: Path, advance: StepAdvance) -> RewardTraining:
        """What training saw."""
        return train_reward(self.spec, self.policy, self.pairs, self.out, scratch, self.seed, advance)


def tokenize_labelled(chat: Chat, pairs: Sequence[PreferencePair]) -> list[_Row]:
    """One row for each pair, with the tokens that are scored."""
    answers = [text for one in pairs for text in (one.chosen, one.rejected)]
    asked = [one.messages for one in pairs for _ in range(2)]
    shown = [Shown(messages=messages, text=text) for messages, text in zip(asked, answers, strict=True)]
    ids = reward_rows(chat, shown)
    both = zip(ids[::2], ids[1::2], pairs, strict=True)
    return [_Row(chosen, rejected, one.margin, chance(one)) for chosen, rejected, one in both]


def _start(spec: RewardSpec, folder: Path, seed: int) -> Any:
    """The model that training starts from, in float32; the head of one that has none is drawn by `seed`."""
    import torch

    if spec.path is not None:
        model = load_reward_model(folder, dtype="float32", device=device_of(spec))
    else:
        model, missing = read_classifier(folder, dtype="float32", device=device_of(spec))
        if missing != [HEAD]:
            raise BackendError(
                f"{folder} is no causal language model to start a reward model from (its files lack "
                f"{', '.join(missing[:3]) or 'nothing, not even a head'}): give the folder of a reward model as "
                "reward.path"
            )
        spread = getattr(model.config.get_text_config(), "initializer_range", 0.02)
        drawn = torch.randn(model.score.weight.shape, generator=torch.Generator().manual_seed(seed))
        model.score.weight.data.copy_(spread * drawn)
    model.generation_config = None  # it cannot generate, and `train` puts back what there was
    with_gradients(spec, model)
    model.score.requires_grad_(True)
    return model


def _pad_token(chat: Chat, model: Any, rows: Sequence[_Row], *, keep: bool) -> str:
    """The token to pad with, which becomes that of the model: a reward is read at the last token that is another one.

    With `keep`, a model that names one keeps it, and is trained on at the place where it was read. Any other is one
    that no row ends in, so that the reward is read at the last token of a conversation.
    """
    tokenizer, config = chat.tokenizer, model.config.get_text_config()
    vocabulary = model.get_input_embeddings().num_embeddings
    ends = {row[-1] for one in rows for row in (one.chosen, one.rejected)}
    own = [config.pad_token_id] if keep and config.pad_token_id is not None else []
    others = [pad_id(chat, vocabulary), tokenizer.unk_token_id, tokenizer.bos_token_id, *tokenizer.added_tokens_decoder]
    free = [one for one in others if one is not None and one < vocabulary and one not in ends]
    config.pad_token_id = [*own, *free, *(one for one in range(vocabulary) if one not in ends)][0]
    return str(tokenizer.convert_ids_to_tokens(config.pad_token_id))


def _columns(spec: RewardSpec, rows: Sequence[_Row]) -> dict[str, list[Any]]:
    smoothing = spec.label_smoothing
    return {
        "chosen_ids": [row.chosen for row in rows],
        "rejected_ids": [row.rejected for row in rows],
        "margin": [spec.margin_weight * (row.margin or 0.0) for row in rows],
        "label": [(1 - smoothing) * row.label + smoothing * (1 - row.label) for row in rows],
    }


def preference_loss(chosen: Any, rejected: Any, margin: Any, label: Any) -> Any:
    """The mean loss of pairs in nats, by both rewards; a pair that is the wrong way round is asked for no margin."""
    from torch.nn.functional import logsigmoid

    apart = chosen - rejected
    return -(label * logsigmoid(apart - margin) + (1 - label) * logsigmoid(-apart)).mean()


def _make_trainer(spec: RewardSpec, pad: str, settings: dict[str, Any], inputs: dict[str, Any]) -> Any:
    import torch
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import DataCollatorForPreference, RewardTrainer

    class Collator(DataCollatorForPreference):
        """Brings the labels along."""

        def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
            return {
                **super().torch_call(examples),
                "label": torch.tensor([one["label"] for one in examples], dtype=torch.float),
            }

    class SoftRewardTrainer(RewardTrainer):
        """TRL's trainer with labels; it is asked for its own metrics and not for its loss."""

        def _set_signature_columns_if_needed(self) -> None:
            trainer: Any = self
            trainer._signature_columns = ["chosen_ids", "rejected_ids", "margin", "label"]

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            margin, label = inputs.pop("margin"), inputs.pop("label")
            parent: Any = super()
            _, outputs = parent.compute_loss(model, inputs, return_outputs=True)
            chosen, rejected = outputs.logits.float().squeeze(-1).chunk(2)
            loss = preference_loss(chosen, rejected, margin, label)
            loss = loss + spec.centering * ((chosen + rejected) ** 2).mean()
            return (loss, outputs) if return_outputs else loss

    tokenizer = inputs["processing_class"]
    tokenizer.pad_token = pad
    if inputs["peft_config"] is not None:
        inputs["peft_config"].task_type = "SEQ_CLS"  # which trains the head beside the adapters
    return SoftRewardTrainer(
        args=RewardConfig(**settings), data_collator=Collator(pad_token_id=tokenizer.pad_token_id), **inputs
    )


def _save(model: Any, chat: Chat, pad: str, out: Path) -> None:
    """Writes a reward model as transformers and TRL load it, and what is settled about its rendering."""
    tokenizer = copy.deepcopy(chat.tokenizer)
    tokenizer.pad_token = pad
    tokenizer.save_pretrained(out)
    write_rendering(out, chat.rendering)
    save_weights(model, out)
