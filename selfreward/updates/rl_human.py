"""What people answered, learned before reinforcement learning begins: through rewards alone it has no way in."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from selfreward.policies import Policy
from selfreward.updates.base import Task, Training
from selfreward.updates.checkpoints import is_sealed, seal
from selfreward.updates.rft import RftSpec, train_rft
from selfreward.updates.training import TrainingBase

_TRAINING = "human-training.json"


def learn_human(spec: TrainingBase, learning_rate: float, task: Task, scratch: Path) -> tuple[Policy, Training | None]:
    """The policy after one pass over the human rows of `task`, and what that saw; the given policy and None without.

    The policy stands below `scratch`. Where training goes on there, what was learned is not learned again; the
    checkpoints of this part have a folder of their own, which goes when it is done.
    """
    if not task.human:
        return task.policy, None
    folder, steps = scratch / "human", scratch / "human-steps"
    if not is_sealed(folder):
        shared = {name: getattr(spec, name) for name in TrainingBase.model_fields}
        rft = RftSpec(**{**shared, "learning_rate": learning_rate, "epochs": 1})
        learned = train_rft(rft, task.policy, task.human, folder, steps, task.seed, lambda *_: None)
        (folder / _TRAINING).write_text(json.dumps(asdict(learned)))
        seal(folder)
    if steps.exists():
        shutil.rmtree(steps)
    found = TypeAdapter(Training).validate_json((folder / _TRAINING).read_bytes())
    return Policy(path=folder, key=task.policy.key, digest=task.policy.digest), found
