"""Reinforcement learning: the policy draws completions itself and learns from their rewards, step by step.

What GRPO and RLOO share: settings, which prompts are drawn for when, and what is reported.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from selfreward.backends import AnyBackend
from selfreward.backends.chat import Chat, pad_id, render_prompt, stop_ids
from selfreward.backends.model_loading import check_model, context_length, load_chat, load_configs, quiet
from selfreward.errors import StarvedLoop
from selfreward.judges.base import JudgeBase
from selfreward.policies import Policy
from selfreward.records import Prompt
from selfreward.row_kinds import PROMPTS, PromptKind
from selfreward.spec import neutral
from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.rl_human import learn_human
from selfreward.updates.rl_rewards import RewardSource, rewarded
from selfreward.updates.rl_sources import (
    LengthReward,
    ModelReward,
    Reward,
    RewardName,
    judges_in,
    right_answers,
    why_unjudged,
    with_judges,
)
from selfreward.updates.rl_steps import figures_of, steps_of
from selfreward.updates.rl_trainer import Rollouts, check_padding, prepared, trl_alone
from selfreward.updates.training import TrainingBase, model_to_train, save_policy, train


class RlSpec(TrainingBase):
    """How to learn from rewards. A step draws `group_size` completions to each of `prompts_per_step` prompts.

    Completions have at most `max_new_tokens` tokens and are drawn at `temperature`, at which the loss reads their
    probabilities too. Each draw is trained on for `epochs` optimiser steps, `batch_size` completions at a time in
    memory. Prompts come in an order that the seed draws, each as often as any other but for one. Those that leave no
    room for a completion in `max_tokens`, or in the model's context, are left out and counted, and so are those to
    which no source of `rewards` applies.

    What people answered is learned before the first step, one pass at `human_learning_rate`.

    `beta` ties to the policy `reference`: the one of iteration 0, or the last round's; 0 to none.
    `epsilon` is how far the ratio of probabilities may move before it is clipped, in the second epoch and later ones.
    """

    trains_on: ClassVar[tuple[PromptKind, ...]] = (PROMPTS,)

    learning_rate: float = Field(1e-6, gt=0)
    human_learning_rate: float = Field(5e-5, gt=0)
    steps: PositiveInt = 50
    prompts_per_step: PositiveInt = 8
    group_size: int = 4
    max_new_tokens: PositiveInt = 64
    temperature: float = Field(1.0, gt=0)
    rewards: dict[RewardName, Reward] = Field(default_factory=right_answers)
    beta: float = Field(0.04, ge=0)
    reference: Literal["initial", "previous"] = "initial"
    epsilon: float = Field(0.2, gt=0)
    thought: Literal["keep"] = neutral("keep")

    @field_validator("rewards", mode="before")
    @classmethod
    def _null_takes_a_source_out(cls, rewards: object) -> object:
        return {name: one for name, one in rewards.items() if one is not None} if isinstance(rewards, dict) else rewards

    @model_validator(mode="after")
    def _parts_fit(self) -> "RlSpec":
        if self.group_size < 2:
            raise ValueError(
                f"update.group_size={self.group_size}: a completion is held against others of its prompt, set "
                "update.group_size to 2 or more"
            )
        if not self.rewards:
            raise ValueError(
                "update.rewards={} names no source of rewards: set '+update.rewards.verifier={kind:verifier}', or one "
                "of kind reward_model"
            )
        for name, one in self.rewards.items():
            if isinstance(one, LengthReward) and one.above >= self.max_new_tokens:
                raise ValueError(
                    f"update.rewards.{name}.above={one.above} with update.max_new_tokens={self.max_new_tokens}: no "
                    f"completion is longer, set update.rewards.{name}.above to at most {self.max_new_tokens - 1}"
                )
        if self.completions % self.batch_size:
            fits = max(size for size in range(1, self.batch_size) if self.completions % size == 0)
            raise ValueError(
                f"update.batch_size={self.batch_size} does not divide the {self.completions} completions of a step "
                f"(update.prompts_per_step={self.prompts_per_step} times update.group_size={self.group_size}): set "
                f"update.batch_size={fits}"
            )
        if self.trainable == "lora" and self.beta and self.reference != self.init:
            raise ValueError(
                f"update.trainable=lora ties to the policy that training starts from, update.init={self.init}, and "
                f"update.reference={self.reference}: set update.reference={self.init}, or update.trainable=top_layers"
            )
        return self

    @property
    def completions(self) -> int:
        """How many completions a step draws."""
        return self.prompts_per_step * self.group_size

    @property
    def draws(self) -> int:
        """The completions of all steps."""
        return self.steps * self.completions

    @property
    def learns_from_models(self) -> str | None:
        """The first source of rewards that is the run's reward models."""
        named = (name for name, one in self.rewards.items() if isinstance(one, ModelReward))
        return next((f"update.rewards.{name}.kind=reward_model" for name in named), None)

    @property
    def why_not_with_human(self) -> str | None:
        """Adapters tie to what they are added to, which is another policy once people's answers were learned."""
        if self.trainable != "lora" or not self.beta:
            return None
        return "update.trainable=lora would tie to the policy that has learned them: set update.trainable=top_layers"

    @property
    def told(self) -> tuple[str, ...]:
        """The most that training can draw, and that nothing ties it."""
        budget = (
            f"{self.steps} steps of {self.completions} completions: {self.draws:,}, with "
            f"{self.draws * self.max_new_tokens:,} tokens at most"
        )
        loose = "update.beta=0: nothing ties the policy to a reference, so watch its answers, and not its reward alone"
        return (budget,) if self.beta else (budget, loose)

    @property
    def judges(self) -> Mapping[str, JudgeBase | None]:
        """The judges among the sources of `rewards`."""
        return judges_in(self.rewards)

    def judged_by(self, judge: JudgeBase, engine: AnyBackend) -> Self:
        """With `rewards` whose judges are all named."""
        return self.model_copy(update={"rewards": with_judges(self.rewards, judge, engine)})

    def why_not_judged(self, judge: JudgeBase, engine: AnyBackend) -> str | None:
        """Of the first source whose judge cannot be asked."""
        return why_unjudged(self.rewards, judge, engine, self.group_size)

    def tied_to(self, *, policy: Policy, initial: Policy) -> Policy | None:
        """The policy that `beta` ties to; None at 0."""
        if not self.beta:
            return None
        return initial if self.reference == "initial" else policy


def train_rl(
    spec: RlSpec,
    make: Callable[[Rollouts, dict[str, Any], dict[str, Any]], Any],
    task: Task,
    sources: Sequence[RewardSource],
    scratch: Path,
    advance: StepAdvance,
) -> Training:
    """Trains the policy of `task` on its prompts by the rewards of `sources`, and writes it to `task.out`.

    On a CPU the same call writes the same bytes, also where it goes on from a checkpoint below `scratch`. `make` makes
    the trainer, from the rollouts, the arguments of its config and its own. Raises ConfigError for a source that
    applies to no prompt, StarvedLoop where no prompt leaves room for a completion, StageError at the step at which
    values are no numbers or no group has rewards to compare, BackendError for a model to which padding is text, and
    otherwise as `train_rft`.
    """
    prompts = list({row.id: row for row in task.rows if isinstance(row, Prompt)}.values())
    chat = load_chat(task.policy.path, trust_remote_code=spec.trust_remote_code)
    config, generation = load_configs(task.policy.path, trust_remote_code=spec.trust_remote_code)
    scored = rewarded(sources, prompts)
    rows = with_room(spec, chat, scored, context_length(config))
    rollouts = Rollouts(
        chat=chat,
        prompts={one.id: one for one in scored},
        rows=rows,
        stops=stop_ids(chat, generation),
        sources=sources,
        group_size=spec.group_size,
        reference=None if task.reference is None else task.reference.path,
        advance=_whole_steps(spec, advance),
    )
    if rollouts.reference is not None:
        check_model(rollouts.reference, trust_remote_code=spec.trust_remote_code)
    start, learned = learn_human(spec, spec.human_learning_rate, task, scratch)
    order = prompt_order(list(rows), spec.steps * spec.prompts_per_step, task.seed)
    with quiet(), trl_alone():
        model = model_to_train(spec, start)
        check_padding(model, rows[order[0]], pad_id(chat, model.get_input_embeddings().num_embeddings))
        inputs = {"prompt": order}
        trained, result = train(
            spec, partial(make, rollouts), model, chat, inputs, scratch, task.seed, rollouts.advance
        )
        save_policy(trained, chat, task.out, like=task.policy.path)
    steps = steps_of(rollouts.history, spec.epochs)
    return Training(
        rows_trained=len(set(order)),
        rows_too_long=len(scored) - len(rows),
        **{**result, "mean_loss": fmean(one.loss for one in steps)},
        **figures_of(steps),
        rows_without_reward=len(prompts) - len(scored),
        tokens_trained=spec.epochs * sum(one.tokens_trained for one in steps),
        rl_steps=tuple(steps),
        human_rows=None if learned is None else learned.rows_trained,
        human_tokens=None if learned is None else learned.tokens_trained,
    )


def with_room(spec: RlSpec, chat: Chat, prompts: Sequence[Prompt], context: int | None) -> dict[str, list[int]]:
    """The token ids of the prompts that leave room for a completion, by id. Raises StarvedLoop where none does."""
    limit = spec.max_tokens if context is None else min(spec.max_tokens, context)
    rows = {one.id: render_prompt(chat, one.messages) for one in prompts}
    fits = {id_: row for id_, row in rows.items() if len(row) + spec.max_new_tokens <= limit}
    if not fits:
        named = f"update.max_tokens={limit}" if limit == spec.max_tokens else f"the model's context of {limit}"
        raise StarvedLoop(
            f"0 prompts to draw for: none of {len(rows)} leaves room for update.max_new_tokens={spec.max_new_tokens} "
            f"in {named} (the shortest has {min(map(len, rows.values()))} tokens): lower update.max_new_tokens, or "
            "give shorter prompts"
        )
    return fits


def prompt_order(ids: Sequence[str], wanted: int, seed: int) -> list[str]:
    """So many prompts, in order: all of them shuffled, then all of them shuffled anew, and so on."""
    luck = random.Random(seed)
    order: list[str] = []
    while len(order) < wanted:
        order += luck.sample(ids, len(ids))
    return order[:wanted]


def config_of(spec: RlSpec, settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the configs of both trainers take, from those that any TRL config takes."""
    shared = {name: value for name, value in settings.items() if name != "max_length"}
    return {
        **shared,
        "max_steps": spec.steps * spec.epochs,
        "num_generations": spec.group_size,
        "gradient_accumulation_steps": spec.completions // spec.batch_size,
        "num_iterations": spec.epochs,
        "max_completion_length": spec.max_new_tokens,
        "temperature": spec.temperature,
        "beta": spec.beta,
        "epsilon": spec.epsilon,
        "shuffle_dataset": False,
        "disable_dropout": True,
        "save_steps": settings["save_steps"] * spec.epochs,
        "trust_remote_code": spec.trust_remote_code,
    }


def trainer_of(spec: RlSpec, trainer: Any, config: Any, rollouts: Rollouts, inputs: dict[str, Any]) -> Any:
    """A TRL `trainer` for the rollouts, of a `config`; the model is told where answers end, and of its reference."""
    from transformers import GenerationConfig

    model = inputs["model"]
    model.generation_config = GenerationConfig(eos_token_id=rollouts.stops)
    if rollouts.reference is not None:  # TRL loads it from where the model says that it came from
        model.config._name_or_path = str(rollouts.reference)
    return prepared(trainer, rollouts)(args=config, reward_funcs=rollouts.reward, **inputs)


def _whole_steps(spec: RlSpec, advance: StepAdvance) -> StepAdvance:
    """Tells `advance` of draws, from optimiser steps."""

    def tell(step: int, steps: int) -> None:
        if step % spec.epochs == 0:
            advance(step // spec.epochs, steps // spec.epochs)

    return tell
