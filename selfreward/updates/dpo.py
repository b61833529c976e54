"""Direct preference optimisation: the next policy learns to prefer, with TRL's DPOTrainer.

Source: Rafailov et al. 2023 (2305.18290); with losses `[sigmoid, sft]` it is the loss of Iterative RPO (2404.19733),
where the `sft` term here is a mean over the tokens of a batch, not over those of each answer. With `margin_weight` it
is DPO with an offset, Amini et al. 2024 (2402.10571).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from selfreward.backends.chat import Chat, answer_tokens, render_prompt
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.policies import Policy
from selfreward.records import PreferencePair
from selfreward.row_kinds import PAIRS, RowKind
from selfreward.spec import neutral
from selfreward.updates.answer_logprobs import answer_logprobs
from selfreward.updates.base import TIED_TO_DRAWER, StepAdvance, Task, Training
from selfreward.updates.training import (
    TrainingBase,
    compute_of,
    model_of,
    model_to_train,
    save_policy,
    short_enough,
    train,
    unhashed,
)

Smoothed = Literal["robust", "exo_pair", "aot", "aot_unpaired"]
"""Losses in which TRL's trainer reads `label_smoothing`; any other is the same whatever it is."""
SMOOTHED: tuple[Smoothed, ...] = get_args(Smoothed)
_Other = Literal["ipo", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down", "discopop", "sft"]
Loss = Literal["sigmoid", "sigmoid_norm", "hinge", _Other, Smoothed]
OFFSET: frozenset[Loss] = frozenset({"sigmoid", "hinge"})
"""Losses of `beta` times the difference of both log ratios and of nothing else, so that an offset means what it says.
Those that are sorted, divided by length, or look at each answer alone are not, and smoothed ones ask a flipped pair for
the offset of the pair that was not."""


class DpoSpec(TrainingBase):
    """How to train on preference pairs.

    `loss` lists TRL's loss types, added up with `loss_weights` (all 1 where None): `[sigmoid, sft]` is DPO with the
    likelihood of the chosen answer. `label_smoothing` is the share of pairs that may be the wrong way round, for the
    losses that know one. `ld_alpha` weighs the tokens beyond the shorter answer's length, which makes the
    loss less sensitive to length; 1 changes nothing. `reference` is the policy that `beta` ties to: the one that drew
    the candidates, or the one of iteration 0; its log-probabilities are taken once, before training.

    `margin_weight` times a pair's margin is what `beta` times its log ratios must differ by, in nats, before the loss
    calls it even: -log sigmoid(beta * delta - margin_weight * margin). Pairs that carry no margin are asked for none.
    """

    trains_on: ClassVar[tuple[RowKind, ...]] = (PAIRS,)

    kind: Literal["dpo"] = "dpo"
    learning_rate: float = Field(5e-6, gt=0)
    loss: tuple[Loss, ...] = Field(("sigmoid",), min_length=1)
    loss_weights: tuple[float, ...] | None = None
    beta: float = Field(0.1, gt=0)
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    ld_alpha: float | None = Field(None, ge=0, le=1)
    reference: Literal["previous", "initial"] = "previous"
    margin_weight: float = neutral(0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _losses_fit(self) -> "DpoSpec":
        if self.loss_weights is not None and len(self.loss_weights) != len(self.loss):
            raise ValueError(
                f"update.loss_weights={list(self.loss_weights)} with update.loss={list(self.loss)}: one weight a loss"
            )
        if "exo_pair" in self.loss and self.label_smoothing == 0:
            raise ValueError("update.loss=exo_pair needs update.label_smoothing above 0: try 0.001")
        if self.label_smoothing and not {*SMOOTHED} & {*self.loss}:
            raise ValueError(
                f"update.label_smoothing={self.label_smoothing} with update.loss={list(self.loss)}: only "
                f"{', '.join(SMOOTHED)} read it; set update.loss=[robust], or update.label_smoothing=0"
            )
        if self.margin_weight and (not OFFSET & {*self.loss} or {*self.loss} - OFFSET - {"sft"}):
            raise ValueError(
                f"update.margin_weight={self.margin_weight} with update.loss={list(self.loss)}: margins go with the "
                "losses sigmoid and hinge, and with sft beside them; set update.loss=[sigmoid]"
            )
        return self

    @property
    def margins(self) -> str | None:
        """The setting that weighs the margins of pairs, as it is typed; None where they weigh nothing."""
        return f"update.margin_weight={self.margin_weight}" if self.margin_weight else None

    def tied_to(self, *, policy: Policy, initial: Policy) -> Policy:
        """The policy that `beta` ties to: the one that drew the candidates, or the first."""
        return initial if self.reference == "initial" else policy

    @property
    def why_not_mixed(self) -> str | None:
        """The previous reference stands for the policy that drew, and of a mixture there is no such policy."""
        return TIED_TO_DRAWER if self.reference == "previous" else None

    def with_sft(self, weight: float) -> Self:
        """The likelihood of the chosen answer added to the loss at `weight`, unless it is 0 or there is one."""
        if weight == 0 or "sft" in self.loss:
            return self
        return self.model_copy(update={"loss": (*self.loss, "sft"), "loss_weights": (*_weights(self), weight)})

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the pairs of `task` saw and did."""
        assert task.reference is not None
        pairs = [row for row in task.rows if isinstance(row, PreferencePair)]
        return train_dpo(self, task.policy, task.reference, pairs, task.out, scratch, task.seed, advance)


def _weights(spec: DpoSpec) -> tuple[float, ...]:
    return (1.0,) * len(spec.loss) if spec.loss_weights is None else spec.loss_weights


@dataclass(frozen=True, slots=True)
class _Row:
    """Token ids of a pair, both answers with their end of turn, and its margin."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]
    margin: float | None

    def __len__(self) -> int:
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class _Logprobs:
    """Log-probabilities, in nats, of the tokens of both answers of a pair."""

    chosen: list[float]
    rejected: list[float]

    @property
    def margin(self) -> float:
        return sum(self.chosen) - sum(self.rejected)


def train_dpo(
    spec: DpoSpec,
    policy: Policy,
    reference: Policy,
    pairs: Sequence[PreferencePair],
    out: Path,
    scratch: Path,
    seed: int,
    advance: StepAdvance,
) -> Training:
    """Trains `policy` on `pairs` and writes it to `out`; what training saw and did. Otherwise as `train_rft`."""
    chat = load_chat(policy.path, trust_remote_code=spec.trust_remote_code)
    if spec.thought == "drop":
        pairs = [replace(pair, chosen_thought=None, rejected_thought=None) for pair in pairs]
    rows = tokenize_pairs(chat, pairs)
    kept = short_enough(spec, rows, "pairs")
    with quiet():
        same = reference.digest == policy.digest
        referred = None if same else _logprobs(spec, model_of(spec, reference), kept)
        model = model_to_train(spec, policy)
        before = _logprobs(spec, model, kept)
        columns = _columns(spec, kept, before if referred is None else referred)
        trained, result = train(spec, partial(_make_trainer, spec), model, chat, columns, scratch, seed, advance)
        after = _logprobs(spec, trained.eval(), kept)
        save_policy(trained, chat, out, like=policy.path)
    return Training(
        rows_trained=len(kept),
        rows_too_long=len(rows) - len(kept),
        tokens_trained=spec.epochs * sum(len(row.chosen) + len(row.rejected) for row in kept),
        sft_weight=dict(zip(spec.loss, _weights(spec), strict=True)).get("sft", 0.0),
        rows_without_margin=sum(row.margin is None for row in kept) if spec.margin_weight else None,
        **result,
        **_displacement(before, after),
    )


def tokenize_pairs(chat: Chat, pairs: Sequence[PreferencePair]) -> list[_Row]:
    """One row for each pair, with the tokens that the backend scores: prompt, thoughts, answers, end of turn."""
    rows = []
    for pair in pairs:
        prompt = render_prompt(chat, pair.messages)
        chosen = answer_tokens(chat, pair.chosen, ended=True, thought=pair.chosen_thought)
        rejected = answer_tokens(chat, pair.rejected, ended=True, thought=pair.rejected_thought)
        if chosen.lead == rejected.lead:
            rows.append(_Row([*prompt, *chosen.lead], chosen.completion, rejected.completion, pair.margin))
        else:  # one of them brings a thought of its own: what they share ends before that
            better, worse = ([*one.lead, *one.completion] for one in (chosen, rejected))
            rows.append(_Row(prompt, better, worse, pair.margin))
    return rows


def _logprobs(spec: DpoSpec, model: Any, rows: Sequence[_Row]) -> list[_Logprobs]:
    """What the model gives to both answers of each row."""
    flat = answer_logprobs(
        model, compute_of(spec), [(row.prompt, answer) for row in rows for answer in (row.chosen, row.rejected)]
    )
    return [_Logprobs(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


def _columns(spec: DpoSpec, rows: Sequence[_Row], referred: Sequence[_Logprobs]) -> dict[str, list[Any]]:
    """What the trainer reads of each row; the reference's sums are weighed by length as it weighs the policy's.

    A pair's offset is added to the reference's log-probability of its chosen answer: the losses that take one know
    nothing of the reference but the difference of the two. What training reports is measured apart from this.
    """
    columns: dict[str, list[Any]] = {
        "prompt_ids": [row.prompt for row in rows],
        "chosen_ids": [row.chosen for row in rows],
        "rejected_ids": [row.rejected for row in rows],
        "ref_chosen_logps": [],
        "ref_rejected_logps": [],
    }
    for row, one in zip(rows, referred, strict=True):
        shared = min(len(one.chosen), len(one.rejected))
        beyond = 1.0 if spec.ld_alpha is None else spec.ld_alpha
        for name, values in (("ref_chosen_logps", one.chosen), ("ref_rejected_logps", one.rejected)):
            columns[name].append(sum(values[:shared]) + beyond * sum(values[shared:]))
        if row.margin is not None:
            columns["ref_chosen_logps"][-1] += spec.margin_weight * row.margin / spec.beta
    return columns


def _make_trainer(spec: DpoSpec, settings: dict[str, Any], inputs: dict[str, Any]) -> Any:
    from trl.trainer import dpo_trainer
    from trl.trainer.dpo_config import DPOConfig

    class Prepared(dpo_trainer.DPOTrainer):
        """Takes rows that are tokens with the reference's log-probabilities; DPOConfig has no setting for it."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
            return dataset

    with unhashed(dpo_trainer):
        return Prepared(
            args=DPOConfig(
                **settings,
                precompute_ref_log_probs=True,
                loss_type=list(spec.loss),
                loss_weights=None if spec.loss_weights is None else list(spec.loss_weights),
                beta=spec.beta,
                label_smoothing=spec.label_smoothing,
                ld_alpha=spec.ld_alpha,
            ),
            **inputs,
        )


def _displacement(before: Sequence[_Logprobs], after: Sequence[_Logprobs]) -> dict[str, Any]:
    both = list(zip(before, after, strict=True))
    displaced = [new.margin > old.margin and sum(new.chosen) < sum(old.chosen) for old, new in both]
    return {
        "chosen_logprob_before": fmean(sum(old.chosen) for old, _ in both),
        "chosen_logprob_after": fmean(sum(new.chosen) for _, new in both),
        "rejected_logprob_before": fmean(sum(old.rejected) for old, _ in both),
        "rejected_logprob_after": fmean(sum(new.rejected) for _, new in both),
        "margin_growth": fmean(new.margin - old.margin for old, new in both),
        "displaced_share": fmean(displaced),
    }
