"""Update: the next policy, trained on this round's mixture."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report
from selfreward.policies import Policy, RewardModels
from selfreward.records import Example, Prompt, RowPrompt, TrainingRow
from selfreward.row_kinds import EXAMPLES, PROMPTS
from selfreward.selection.training_rows import row_kind
from selfreward.stages.mix import sft_weight_of
from selfreward.updates import AnyUpdate, Training
from selfreward.updates.base import Task
from selfreward.updates.rl_steps import RlStep
from selfreward.updates.training_process import run_update

VERSION = 3
_STEPS = "steps"


def update(
    out: Output,
    spec: AnyUpdate,
    *,
    seed: int,
    policy: Policy,
    reference: Policy | None,
    training: Artifact,
    reward_models: RewardModels | None = None,
) -> None:
    """Folder `model` with the trained policy; `training.json` is a Training without what it does not have.

    Of reinforcement learning, table `steps` has an RlStep each.

    Reinforcement learning draws answers to table `prompts` of the mixture, after it has learned the human examples that
    stand there; `reward_models` are those of the run that it may ask.

    Where the mixture orders a weight for the likelihood of chosen answers, an update that compares trains on that too.
    """
    task = Task(
        policy=policy,
        reference=reference,
        rows=_rows(spec, training),
        out=out.path / "model",
        seed=seed,
        reward_models=reward_models,
        human=_human(spec, training),
    )
    with out.progress(None, "steps") as advance:
        found = run_update(spec.with_sft(sft_weight_of(training)), task, advance, out.reporter.say)
    if found.rl_steps is not None:
        out.write_table(RlStep, found.rl_steps, _STEPS)
    if found.tokens_drawn is not None:
        out.count(completion_tokens=found.tokens_drawn)
    report = asdict(replace(found, rl_steps=None))
    out.write_json("training", {name: value for name, value in report.items() if value is not None})


def _rows(spec: AnyUpdate, training: Artifact) -> Sequence[TrainingRow | Prompt]:
    if PROMPTS in spec.trains_on:
        return list(training.records(RowPrompt, PROMPTS.table))
    kind = row_kind(training)
    return list(training.records(kind.record, kind.table))


def _human(spec: AnyUpdate, training: Artifact) -> Sequence[Example]:
    """The human answers beside prompts; pairs are nothing that an update learns from that draws its own answers."""
    if PROMPTS not in spec.trains_on or not training.has(EXAMPLES.table):
        return ()
    return list(training.records(Example, EXAMPLES.table))


def training_of(updated: Artifact) -> Training:
    """What an update saw and did."""
    return load_report(updated, "training", Training)


def rl_steps_of(updated: Artifact) -> tuple[RlStep, ...] | None:
    """The steps of reinforcement learning; None of another update, and where `selfreward gc` deleted them."""
    if not updated.has(_STEPS) or updated.manifest.collected:
        return None
    return tuple(updated.records(RlStep, _STEPS))


def ties_to_last(updated: Artifact) -> bool:
    """Whether it was tied to the policy before it, and not to the one of iteration 0."""
    return updated.spec.get("reference") == "previous"


def policy_of(updated: Artifact) -> Policy:
    """The policy that an update made."""
    return Policy(path=updated.path / "model", key=updated.key, digest=updated.digest)
