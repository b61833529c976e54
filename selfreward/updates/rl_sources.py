"""The settings of sources of rewards, and the sources that they name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from selfreward.backends import AnyBackend
from selfreward.backends.device import Device
from selfreward.errors import ConfigError
from selfreward.judges import JudgeSpec
from selfreward.judges.base import JudgeBase, Means
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.policies import RewardModels
from selfreward.records import Candidate, Prompt
from selfreward.spec import Spec
from selfreward.updates.base import Task
from selfreward.updates.rl_judges import (
    Bench,
    OpenJudge,
    group_scores,
    on_engine,
    opened,
    reference_scores,
    why_no_source,
)
from selfreward.updates.rl_rewards import HERE, RewardSource, Scores


class _Weighted(Spec):
    """`weight` is what a score is multiplied by before the sources of a completion are added up."""

    weight: float = Field(1.0, gt=0)


class VerifierReward(_Weighted):
    """1 for a right answer, 0 for a wrong one; it applies to prompts that say how an answer is compared."""

    kind: Literal["verifier"] = "verifier"


class ModelReward(_Weighted):
    """What a reward model gives, or an ensemble: their mean, the least, or the mean less `deviations` deviations.

    It applies to every prompt; the models are those that the update is given.
    """

    kind: Literal["reward_model"] = "reward_model"
    aggregate: Literal["mean", "min", "lower"] = "mean"
    deviations: float = Field(1.0, gt=0)


class LengthReward(_Weighted):
    """0 for up to `above` tokens, falling evenly to -1 at `max_new_tokens`; it applies to every prompt.

    Source: the soft overlong punishment of DAPO (2503.14476, equation 13).
    """

    kind: Literal["length"] = "length"
    above: NonNegativeInt


class JudgeReward(_Weighted):
    """What a judge gives: a score, or of one that compares, how strong it finds a completion among its group.

    Without a `judge` it is that of the run as it judged the round, on every prompt that this can judge. One that
    compares may be asked `against` the `reference`, the first of the prompt, in place of the `group`: the reward is
    then how far the score lies above that of the reference, and prompts without one are left out.
    """

    kind: Literal["judge"] = "judge"
    judge: JudgeSpec | None = None
    against: Literal["group", "reference"] = "group"


RewardName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Reward = Annotated[VerifierReward | ModelReward | LengthReward | JudgeReward, Field(discriminator="kind")]


def right_answers() -> dict[RewardName, Reward]:
    """A verifier alone."""
    return {"verifier": VerifierReward()}


def judged(name: str, weight: float, judge: OpenJudge, seed: int, *, reference: bool = False) -> RewardSource:
    """A judge as a source, of the prompts that it can judge; with `reference`, of those that have one."""
    reads = judge.spec.uses_references is not None

    def applies(prompt: Prompt) -> bool:
        needed = reads or reference
        return not needed or (bool(prompt.references) and (not reads or prompt.match is not None))

    score = (reference_scores if reference else group_scores)(name, judge, seed)
    return RewardSource(name=name, weight=weight, applies=applies, score=score, asks=judge.asks)


def verifier(name: str, weight: float) -> RewardSource:
    """Right or wrong, of the prompts that say how an answer is compared."""
    return _local(name, weight, VerifierSpec(max_failed_share=1.0), Means())


def reward_model(name: str, spec: ModelReward, models: RewardModels, device: Device) -> RewardSource:
    """What reward models give; one that cannot read a completion says nothing of it."""
    folders = tuple(one.path for one in models.members)
    if spec.aggregate == "lower" and len(folders) < 2:
        raise ConfigError(
            f"update.rewards.{name}.aggregate=lower of one reward model, which has no standard deviation: set "
            f"update.rewards.{name}.aggregate=mean"
        )
    judge = RewardModelSpec(
        models=folders,
        standardise=False,
        aggregate=spec.aggregate,
        deviations=spec.deviations,
        device=device,
        max_failed_share=1.0,
    )
    return _local(name, spec.weight, judge, Means(policy=models))


def _local(name: str, weight: float, spec: JudgeBase, means: Means) -> RewardSource:
    return judged(name, weight, OpenJudge(judge=spec.build(means), spec=spec, asks=frozenset({HERE})), seed=0)


def length(name: str, spec: LengthReward, max_new_tokens: int) -> RewardSource:
    """Minus the share of the tokens between `spec.above` and the longest completion that one takes up."""

    def score(prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> Scores:
        room = max_new_tokens - spec.above
        return Scores([min(0.0, (spec.above - one.tokens) / room) for one in completions])

    return RewardSource(name=name, weight=spec.weight, applies=lambda _: True, score=score)


def build_sources(
    rewards: Mapping[str, Reward],
    models: RewardModels | None,
    max_new_tokens: int,
    device: Device,
    judges: Mapping[str, OpenJudge] | None = None,
    seed: int = 0,
) -> list[RewardSource]:
    """The sources that settings name; `judges` has those that are judges, what they draw hangs on `seed`.

    Raises ConfigError for a reward model where the update is given none.
    """
    sources = []
    for name, spec in rewards.items():
        if isinstance(spec, VerifierReward):
            sources.append(verifier(name, spec.weight))
        elif isinstance(spec, LengthReward):
            sources.append(length(name, spec, max_new_tokens))
        elif isinstance(spec, JudgeReward):
            assert judges is not None
            sources.append(judged(name, spec.weight, judges[name], seed, reference=spec.against == "reference"))
        elif models is None:
            raise ConfigError(
                f"update.rewards.{name}.kind=reward_model, and the update is given no reward model: train one, or take "
                f"the source out with ~update.rewards.{name}"
            )
        else:
            sources.append(reward_model(name, spec, models, device))
    return sources


@dataclass(frozen=True, slots=True)
class Opened:
    """Sources that can be asked, and the judges among them."""

    sources: Sequence[RewardSource]
    bench: Bench


def judges_in(rewards: Mapping[str, Reward]) -> dict[str, JudgeBase | None]:
    """The judges among the sources, by their names; None is the judge of the run."""
    return {name: one.judge for name, one in rewards.items() if isinstance(one, JudgeReward)}


def with_judges(rewards: Mapping[str, Reward], judge: JudgeBase, engine: AnyBackend) -> dict[str, Reward]:
    """The sources, each judge named with its engine; `judge` is that of the run, on `engine`."""
    named = {name: on_engine(own or judge, engine) for name, own in judges_in(rewards).items()}
    return {**rewards, **{name: rewards[name].model_copy(update={"judge": one}) for name, one in named.items()}}


def why_unjudged(rewards: Mapping[str, Reward], judge: JudgeBase, engine: AnyBackend, group_size: int) -> str | None:
    """Why a source among these cannot ask its judge in a run with this `judge` and `engine`; None where all can."""
    for name, one in rewards.items():
        if isinstance(one, JudgeReward):
            reference = one.against == "reference"
            if (why := why_no_source(name, one.judge, judge, engine, group_size, reference=reference)) is not None:
                return why
    return None


@contextmanager
def open_sources(rewards: Mapping[str, Reward], task: Task, max_new_tokens: int, device: Device) -> Iterator[Opened]:
    """The sources that the settings name; every model that they load is freed at the end of the block.

    Raises as `build_sources`.
    """
    judges = {name: one for name, one in judges_in(rewards).items() if one is not None}
    with opened(judges, task.judges) as bench:
        models = task.reward_models
        yield Opened(build_sources(rewards, models, max_new_tokens, device, bench.judges, task.seed), bench)
