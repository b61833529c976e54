"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.training_process JOB.json SCRATCH` runs what the file describes. On a CPU nothing has to
come back, and training runs in the calling process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar

from pydantic import Field, TypeAdapter

from selfreward import errors
from selfreward.artifacts import Advance
from selfreward.artifacts.parquet import LASTING
from selfreward.updates import AnyUpdate, UpdateSpec
from selfreward.updates.base import StepAdvance, Task, Training
from selfreward.updates.kept_memory import freed_memory_kept
from selfreward.updates.reward import RewardJob

_ERROR = "error.json"
_RESULT = "result.json"
_LONG_MINUTES = 0.5

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

    @property
    def told(self) -> tuple[str, ...]:
        """What should be said before it begins; where there is something, the minutes that are left are said too."""

    @property
    def lasting(self) -> bool:
        """Whether its scratch folder stays until the artifact is committed, for it to go on from where it is killed."""

    def train(self, scratch: Path, advance: StepAdvance) -> Result:
        """What training saw; `scratch` is no part of what it leaves."""


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

    @property
    def told(self) -> tuple[str, ...]:
        """What the update says of itself."""
        return self.spec.told

    @property
    def lasting(self) -> bool:
        """Whether the update keeps checkpoints."""
        return self.spec.lasting

    def train(self, scratch: Path, advance: StepAdvance) -> Training:
        """What training saw."""
        return self.spec.train(self.task, scratch, advance)


AnyJob = Annotated[UpdateJob | RewardJob, Field(discriminator="kind")]
_JOB: TypeAdapter[UpdateJob | RewardJob] = TypeAdapter(AnyJob)


def run_update(spec: AnyUpdate, task: Task, advance: Advance, say: Callable[[str], None] = lambda _: None) -> Training:
    """Trains as `spec` says; what the training saw. The rest is as in `run_job`."""
    return run_job(UpdateJob(spec=spec, task=task), advance, say)


def run_job(job: Job[Result], advance: Advance, say: Callable[[str], None] = lambda _: None) -> Result:
    """Trains as `job` says; what the training saw. Tells `advance` of every step, `say` what is to be told meanwhile.

    It runs in a folder that does not outlive it, or in one for checkpoints that does; in a child process where its
    memory comes back only that way.
    """
    for line in job.told:
        say(line)
    tell = timed(_bar(advance), say)
    with _scratch(job) as scratch:
        if job.apart:
            return _train_apart(job, scratch, tell)
        with freed_memory_kept():
            return job.train(scratch, tell)


@contextmanager
def _scratch(job: Job[Result]) -> Iterator[Path]:
    """A folder below the unfinished artifact; one for checkpoints goes only when that is committed."""
    if job.lasting:
        lasting = job.out.parent / LASTING / job.out.name
        lasting.mkdir(parents=True, exist_ok=True)
        yield lasting
    else:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=job.out.parent) as scratch:
            yield Path(scratch)


def _bar(advance: Advance) -> StepAdvance:
    """Tells a progress bar how far training is; one that goes on from a checkpoint begins there."""
    done = 0

    def tell(step: int, steps: int) -> None:
        nonlocal done
        if step > done:
            advance(step - done)
            done = step

    return tell


def timed(advance: StepAdvance, say: Callable[[str], None]) -> StepAdvance:
    """`advance` that says after the first whole step how long the others will take, if that is over half a minute."""
    began: tuple[int, float] | None = None
    said = False

    def tell(step: int, steps: int) -> None:
        nonlocal began, said
        if began is not None and step > began[0] and not said:
            left, minutes = steps - step, (time.monotonic() - began[1]) / 60 / (step - began[0])
            if left * minutes > _LONG_MINUTES:
                say(f"the {left} steps that are left will take about {left * minutes:,.1f} minutes")
            said = True
        began = began or (step, time.monotonic())
        advance(step, steps)

    return tell


def _train_apart(job: Job[Result], scratch: Path, tell: StepAdvance) -> Result:
    with tempfile.TemporaryDirectory(prefix="job-", dir=job.out.parent) as folder:
        return _child(job, Path(folder), scratch, tell)


def _child(job: Job[Result], folder: Path, scratch: Path, tell: StepAdvance) -> Result:
    path = folder / "job.json"
    path.write_bytes(TypeAdapter(type(job)).dump_json(job))
    read, write = os.pipe()
    relay = Thread(target=_relay, args=(read, tell), daemon=True)
    relay.start()
    command = [sys.executable, "-m", "selfreward.updates.training_process", str(path), str(scratch), str(write)]
    try:
        child = subprocess.run(command, check=False, pass_fds=[write])
    finally:
        os.close(write)
    relay.join()
    if (told := folder / _ERROR).exists():
        kind, message = json.loads(told.read_text())
        raise getattr(errors, kind)(message)
    if child.returncode != 0:
        raise errors.BackendError(f"training ended with status {child.returncode}: its own message stands above")
    return TypeAdapter(job.result).validate_json((folder / _RESULT).read_bytes())


def _relay(read: int, tell: StepAdvance) -> None:
    """Tells of every step that a child writes a line about."""
    with os.fdopen(read) as lines:
        for line in lines:
            _, step, _, steps = line.split()
            tell(int(step), int(steps))


def main() -> None:
    """Runs the job in the file named on the command line; writes `result.json` or what was wrong with it beside it.

    A line about each step goes to the file descriptor whose number follows the scratch folder, to stderr without one.
    """
    path, scratch = map(Path, sys.argv[1:3])
    job = _JOB.validate_json(path.read_bytes())
    with open(int(sys.argv[3]) if len(sys.argv) > 3 else sys.stderr.fileno(), "w", closefd=False) as told:
        try:
            with freed_memory_kept():
                result = job.train(scratch, lambda step, steps: print(f"step {step} of {steps}", file=told, flush=True))
        except Exception as error:
            mistake = error if isinstance(error, errors.SelfrewardError) else errors.of_system(error)
            if mistake is None:
                raise
            (path.parent / _ERROR).write_text(json.dumps([type(mistake).__name__, str(mistake)]))
            sys.exit(mistake.exit_status)
    (path.parent / _RESULT).write_text(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
