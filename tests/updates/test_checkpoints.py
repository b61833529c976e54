"""Training of every kind that was killed ends in the bytes and figures of one that was not."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

from selfreward.artifacts.atomic_files import sha256_of
from selfreward.artifacts.parquet import LASTING, clear_unfinished
from selfreward.errors import StageError
from selfreward.policies import Policy
from selfreward.records import Feedback
from selfreward.row_kinds import FEEDBACK, as_kind
from selfreward.updates import DpoSpec, KtoSpec, RftSpec
from selfreward.updates.base import Task, Training
from selfreward.updates.reward import RewardJob, RewardSpec, RewardTraining
from selfreward.updates.training_process import _JOB, UpdateJob, run_job
from selfreward.updates.training_steps import mean_loss
from tests.tiny import make_example, make_pair, make_tiny_policy

SETTINGS = {
    "learning_rate": 5e-3,
    "batch_size": 4,
    "epochs": 3,
    "top_layers": 1,
    "lora_rank": 4,
    "schedule": "cosine",
    "compute": "float32",
    "device": "cpu",
}
STEPS = 9
"""Three epochs over ten rows, four at a time."""
EXAMPLES = [make_example(number, text=f"hello you {number}") for number in range(10)]
PAIRS = [make_pair(number, chosen=f"hello you {number}") for number in range(10)]
SPECS = {"rft": RftSpec, "dpo": DpoSpec, "kto": KtoSpec, "reward": RewardSpec}
GROUPS = {"rft": "update", "dpo": "update", "kto": "update", "reward": "reward"}
KINDS = pytest.mark.parametrize("kind", SPECS)
QUICK = {("rft", "full"), ("rft", "lora"), ("dpo", "top_layers"), ("kto", "top_layers"), ("reward", "lora")}
BOTH_WAYS = [  # rows in an order that the seed draws anew for each epoch, and in one that is made once
    pytest.param(kind, marks=[] if kind in ("rft", "kto") else pytest.mark.slow) for kind in SPECS
]
KINDS_AND_MODES = [
    pytest.param(kind, mode, marks=[] if (kind, mode) in QUICK else pytest.mark.slow)
    for kind in SPECS
    for mode in ("full", "top_layers", "lora")
]


def unpaired(number: int) -> Feedback:
    made = as_kind(EXAMPLES[number], FEEDBACK)
    assert isinstance(made, Feedback)
    return replace(made, desirable=number % 3 > 0)


ROWS = {"rft": EXAMPLES, "dpo": PAIRS, "kto": [unpaired(number) for number in range(10)]}


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return make_tiny_policy(tmp_path_factory.mktemp("tiny") / "policy")


@pytest.fixture(scope="module")
def moved(policy, tmp_path_factory):
    """A policy that is not the reference, so that what ties to it is told from where training starts and goes on."""
    folder = tmp_path_factory.mktemp("moved")
    run_job(job_of("rft", policy, policy, folder, learning_rate=1e-3), quietly)
    return Policy(path=folder / "model", key="moved", digest="moved")


def quietly(_: int) -> None:
    """Progress that nobody watches."""


def job_of(kind: str, policy: Policy, reference: Policy, folder: Path, **changes: object) -> UpdateJob | RewardJob:
    folder.mkdir(exist_ok=True)
    spec = SPECS[kind](**{**SETTINGS, **changes})
    if isinstance(spec, RewardSpec):
        return RewardJob(spec=spec, policy=policy, pairs=PAIRS, out=folder / "model", seed=7)
    task = Task(policy=policy, reference=reference, rows=ROWS[kind], out=folder / "model", seed=7)
    return UpdateJob(spec=spec, task=task)


class Killed(BaseException):
    """What ends a training in its midst."""


def killed_at(step: int, job: UpdateJob | RewardJob) -> list[str]:
    """What is left of a training that was killed when `step` was done, and not yet saved."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if done == step:
            raise Killed

    with suppress(Killed):
        run_job(job, advance)
    return left(job)


def left(job: UpdateJob | RewardJob) -> list[str]:
    """The checkpoints that are there when training begins again."""
    clear_unfinished(job.out.parent, [], lambda _: None)
    return sorted(path.name for path in (job.out.parent / LASTING / "model").iterdir())


def trained(job: UpdateJob | RewardJob, begins: int = 0) -> tuple[Training | RewardTraining, dict[str, str]]:
    """What training saw, and the digests of what it wrote; which step it `begins` behind is looked at."""
    told: list[int] = []
    result = run_job(job, told.append)
    assert told == ([begins] if begins else []) + [1] * (STEPS - begins)
    return result, {path.name: sha256_of(path) for path in job.out.iterdir()}


def check_goes_on(make: Callable[..., UpdateJob | RewardJob], save: int, kill: int, begins: int) -> None:
    """Whether a training that was killed goes on from the step that it should, and ends as one that was not."""
    unbroken = trained(make("unbroken"))
    job = make("killed", save_steps=save)
    assert killed_at(kill, job) == [f"checkpoint-{begins}", f"checkpoint-{begins}.sha256"]
    names = {path.name for path in (job.out.parent / LASTING).rglob("*.*")}
    assert not names & {"training_args.bin", "pytorch_model.bin", "adapter_model.bin"}, "which only unpickling reads"
    assert trained(job, begins) == unbroken
    assert left(job) == [f"checkpoint-{STEPS}", f"checkpoint-{STEPS}.sha256"], "until it is committed"


@pytest.mark.parametrize(("kind", "mode"), KINDS_AND_MODES)
def test_training_that_was_killed_within_an_epoch_ends_as_one_that_was_not(policy, moved, tmp_path, kind, mode):
    def make(name, **changes):
        return job_of(kind, moved, policy, tmp_path / name, trainable=mode, warmup_steps=2, **changes)

    check_goes_on(make, save=2, kill=5, begins=4)


@pytest.mark.parametrize("kind", BOTH_WAYS)
def test_training_that_was_killed_after_an_epoch_ends_as_one_that_was_not(policy, moved, tmp_path, kind):
    def make(name, **changes):
        return job_of(kind, moved, policy, tmp_path / name, **changes)

    check_goes_on(make, save=3, kill=7, begins=6)


def test_what_is_drawn_in_training_goes_on_too(policy, tmp_path):
    dropping = make_tiny_policy(tmp_path / "policy")
    config = dropping.path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "attention_dropout": 0.2}))

    def make(name, **changes):
        return job_of("rft", dropping, dropping, tmp_path / name, **changes)

    check_goes_on(make, save=2, kill=5, begins=4)
    dropped, kept = (trained(job_of("rft", one, one, tmp_path / one.path.name)) for one in (dropping, policy))
    assert dropped[0].mean_loss != kept[0].mean_loss


def test_how_often_it_saves_may_change_between_two_attempts(policy, tmp_path):
    unbroken = trained(job_of("rft", policy, policy, tmp_path / "unbroken"))
    folder = tmp_path / "killed"
    killed_at(5, job_of("rft", policy, policy, folder, save_steps=2))
    assert killed_at(8, job_of("rft", policy, policy, folder, save_steps=3)) == ["checkpoint-6", "checkpoint-6.sha256"]
    assert trained(job_of("rft", policy, policy, folder, save_steps=3), begins=6) == unbroken
    shutil.rmtree(folder / "model")
    assert trained(job_of("rft", policy, policy, folder), begins=0) == unbroken, "0 reads none"


@pytest.mark.parametrize("kind", ["dpo", "reward"])
def test_a_damaged_checkpoint_is_noticed_and_training_begins_anew(policy, tmp_path, kind):
    unbroken = trained(job_of(kind, policy, policy, tmp_path / "unbroken"))
    job = job_of(kind, policy, policy, tmp_path / "killed", save_steps=2)
    killed_at(5, job)
    state = job.out.parent / LASTING / "model" / "checkpoint-4" / "optimizer.pt"
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    assert trained(job, begins=0) == unbroken


def test_the_checkpoint_of_another_member_is_not_believed(policy, tmp_path):
    job = job_of("reward", policy, policy, tmp_path / "killed", save_steps=2)
    assert isinstance(job, RewardJob)
    killed_at(5, job)
    home = job.out.parent / LASTING
    (home / "model").rename(home / "model-2")
    assert trained(replace(job, out=job.out.with_name("model-2")))[0].steps == STEPS


@KINDS
def test_a_step_without_numbers_ends_training_and_keeps_the_checkpoint_before_it(policy, tmp_path, kind):
    # The first step of a warm-up changes nothing, and the second one everything.
    broken = {"learning_rate": 1e32, "max_grad_norm": 1e30, "warmup_steps": 1, "trainable": "full"}
    lower = rf"lower {GROUPS[kind]}\.learning_rate or {GROUPS[kind]}\.max_grad_norm"
    told = rf"^after step [23] the \S+ .*no numbers: {lower}"
    with pytest.raises(StageError, match=f"{told}$"):
        run_job(job_of(kind, policy, policy, tmp_path / "plain", **broken), quietly)
    job = job_of(kind, policy, policy, tmp_path / "kept", save_steps=1, **broken)
    kept = r"\. The checkpoint of step [12] stays in .*/checkpoint-[12]; with other settings training begins anew"
    with pytest.raises(StageError, match=told + kept) as caught:
        run_job(job, quietly)
    assert "\n" not in str(caught.value)
    (kept,) = (name for name in left(job) if not name.endswith(".sha256"))
    assert f"/{LASTING}/model/{kept}; " in str(caught.value)
    with safe_open(job.out.parent / LASTING / "model" / kept / "model.safetensors", framework="pt") as weights:
        assert all(weights.get_tensor(name).isfinite().all() for name in weights.keys())  # noqa: SIM118


def test_settings_of_drawing_that_transformers_would_not_write_are_no_hindrance(policy, tmp_path):
    shutil.copytree(policy.path, tmp_path / "policy")
    shipped = tmp_path / "policy/generation_config.json"
    shipped.write_text(json.dumps({**json.loads(shipped.read_text()), "do_sample": False, "temperature": 0.7}))
    odd = replace(policy, path=tmp_path / "policy")
    trained(job_of("rft", odd, odd, tmp_path / "a", save_steps=4))
    assert (tmp_path / "a/model/generation_config.json").read_bytes() == shipped.read_bytes()


def test_the_mean_loss_is_of_all_steps():
    logged = [{"loss": 1.0, "step": 1}, {"loss": 2.0, "step": 2}, {"loss": 6.0, "step": 3}, {"train_loss": 0.0}]
    assert mean_loss(logged, 2) == 3.0


DYING = """
import os, signal, sys
from pathlib import Path
from selfreward.updates import checkpoints
from selfreward.updates.training_process import _JOB, run_job

def die():
    os.kill(os.getpid(), signal.SIGKILL)

done = 0
def advance(more):
    global done
    done += more
    if done == 5 and sys.argv[2] == "step":
        die()

seal = checkpoints.seal
if sys.argv[2] == "seal":
    checkpoints.seal = lambda path: die() if path.name == "checkpoint-4" else seal(path)
run_job(_JOB.validate_json(Path(sys.argv[1]).read_bytes()), advance)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kto", "reward"])
def test_it_goes_on_in_a_process_of_its_own(policy, moved, tmp_path, kind):
    unbroken = trained(job_of(kind, moved, policy, tmp_path / "unbroken"))
    killed_at(5, job_of(kind, moved, policy, tmp_path / "killed", save_steps=2))
    apart = job_of(kind, moved, policy, tmp_path / "killed", save_steps=2, isolate="always")
    assert trained(apart, begins=4) == unbroken
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["model", LASTING]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "moment"), [("rft", "seal"), ("dpo", "step"), ("kto", "step"), ("reward", "seal")])
def test_a_process_that_was_killed_goes_on_in_another_one(policy, moved, tmp_path, kind, moment):
    unbroken = trained(job_of(kind, moved, policy, tmp_path / "unbroken"))
    job = job_of(kind, moved, policy, tmp_path / "killed", save_steps=2)
    (tmp_path / "job.json").write_bytes(_JOB.dump_json(job))
    command = [sys.executable, "-c", DYING, str(tmp_path / "job.json"), moment]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    assert ("checkpoint-4.sha256" in left(job)) == (moment == "step"), "the other one was not whole"
    assert trained(job, begins=4 if moment == "step" else 2) == unbroken
