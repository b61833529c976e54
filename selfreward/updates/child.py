"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.child TASK.json` runs what the file describes. On a CPU nothing has to come back, and
training runs in the calling process.
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
from selfreward.artifacts.tables import read_records, rows_of, write_parquet
from selfreward.backends.device import resolve_device
from selfreward.records import Example, Policy, PreferencePair, TrainingRow
from selfreward.updates.dpo import DpoSpec, train_dpo
from selfreward.updates.report import Training
from selfreward.updates.rft import RftSpec, train_rft
from selfreward.updates.training import StepAdvance

TrainingSpec = RftSpec | DpoSpec
_ERROR = "error.json"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A training: `reference` is the policy that a preference loss ties to; rows suit the kind of `spec`."""

    spec: TrainingSpec
    policy: Policy
    reference: Policy | None
    rows: Sequence[TrainingRow]
    out: Path
    seed: int


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
    row_type = _row_type(task.spec)
    write_parquet(scratch / "rows.parquet", rows_of(task.rows, row_type), row_type)
    described = {
        "spec": task.spec.model_dump(mode="json"),
        "policy": _as_json(task.policy),
        "reference": None if task.reference is None else _as_json(task.reference),
        "out": str(task.out.resolve()),
        "seed": task.seed,
    }
    path = scratch / "task.json"
    path.write_text(json.dumps(described))
    child = subprocess.run([sys.executable, "-m", "selfreward.updates.child", str(path)], check=False)
    if (told := scratch / _ERROR).exists():
        kind, message = json.loads(told.read_text())
        raise getattr(errors, kind)(message)
    if child.returncode != 0:
        raise errors.BackendError(f"training ended with status {child.returncode}: its own message stands above")
    result: dict[str, Any] = json.loads((scratch / "result.json").read_text())
    return Training(**result)


def _row_type(spec: TrainingSpec) -> type[Example] | type[PreferencePair]:
    return Example if isinstance(spec, RftSpec) else PreferencePair


def _as_json(policy: Policy) -> dict[str, str]:
    return {"path": str(policy.path.resolve()), "key": policy.key, "digest": policy.digest}


def _read(written: dict[str, str]) -> Policy:
    return Policy(path=Path(written["path"]), key=written["key"], digest=written["digest"])


def main() -> None:
    """Runs the task in the file named on the command line; writes `result.json` or what was wrong with it beside it."""
    path = Path(sys.argv[1])
    described = json.loads(path.read_text())
    spec: TrainingSpec = TypeAdapter(TrainingSpec).validate_python(described["spec"])
    task = Task(
        spec=spec,
        policy=_read(described["policy"]),
        reference=None if described["reference"] is None else _read(described["reference"]),
        rows=read_records(path.parent / "rows.parquet", _row_type(spec)),
        out=Path(described["out"]),
        seed=described["seed"],
    )
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
    (path.parent / "result.json").write_text(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
