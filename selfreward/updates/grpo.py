"""GRPO: completions that were rewarded above the mean of their group become likelier, with TRL's GRPOTrainer.

Source: Shao et al. 2024 (2402.03300); the losses are those of DAPO (2503.14476), GRPO itself and Dr. GRPO (2503.20783).
Other than in TRL, a completion without a reward bears no loss, not even the divergence from the reference.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.rl import RlSpec, config_of, train_rl, trainer_of
from selfreward.updates.rl_sources import open_sources
from selfreward.updates.rl_trainer import Rollouts
from selfreward.updates.training import device_of


class GrpoSpec(RlSpec):
    """As every reinforcement learning; the divergence from the reference, k3 a token, is part of the loss.

    `loss` says what the terms of all tokens are divided by: `dapo` by the tokens of the step, `grpo` by those of each
    completion and the completions, `dr_grpo` by `max_new_tokens` and the completions. `scale` divides advantages by the
    deviation of the rewards in a `group`, or of the step's (`batch`).
    """

    kind: Literal["grpo"] = "grpo"
    loss: Literal["dapo", "grpo", "dr_grpo"] = "dapo"
    scale: Literal["group", "batch", "none"] = "group"

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the prompts of `task` saw and did."""
        with open_sources(self.rewards, task, self.max_new_tokens, device_of(self)) as found:
            trained = train_rl(self, partial(_make_trainer, self), task, found.sources, scratch, advance)
            return replace(trained, judges_used=found.bench.used or None)


def _make_trainer(spec: GrpoSpec, rollouts: Rollouts, settings: dict[str, Any], inputs: dict[str, Any]) -> Any:
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    config = GRPOConfig(**config_of(spec, settings), loss_type=spec.loss, scale_rewards=spec.scale)
    return trainer_of(spec, GRPOTrainer, config, rollouts, inputs)
