"""What is watched at each step of a training with TRL: how far it is, and that its numbers are some."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from selfreward.backends.model_folder import first_without_numbers
from selfreward.errors import StageError
from selfreward.updates.base import StepAdvance
from selfreward.updates.rl_steps import Entry


def watch_steps(group: str, advance: StepAdvance) -> Any:
    """The callback that tells `advance` of each step, and ends training at the one whose numbers are none.

    Raises StageError, which names the settings behind `group`, before such a step is saved.
    """
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step:  # it goes on from a checkpoint
                advance(state.global_step, state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            advance(state.global_step, state.max_steps)
            if control.should_save and (lost := first_without_numbers(kwargs["model"])) is not None:
                raise StageError(no_numbers(state.global_step, f"the weights {lost} hold", group))

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            logs: Mapping[str, float] = kwargs["logs"]
            for name, what in (("loss", "the loss holds"), ("grad_norm", "the gradient holds")):
                if not math.isfinite(logs.get(name, 0.0)):
                    raise StageError(no_numbers(state.global_step, what, group))

    return Watch()


def no_numbers(step: int, what: str, group: str) -> str:
    """What is said of a step after which `what` holds no numbers, with the settings to lower."""
    return f"after step {step} {what} values that are no numbers: lower {group}.learning_rate or {group}.max_grad_norm"


def mean_loss(history: Sequence[Entry], epoch: int) -> float:
    """The mean loss of the steps that a trainer logged one by one, also those before a checkpoint.

    It is added up as transformers does where it logs each `epoch` of so many steps: in float32 within one.
    """
    losses = [loss for entry in history if (loss := entry.get("loss")) is not None]
    total = 0.0
    for start in range(0, len(losses), epoch):
        total += float(np.cumsum(losses[start : start + epoch], dtype=np.float32)[-1])
    return total / len(losses)
