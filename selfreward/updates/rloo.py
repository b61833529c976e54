"""RLOO: completions that were rewarded above the mean of the others in their group become likelier, with RLOOTrainer.

Source: Ahmadian et al. 2024 (2402.14740). A completion without a reward is in no mean and bears no loss.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.rl import RlSpec, config_of, train_rl, trainer_of
from selfreward.updates.rl_sources import open_sources
from selfreward.updates.rl_trainer import Rollouts
from selfreward.updates.training import device_of


class RlooSpec(RlSpec):
    """As every reinforcement learning; the divergence from the reference is a part of the reward.

    `beta` times the log ratio to the reference, summed over a completion, is taken off its reward. With `normalize`,
    advantages are shifted and divided to mean 0 and deviation 1 in each step.
    """

    kind: Literal["rloo"] = "rloo"
    beta: float = Field(0.05, ge=0)
    normalize: bool = False

    def train(self, task: Task, scratch: Path, advance: StepAdvance) -> Training:
        """What training on the prompts of `task` saw and did."""
        with open_sources(self.rewards, task, self.max_new_tokens, device_of(self)) as found:
            trained = train_rl(self, partial(_make_trainer, self), task, found.sources, scratch, advance)
            return replace(trained, judges_used=found.bench.used or None)


def _make_trainer(spec: RlooSpec, rollouts: Rollouts, settings: dict[str, Any], inputs: dict[str, Any]) -> Any:
    from trl.trainer.rloo_config import RLOOConfig
    from trl.trainer.rloo_trainer import RLOOTrainer

    config = RLOOConfig(**config_of(spec, settings), normalize_advantages=spec.normalize)
    return trainer_of(spec, RLOOTrainer, config, rollouts, inputs)
