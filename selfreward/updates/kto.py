"""KTO: the next policy learns from answers that are desirable or not, each by itself, with TRL's KTOTrainer.

Source: Ethayarajh et al. 2024 (2402.01306). The loss ties to a reference policy and takes the divergence from it of the
whole batch, estimated on prompts with answers to other prompts, as the point that an answer must be better than.
"""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import heapify, heappop, heappush
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from selfreward.backends.chat import Chat, answer_tokens, render_prompt
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.errors import StarvedLoop
from selfreward.policies import Policy
from selfreward.records import Feedback
from selfreward.row_kinds import FEEDBACK, RowKind
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

MOST = 4 / 3
"""The most by which all desirable rows together may weigh more than all undesirable ones; the paper's equation 8."""


class KtoSpec(TrainingBase):
    """How to train on unpaired rows.

    `beta` ties to the policy `reference`: the one that drew the candidates, or the one of iteration 0; its
    log-probabilities are taken once, before training. A weight of None is found from the numbers of rows, so that all
    desirable rows together weigh 1 to 4/3 times what all undesirable ones do: the sign that weighs too little is
    raised, and nothing else is changed. Rows are shuffled, those of one prompt into different batches where there are
    enough batches; a batch has two rows or more, since it is what the divergence is estimated on.
    """

    trains_on: ClassVar[tuple[RowKind, ...]] = (FEEDBACK,)

    kind: Literal["kto"] = "kto"
    learning_rate: float = Field(5e-6, gt=0)
    beta: float = Field(0.1, gt=0)
    desirable_weight: float | None = Field(None, gt=0)
    undesirable_weight: float | None = Field(None, gt=0)
    reference: Literal["previous", "initial"] = "previous"

    @field_validator("batch_size")
    @classmethod
    def _has_others(cls, size: int) -> int:
        if size < 2:
            raise ValueError("KTO holds each row against the others of its batch: set update.batch_size to 2 or more")
        return size

    def tied_to(self, *, policy: Policy, initial: Policy) -> Policy:
        """The policy that `beta` ties to: the one that drew the candidates, or the first."""
        return initial if self.reference == "initial" else policy

    @property
    def why_not_mixed(self) -> str | None:
        """The previous reference stands for the policy that drew, and of a mixture there is no such policy."""
        return TIED_TO_DRAWER if self.reference == "previous" else None

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the unpaired rows of `task` saw and did."""
        assert task.reference is not None
        rows = [row for row in task.rows if isinstance(row, Feedback)]
        return train_kto(self, task.policy, task.reference, rows, task.out, scratch, task.seed, advance)

    def weights(self, desirable: int, undesirable: int) -> tuple[float, float]:
        """The weights of a desirable and of an undesirable row, where there are so many of each."""
        good, bad = self.desirable_weight, self.undesirable_weight
        balance = desirable * (good or 1.0) / (undesirable * (bad or 1.0))
        if good is None and (balance < 1 or bad is not None):
            return min(max(1.0, 1 / balance), MOST / balance), bad or 1.0
        if bad is None:
            return good or 1.0, min(max(1.0, balance / MOST), balance)
        return good or 1.0, bad


@dataclass(frozen=True, slots=True)
class _Row:
    """Token ids of a prompt and its answer with its end of turn."""

    prompt_id: str
    prompt: list[int]
    answer: list[int]
    desirable: bool

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def train_kto(
    spec: KtoSpec,
    policy: Policy,
    reference: Policy,
    feedback: Sequence[Feedback],
    out: Path,
    scratch: Path,
    seed: int,
    advance: StepAdvance,
) -> Training:
    """Trains `policy` on `feedback` and writes it to `out`; what training saw and did. Otherwise as `train_rft`.

    Raises StarvedLoop where the rows that are short enough have one sign alone.
    """
    chat = load_chat(policy.path, trust_remote_code=spec.trust_remote_code)
    if spec.thought == "drop":
        feedback = [replace(row, thought=None) for row in feedback]
    rows = tokenize_feedback(chat, feedback)
    short = short_enough(spec, rows, "unpaired rows")
    signs = [row.desirable for row in short]
    _check_signs(signs)
    batches = apart([row.prompt_id for row in short], spec.batch_size, seed)
    kept = [short[place] for batch in batches for place in batch]
    others = [kept[place] for place in _partners([len(batch) for batch in batches])]
    weights = spec.weights(sum(signs), len(signs) - sum(signs))
    kls: list[float] = []
    matched = [(row.prompt, row.answer) for row in kept]
    asked = matched + [(row.prompt, other.answer) for row, other in zip(kept, others, strict=True)]
    with quiet():
        same = reference.digest == policy.digest
        away = None if same else _sums(spec, model_of(spec, reference), asked)
        model = model_to_train(spec, policy)
        before = _sums(spec, model, asked if same else matched)
        columns = _columns(kept, others, before if away is None else away)
        make = partial(_make_trainer, spec, weights, kls)
        trained, result = train(spec, make, model, chat, columns, scratch, seed, advance)
        after = _sums(spec, trained.eval(), matched)
        save_policy(trained, chat, out, like=policy.path)
    return Training(
        rows_trained=len(kept),
        rows_too_long=len(rows) - len(kept),
        tokens_trained=spec.epochs * sum(len(row.answer) for row in kept),
        rows_desirable=sum(signs),
        rows_undesirable=len(signs) - sum(signs),
        desirable_share=fmean(signs),
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
        kl=fmean(kls),
        **result,
        **_moved(kept, before[: len(kept)], after),
    )


def tokenize_feedback(chat: Chat, feedback: Sequence[Feedback]) -> list[_Row]:
    """One row for each, with the tokens that the backend scores: prompt, thought, answer, end of turn."""
    rows = []
    for row in feedback:
        tokens = answer_tokens(chat, row.text, ended=True, thought=row.thought)
        prompt = [*render_prompt(chat, row.messages), *tokens.lead]
        rows.append(_Row(row.prompt_id, prompt, tokens.completion, row.desirable))
    return rows


def apart(owners: Sequence[Hashable], size: int, seed: int) -> list[list[int]]:
    """The places of `owners` in batches of `size`, the last of which may be smaller, in an order that `seed` draws.

    Rows of one owner are in different batches wherever that can be: always where no owner has more rows than there are
    full batches. The owner with the most rows is dealt first, each row to a batch with the most room.
    """
    luck = random.Random(seed)
    groups = defaultdict(list)
    for place in luck.sample(range(len(owners)), len(owners)):
        groups[owners[place]].append(place)
    full, rest = divmod(len(owners), size)
    rooms = [size] * full + [rest] * bool(rest)
    batches: list[list[int]] = [[] for _ in rooms]
    most_room = [(-room, luck.random(), at) for at, room in enumerate(rooms)]
    heapify(most_room)
    for group in sorted(groups.values(), key=len, reverse=True):
        while group:
            found = [heappop(most_room) for _ in range(min(len(group), len(most_room)))]
            for filled, _, at in found:
                batches[at].append(group.pop())
                if filled < -1:
                    heappush(most_room, (filled + 1, luck.random(), at))
    return [luck.sample(batch, len(batch)) for batch in batches]


def _partners(sizes: Sequence[int]) -> list[int]:
    """For each row the place of the one before it in its batch, whose answer stands behind its prompt in the estimate.

    A row that is alone in the last batch takes one of the batch before.
    """
    found: list[int] = []
    for size in sizes:
        start = len(found)
        found += [start + (number - 1) % size for number in range(size)] if size > 1 else [max(0, start - 1)]
    return found


def _check_signs(signs: Sequence[bool]) -> None:
    if len({*signs}) < 2:
        have, lack = ("desirable", "undesirable") if signs[0] else ("undesirable", "desirable")
        thumb, way = ("down", "raise") if signs[0] else ("up", "lower")
        raise StarvedLoop(
            f"0 of {len(signs)} unpaired rows are {lack}, all are {have}, and KTO learns from both: {way} "
            f"select.{lack}, or give data.feedback with thumbs {thumb}"
        )


def _columns(rows: Sequence[_Row], others: Sequence[_Row], referred: Sequence[float]) -> dict[str, list[Any]]:
    """What the trainer reads of each row; `referred` is the reference's, of all answers and then of all others."""
    return {
        "prompt_ids": [row.prompt for row in rows],
        "completion_ids": [row.answer for row in rows],
        "KL_completion_ids": [other.answer for other in others],
        "label": [row.desirable for row in rows],
        "ref_logps": list(referred[: len(rows)]),
        "ref_KL_logps": list(referred[len(rows) :]),
    }


def _sums(spec: KtoSpec, model: Any, asked: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """The summed log-probability of each answer behind its prompt, in nats."""
    return [sum(tokens) for tokens in answer_logprobs(model, compute_of(spec), asked)]


def _make_trainer(
    spec: KtoSpec, weights: tuple[float, float], kls: list[float], settings: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    from transformers import TrainerCallback
    from trl.trainer import kto_trainer
    from trl.trainer.kto_config import KTOConfig

    class Prepared(kto_trainer.KTOTrainer):
        """Takes rows that are tokens with the reference's log-probabilities; KTOConfig has no setting for it."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
            return dataset

    class Estimates(TrainerCallback):
        """Takes over the divergence that each step took, also of steps before a checkpoint."""

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            kls.extend(entry["kl"] for entry in state.log_history if "kl" in entry)

    desirable, undesirable = weights
    with unhashed(kto_trainer):
        trainer = Prepared(
            args=KTOConfig(
                **settings,
                precompute_ref_log_probs=True,
                beta=spec.beta,
                desirable_weight=desirable,
                undesirable_weight=undesirable,
            ),
            **inputs,
        )
    trainer.add_callback(Estimates())
    return trainer


def _moved(rows: Sequence[_Row], before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    """The mean log-probability of the answers of each sign, before and after."""
    found = {}
    for name, sign in (("desirable", True), ("undesirable", False)):
        for when, sums in (("before", before), ("after", after)):
            ours = [one for row, one in zip(rows, sums, strict=True) if row.desirable is sign]
            found[f"{name}_logprob_{when}"] = fmean(ours)
    return found
