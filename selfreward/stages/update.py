"""Update: the next policy, trained on this round's mixture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.reports import load_report
from selfreward.judge_quality.opinions import weights_of
from selfreward.judges.jury import juror
from selfreward.judges.standard import saved_standard
from selfreward.policies import Judging, Policy, RewardModels
from selfreward.records import Example, Prompt, RowPrompt, TrainingRow
from selfreward.row_kinds import EXAMPLES, PROMPTS
from selfreward.selection.training_rows import row_kind
from selfreward.stages.mix import sft_weight_of
from selfreward.updates import AnyUpdate, Training
from selfreward.updates.base import FrozenJudge, Task
from selfreward.updates.rl_steps import RlStep
from selfreward.updates.training_process import run_update

VERSION = 7
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
    weights: Part | None = None,
    standard: Part | None = None,
    **judging: Judging | None,
) -> None:
    """Folder `model` with the trained policy; `training.json` is a Training without what it does not have.

    Of reinforcement learning, table `steps` has an RlStep each, and the counts are of the tokens that were drawn and
    judged, and of what its judges used. `judging` are the policies that judges judge with which
    it asks for rewards, and those of their jurors, called as `judge_policy` has it; `weights` and `standard` are what
    the run's own judge learned and standardises by, as in the stage `judge`.

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
        judges=_frozen(spec, judging, weights, standard),
    )
    with out.progress(None, "steps") as advance:
        found = run_update(spec.with_sft(sft_weight_of(training)), task, advance, out.say)
    if found.rl_steps is not None:
        out.write_table(RlStep, found.rl_steps, _STEPS)
    if found.tokens_drawn is not None:
        out.count(completion_tokens=found.tokens_drawn, judge_tokens=found.tokens_judged or 0)
        out.count(**found.judges_used or {})
    report = asdict(replace(found, rl_steps=None, judges_used=None))
    out.write_json("training", {name: value for name, value in report.items() if value is not None})


def judge_policy(source: str, member: str | None = None) -> str:
    """What the policy that the judge of a source judges with is called among the inputs, or that of a juror."""
    return f"rewards.{source}" if member is None else f"rewards.{source}.{member}"


def _frozen(
    spec: AnyUpdate, judging: Mapping[str, Judging | None], weights: Part | None, standard: Part | None
) -> dict[str, FrozenJudge]:
    """What each judge that the update asks judges with, by its source."""
    found = {}
    for source, judge in spec.judges.items():
        assert judge is not None, "the update names its judges"
        named = {juror(member): judging.get(judge_policy(source, member)) for member in judge.seats}
        found[source] = FrozenJudge(
            policy=judging[judge_policy(source)],
            jurors={name: one for name, one in named.items() if one is not None},
            weights=weights_of(weights) if judge.learns and weights is not None else None,
            standard=saved_standard(standard) if judge.standardises and standard is not None else None,
        )
    return found


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
