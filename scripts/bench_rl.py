#!/usr/bin/env python
"""What update=grpo costs beside a script that calls TRL's GRPOTrainer with the same prompts and reward.

    python scripts/bench_rl.py [--pairs 5] [--steps 3] [--small]

Everyday questions, a penalty on length as the reward, the embedded model as the policy and as its own reference.
Loading and saving are counted. `--small` takes one step of two prompts. Give the machine to it alone.
"""

import argparse
import io
import tempfile
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from bench_engines_training import SYSTEM, in_folders, loaded
from pairs import HEAD, Done, Wanted, in_turn, row

from selfreward.backends.chat import Chat
from selfreward.backends.model_loading import load_chat, quiet
from selfreward.data.embedded import load_everyday
from selfreward.data.models import HfModel, start_policy
from selfreward.policies import Policy
from selfreward.records import Prompt
from selfreward.updates import GrpoSpec
from selfreward.updates.base import Task
from selfreward.updates.rl import config_of, prompt_order
from selfreward.updates.rl_sources import LengthReward
from selfreward.updates.rl_trainer import trl_alone
from selfreward.updates.training import _trainer_settings

ABOVE = 8


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    spec = GrpoSpec(
        device="cpu",
        steps=1 if given.small else given.steps,
        prompts_per_step=2 if given.small else 8,
        max_new_tokens=32,
        rewards={"length": LengthReward(above=ABOVE)},
    )
    prompts = load_everyday("train", SYSTEM)[:48]
    with tempfile.TemporaryDirectory() as store:
        policy = start_policy(HfModel(), Path(store))
        ours, bare = partial(our_grpo, spec, policy, prompts), partial(bare_grpo, spec, policy, prompts)
        ours(0), bare(0)  # what is imported and compiled once
        print(HEAD)
        found = in_turn(ours, bare, given.pairs)
        what = f"GRPO update of {spec.steps} steps of {spec.completions} completions beside bare TRL"
        print(row(what, found, "update", Wanted(1.03, least=False), of_time=True))


def our_grpo(spec: GrpoSpec, policy: Policy, prompts: list[Prompt], seed: int) -> Done:
    """The update's own function, without the store."""

    def train(out: Path, scratch: Path) -> None:
        task = Task(policy=policy, reference=policy, rows=prompts, out=out, seed=seed)
        spec.train(task, scratch, lambda *_: None)

    return in_folders(train)


def bare_grpo(spec: GrpoSpec, policy: Policy, prompts: list[Prompt], seed: int) -> Done:
    """GRPOTrainer on the same prompts in the same order, rendered before."""
    chat: Chat = load_chat(policy.path, trust_remote_code=False)
    by_id = {one.id: rendered(chat, one) for one in prompts}
    order = prompt_order(list(by_id), spec.steps * spec.prompts_per_step, seed)

    def reward(completion_ids, **_):
        return [min(0.0, (ABOVE - len(ids)) / (spec.max_new_tokens - ABOVE)) for ids in completion_ids]

    def train(out: Path, scratch: Path) -> None:
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer

        model, tokenizer = loaded(policy, spec)
        settings = config_of(spec, _trainer_settings(spec, scratch, seed))
        trainer = GRPOTrainer(
            model=model,
            args=GRPOConfig(**settings, loss_type=spec.loss, scale_rewards=spec.scale),
            reward_funcs=reward,
            train_dataset=Dataset.from_dict({"prompt": [by_id[id_] for id_ in order]}),
            processing_class=tokenizer,
        )
        trainer.train()
        trainer.save_model(str(out))

    with quiet(), trl_alone(), redirect_stdout(io.StringIO()):
        return in_folders(train)


def rendered(chat: Chat, prompt: Prompt) -> str:
    """What a user would write: the template's own rendering."""
    messages = [{"role": one.role, "content": one.content} for one in prompt.messages]
    text = chat.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert isinstance(text, str)
    return text


if __name__ == "__main__":
    main()
