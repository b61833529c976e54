"""Training in a process of its own, so that its memory comes back when it ends.

`python -m selfreward.updates.child TASK.json` runs what the file describes. On a CPU nothing has to come back, and
training runs in the calling process.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from selfreward.artifacts import Advance
from selfreward.artifacts.tables import read_records, rows_of, write_parquet
from selfreward.backends.device import resolve_device
from selfreward.errors import BackendError
from selfreward.records import Example, Policy
from selfreward.spec import Json
from selfreward.updates.rft import RftSpec, train_rft


def train_in_scratch(
    spec: RftSpec, policy: Policy, examples: Sequence[Example], out: Path, seed: int, advance: Advance
) -> dict[str, Json]:
    """Trains as `train_rft` does, in a folder that does not outlive it; in a child process where a GPU is used."""
    apart = spec.isolate == "always" or (spec.isolate == "auto" and resolve_device(spec.device) == "cuda")
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=out.parent) as scratch:
        if apart:
            return _train_apart(spec, policy, examples, out, Path(scratch), seed)
        return asdict(train_rft(spec, policy, examples, out, Path(scratch), seed, lambda step, steps: advance(1)))


def _train_apart(
    spec: RftSpec, policy: Policy, examples: Sequence[Example], out: Path, scratch: Path, seed: int
) -> dict[str, Json]:
    write_parquet(scratch / "examples.parquet", rows_of(examples, Example), Example)
    task = {
        "spec": spec.model_dump(mode="json"),
        "policy": {"path": str(policy.path.resolve()), "key": policy.key, "digest": policy.digest},
        "out": str(out.resolve()),
        "seed": seed,
    }
    path = scratch / "task.json"
    path.write_text(json.dumps(task))
    child = subprocess.run([sys.executable, "-m", "selfreward.updates.child", str(path)], check=False)
    if child.returncode != 0:
        raise BackendError(f"training ended with status {child.returncode}: its own message stands above")
    result: dict[str, Json] = json.loads((scratch / "result.json").read_text())
    return result


def main() -> None:
    """Runs the task in the file named on the command line and writes `result.json` beside it."""
    path = Path(sys.argv[1])
    task = json.loads(path.read_text())
    policy = Policy(path=Path(task["policy"]["path"]), key=task["policy"]["key"], digest=task["policy"]["digest"])
    result = train_rft(
        RftSpec.model_validate(task["spec"]),
        policy,
        read_records(path.parent / "examples.parquet", Example),
        Path(task["out"]),
        path.parent / "trainer",
        task["seed"],
        lambda step, steps: print(f"  step {step} of {steps}", file=sys.stderr),
    )
    (path.parent / "result.json").write_text(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
