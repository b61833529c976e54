"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.training_process JOB.json` runs what the file describes. On a CPU nothing has to come
back, and training runs in the calling process.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar

from pydantic import Field, TypeAdapter

from selfreward import errors
from selfreward.artifacts import Advance
from selfreward.updates import AnyUpdate, UpdateSpec
from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.reward import RewardJob

_ERROR = "error.json"
_RESULT = "result.json"

Result = TypeVar("Result", covariant=True)


class Job(Protocol[Result]):
    """A training, all of it in its fields: whoever runs it knows no more of it than this."""

    @property
    def result(self) -> type[Result]:
        """What comes of it: a dataclass of plain values."""

    @property
    def apart(self) -> bool:
        """Whether it runs in a process of its own."""

    @property
    def out(self) -> Path:
        """The folder that it writes."""

    def train(self, scratch: Path, advance: StepAdvance) -> Result:
        """What training saw; `scratch` does not outlive it."""


@dataclass(frozen=True, kw_only=True)
class UpdateJob:
    """An update of a policy."""

    result: ClassVar[type[Training]] = Training

    spec: UpdateSpec
    task: Task
    kind: Literal["update"] = "update"

    @property
    def apart(self) -> bool:
        """Whether it runs in a process of its own."""
        return self.spec.apart

    @property
    def out(self) -> Path:
        """The folder that it writes."""
        return self.task.out

    def train(self, scratch: Path, advance: StepAdvance) -> Training:
        """What training saw."""
        return self.spec.train(self.task, scratch, advance)


AnyJob = Annotated[UpdateJob | RewardJob, Field(discriminator="kind")]
_JOB: TypeAdapter[UpdateJob | RewardJob] = TypeAdapter(AnyJob)


def run_update(spec: AnyUpdate, task: Task, advance: Advance) -> Training:
    """Trains as `spec` says; what the training saw."""
    return run_job(UpdateJob(spec=spec, task=task), advance)


def run_job(job: Job[Result], advance: Advance) -> Result:
    """Trains as `job` says; what the training saw. Tells `advance` of every step.

    It runs in a folder that does not outlive it; in a child process where its memory comes back only that way.
    """
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=job.out.parent) as scratch:
        if job.apart:
            return _train_apart(job, Path(scratch), advance)
        return job.train(Path(scratch), lambda step, steps: advance(1))


def _train_apart(job: Job[Result], scratch: Path, advance: Advance) -> Result:
    path = scratch / "job.json"
    path.write_bytes(TypeAdapter(type(job)).dump_json(job))
    read, write = os.pipe()
    relay = Thread(target=_relay, args=(read, advance), daemon=True)
    relay.start()
    command = [sys.executable, "-m", "selfreward.updates.training_process", str(path), str(write)]
    try:
        child = subprocess.run(command, check=False, pass_fds=[write])
    finally:
        os.close(write)
    relay.join()
    if (told := scratch / _ERROR).exists():
        kind, message = json.loads(told.read_text())
        raise getattr(errors, kind)(message)
    if child.returncode != 0:
        raise errors.BackendError(f"training ended with status {child.returncode}: its own message stands above")
    return TypeAdapter(job.result).validate_python(json.loads((scratch / _RESULT).read_text()))


def _relay(read: int, advance: Advance) -> None:
    """Tells `advance` of every step that a child writes a line about."""
    with os.fdopen(read) as lines:
        for _ in lines:
            advance(1)


def main() -> None:
    """Runs the job in the file named on the command line; writes `result.json` or what was wrong with it beside it.

    A line about each step goes to the file descriptor whose number follows, to stderr where none does.
    """
    path = Path(sys.argv[1])
    job = _JOB.validate_json(path.read_bytes())
    with open(int(sys.argv[2]) if len(sys.argv) > 2 else sys.stderr.fileno(), "w", closefd=False) as told:
        try:
            result = job.train(
                path.parent / "trainer", lambda step, steps: print(f"step {step} of {steps}", file=told, flush=True)
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
