"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.training_process TASK.json` runs what the file describes. On a CPU nothing has to come
back, and training runs in the calling process.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from selfreward import errors
from selfreward.artifacts import Advance
from selfreward.backends.device import resolve_device
from selfreward.records import Example, Policy, PreferencePair, TrainingRow
from selfreward.updates.dpo import DpoSpec, train_dpo
from selfreward.updates.rft import RftSpec, train_rft
from selfreward.updates.training import StepAdvance, Training

_ERROR = "error.json"
_RESULT = "result.json"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training: `reference` is the policy that a preference loss ties to; rows suit the kind of `spec`."""

    spec: RftSpec | DpoSpec
    policy: Policy
    reference: Policy | None
    rows: Sequence[TrainingRow]
    out: Path
    seed: int


_TASK = TypeAdapter(Task)


def train_in_scratch(task: Task, advance: Advance) -> Training:
    """What the training saw. It runs in a folder that does not outlive it; in a child process where a GPU is used."""
    isolate = task.spec.isolate
    apart = isolate == "always" or (isolate == "auto" and resolve_device(task.spec.device) == "cuda")
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=task.out.parent) as scratch:
        if apart:
            return _train_apart(task, Path(scratch))
        return _train(task, Path(scratch), lambda step, steps: advance(1))


def _train(task: Task, scratch: Path, advance: StepAdvance) -> Training:
    match task.spec:
        case RftSpec():
            examples = [row for row in task.rows if isinstance(row, Example)]
            return train_rft(task.spec, task.policy, examples, task.out, scratch, task.seed, advance)
        case DpoSpec():
            assert task.reference is not None
            pairs = [row for row in task.rows if isinstance(row, PreferencePair)]
            return train_dpo(task.spec, task.policy, task.reference, pairs, task.out, scratch, task.seed, advance)


def _train_apart(task: Task, scratch: Path) -> Training:
    path = scratch / "task.json"
    path.write_bytes(_TASK.dump_json(task))
    child = subprocess.run([sys.executable, "-m", "selfreward.updates.training_process", str(path)], check=False)
    if (told := scratch / _ERROR).exists():
        kind, message = json.loads(told.read_text())
        raise getattr(errors, kind)(message)
    if child.returncode != 0:
        raise errors.BackendError(f"training ended with status {child.returncode}: its own message stands above")
    result: dict[str, Any] = json.loads((scratch / _RESULT).read_text())
    return Training(**result)


def main() -> None:
    """Runs the task in the file named on the command line; writes `result.json` or what was wrong with it beside it."""
    path = Path(sys.argv[1])
    task = _TASK.validate_json(path.read_bytes())
    try:
        result = _train(
            task, path.parent / "trainer", lambda step, steps: print(f"  step {step} of {steps}", file=sys.stderr)
        )
    except Exception as error:
        mistake = error if isinstance(error, errors.SelfrewardError) else errors.of_system(error)
        if mistake is None:
            raise
        (path.parent / _ERROR).write_text(json.dumps([type(mistake).__name__, str(mistake)]))
        sys.exit(mistake.exit_status)
    (path.parent / _RESULT).write_text(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
