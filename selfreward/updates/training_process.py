"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.training_process TASK.json` runs what the file describes. On a CPU nothing has to come
back, and training runs in the calling process.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from selfreward import errors
from selfreward.artifacts import Advance
from selfreward.updates import AnyUpdate, UpdateSpec
from selfreward.updates.base import Task, Training

_ERROR = "error.json"
_RESULT = "result.json"


@dataclass(frozen=True)
class _Job:
    """What a child process is told."""

    spec: UpdateSpec
    task: Task


_JOB = TypeAdapter(_Job)


def run_update(spec: AnyUpdate, task: Task, advance: Advance) -> Training:
    """Trains as `spec` says; what the training saw.

    It runs in a folder that does not outlive it; in a child process where its memory comes back only that way.
    """
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=task.out.parent) as scratch:
        if spec.apart:
            return _train_apart(_Job(spec, task), Path(scratch))
        return spec.train(task, Path(scratch), lambda step, steps: advance(1))


def _train_apart(job: _Job, scratch: Path) -> Training:
    path = scratch / "task.json"
    path.write_bytes(_JOB.dump_json(job))
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
    job = _JOB.validate_json(path.read_bytes())
    try:
        result = job.spec.train(
            job.task, path.parent / "trainer", lambda step, steps: print(f"  step {step} of {steps}", file=sys.stderr)
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
