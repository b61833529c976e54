"""TRL's trainers of reinforcement learning with our tokens and rewards, where a missing reward bears no loss."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from selfreward.backends.chat import Chat, completion_of
from selfreward.backends.model_folder import first_without_numbers
from selfreward.errors import BackendError, StageError
from selfreward.records import Candidate, Prompt, undrawn
from selfreward.replaced import replaced
from selfreward.updates.base import StepAdvance
from selfreward.updates.libraries import load_trainers
from selfreward.updates.rl_rewards import Rewards, RewardSource, SourceScores, reward
from selfreward.updates.rl_steps import Entry

_NO_PROBABILITIES = "probability tensor contains"
"""What torch says of logits from which nothing can be drawn."""

_ROUNDING = 1e-2
"""Logits that differ by less differ by rounding alone."""


@dataclass
class Rollouts:
    """What completions are drawn behind, how they end and are rewarded; and what came of the last ones.

    Prompts and their tokens, `rows`, are known by id, which is all that the trainer is given of them. `kept` says which
    of the last completions have a reward, `history` what was logged of each optimiser step. `advance` is told where
    training begins, too.
    """

    chat: Chat
    prompts: Mapping[str, Prompt]
    rows: Mapping[str, list[int]]
    stops: Sequence[int]
    sources: Sequence[RewardSource]
    group_size: int
    reference: Path | None
    advance: StepAdvance
    kept: list[bool] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)

    def reward(
        self, prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], trainer_state: Any, **_: Any
    ) -> list[float | None]:
        """The reward function that TRL calls, once for each draw. Raises StageError where nothing can be compared."""
        import torch

        step = trainer_state.global_step + 1
        drawn = [
            self._candidate(id_, f"{step}-{place}", place % self.group_size, tokens)
            for place, (id_, tokens) in enumerate(zip(prompts, completion_ids, strict=True))
        ]
        try:
            with torch.random.fork_rng():  # what is drawn next hangs on no source
                found = reward(self.sources, [self.prompts[id_] for id_ in prompts], drawn, self.group_size)
        except StageError as error:
            raise StageError(f"at step {step} {error}") from error
        self.kept = found.kept
        if not any(self.kept):
            raise StageError(_nothing(step, found))
        self.figures = {
            **found.figures(),
            "rl/tokens": fmean(one.tokens for one in drawn),
            "rl/cut": fmean(one.finish == "length" for one in drawn),
            "rl/tokens_trained": float(sum(one.tokens for one, kept in zip(drawn, self.kept, strict=True) if kept)),
        }
        return list(found.total)

    def _candidate(self, prompt_id: str, id_: str, index: int, tokens: Sequence[int]) -> Candidate:
        read = completion_of(self.chat, self.rows[prompt_id], tokens, [], self.stops)
        made = undrawn(id_, prompt_id, index, read.text)
        return replace(made, finish=read.finish, tokens=read.tokens, thought=read.thought)


def _nothing(step: int, found: Rewards) -> str:
    said = ", ".join(_silence(one) for one in found.sources)
    return (
        f"no group of step {step} has two completions with a reward, so nothing can be learned ({said}): look after "
        "that source of update.rewards, or raise update.group_size"
    )


def _silence(one: SourceScores) -> str:
    why = ", ".join(f"{count} {outcome}" for outcome, count in one.why.items())
    return f"{one.name} said nothing of {one.missing} of {len(one.scores)}{why and ': '}{why}"


def check_padding(model: Any, row: Sequence[int], pad: int) -> None:
    """Raises BackendError for a model to which padding before a row is text: TRL pads there, and names no places."""
    import torch

    width = 3
    ids = torch.tensor([[*([pad] * width), *row]], device=model.device)
    mask = torch.ones_like(ids)
    mask[:, :width] = 0
    with torch.no_grad():
        padded, plain = model(input_ids=ids, attention_mask=mask), model(input_ids=ids[:, width:])
    if not torch.allclose(padded.logits[0, -1], plain.logits[0, -1], atol=_ROUNDING):
        raise BackendError(
            f"{type(model).__name__} counts padding as a part of the text, so TRL would learn from other probabilities "
            "than those that were drawn from: choose a model with rotary positions, or another update"
        )


def prepared(base: Any, rollouts: Rollouts) -> Any:
    """TRL's trainer `base` for the rollouts.

    TRL leaves a completion without a reward out of the baseline of its group, and in the loss: here its tokens are
    masked, and what the loss is divided by counts the others alone.
    """
    import torch

    class Prepared(base):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.add_callback(_watch(rollouts))

        def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [list(rollouts.rows[id_]) for id_ in prompts], None, {}

        def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
            try:
                output: dict[str, Any] = super()._generate_and_score_completions(inputs)
            except RuntimeError as error:
                if _NO_PROBABILITIES not in str(error):
                    raise
                step = self.state.global_step + 1
                raise StageError(_broken(step, "the policy's probabilities are no numbers")) from error
            mask = output["completion_mask"]
            kept = torch.tensor(rollouts.kept, device=mask.device)
            output["scored_share"] = kept.float().mean()
            if "num_items_in_batch" in output:  # of GRPO; a loss of RLOO has no term but the advantage, which is 0
                output["tool_mask"] = kept.to(mask.dtype)[:, None].expand_as(mask)
                output["num_items_in_batch"] = (mask * output["tool_mask"]).sum()
            for name, value in rollouts.figures.items():
                self._metrics["train"][name].append(value)
            return output

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            loss = super()._compute_loss(model, inputs)
            if getattr(self, "loss_type", None) != "dapo":  # which divides by tokens, and not by rows
                loss = loss / inputs["scored_share"]
            if not torch.isfinite(loss):
                raise StageError(_broken(self.state.global_step + 1, "the loss is no number"))
            return loss

    return Prepared


def _broken(step: int, what: str) -> str:
    return f"at step {step} {what}: lower update.learning_rate or update.max_grad_norm"


def _watch(rollouts: Rollouts) -> Any:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Ends training at the step that broke the weights, and takes over what was logged."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            rollouts.advance(state.global_step, state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if (lost := first_without_numbers(kwargs["model"])) is not None:
                raise StageError(_broken(state.global_step, f"the weights {lost} hold values that are no numbers"))

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            rollouts.history = list(state.log_history)

    return Watch()


@contextmanager
def trl_alone() -> Iterator[None]:
    """TRL without log lines below errors, in which it prints completions that have no reward, and without vLLM.

    It imports vLLM wherever that is installed, which takes seconds and memory, although nothing here draws with it.
    """
    load_trainers()
    from trl import import_utils

    logger = logging.getLogger("trl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with replaced(import_utils, is_vllm_available=lambda *_, **__: False):
            yield
    finally:
        logger.setLevel(level)
