"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.training_process TASK.json` runs what the file describes. On a CPU nothing has to come
back, and training runs in the calling process.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from selfreward import errors
from selfreward.artifacts import Advance
from selfreward.artifacts.parquet import LASTING
from selfreward.updates import AnyUpdate, UpdateSpec
from selfreward.updates.base import StepAdvance, Task, Training

_ERROR = "error.json"
_RESULT = "result.json"


@dataclass(frozen=True)
class _Job:
    """What a child process is told."""

    spec: UpdateSpec
    task: Task
    scratch: Path


_JOB = TypeAdapter(_Job)
_TRAINING = TypeAdapter(Training)


def run_update(spec: AnyUpdate, task: Task, advance: Advance, say: Callable[[str], None] = lambda _: None) -> Training:
    """Trains as `spec` says; what the training saw. What is to be told of it before and meanwhile goes to `say`.

    It runs in a folder that does not outlive it, unless it is killed and goes on from checkpoints; in a child process
    where its memory comes back only that way.
    """
    for line in spec.told:
        say(line)
    with _scratch(spec, task.out.parent) as scratch:
        job = _Job(spec, task, scratch)
        if spec.apart:
            return _train_apart(job)
        return spec.train(task, scratch, _timed(spec, _bar(advance), say))


@contextmanager
def _scratch(spec: AnyUpdate, owner: Path) -> Iterator[Path]:
    """A folder below the unfinished artifact in `owner`; one for checkpoints goes only when training is done."""
    lasting = owner / LASTING
    if spec.lasting:
        lasting.mkdir(exist_ok=True)
        yield lasting
    else:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=owner) as scratch:
            yield Path(scratch)
    if lasting.exists():
        shutil.rmtree(lasting)


def _bar(advance: Advance) -> StepAdvance:
    """Tells a progress bar how far training is; one that goes on from a checkpoint begins there."""
    done = 0

    def tell(step: int, steps: int) -> None:
        nonlocal done
        if step > done:
            advance(step - done)
            done = step

    return tell


def _timed(spec: AnyUpdate, advance: StepAdvance, say: Callable[[str], None]) -> StepAdvance:
    """`advance` that says after the first step how long the others will take, where the update tells of itself."""
    began: tuple[int, float] | None = None
    said = not spec.told

    def tell(step: int, steps: int) -> None:
        nonlocal began, said
        if began is not None and step > began[0] and not said:
            left, minutes = steps - step, (time.monotonic() - began[1]) / 60 / (step - began[0])
            if left:
                say(f"the {left} steps that are left will take about {left * minutes:,.1f} minutes")
            said = True
        began = began or (step, time.monotonic())
        advance(step, steps)

    return tell


def _train_apart(job: _Job) -> Training:
    with tempfile.TemporaryDirectory(prefix="job-", dir=job.task.out.parent) as folder:
        return _child(job, Path(folder))


def _child(job: _Job, scratch: Path) -> Training:
    path = scratch / "task.json"
    path.write_bytes(_JOB.dump_json(job))
    child = subprocess.run([sys.executable, "-m", "selfreward.updates.training_process", str(path)], check=False)
    if (told := scratch / _ERROR).exists():
        kind, message = json.loads(told.read_text())
        raise getattr(errors, kind)(message)
    if child.returncode != 0:
        raise errors.BackendError(f"training ended with status {child.returncode}: its own message stands above")
    return _TRAINING.validate_json((scratch / _RESULT).read_bytes())


def main() -> None:
    """Runs the task in the file named on the command line; writes `result.json` or what was wrong with it beside it."""
    path = Path(sys.argv[1])
    job = _JOB.validate_json(path.read_bytes())
    try:
        result = job.spec.train(job.task, job.scratch, _timed(job.spec, _print_step, _print))
    except Exception as error:
        mistake = error if isinstance(error, errors.SelfrewardError) else errors.of_system(error)
        if mistake is None:
            raise
        (path.parent / _ERROR).write_text(json.dumps([type(mistake).__name__, str(mistake)]))
        sys.exit(mistake.exit_status)
    (path.parent / _RESULT).write_text(json.dumps(asdict(result)))


def _print_step(step: int, steps: int) -> None:
    _print(f"step {step} of {steps}")


def _print(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
