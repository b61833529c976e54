"""The reward models that a run trains, at its start or in each round: on what, and what goes with them."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from selfreward.artifacts import Artifact
from selfreward.artifacts.manifest import read_manifest
from selfreward.artifacts.runs import Run, read_run
from selfreward.backends.rendering import ChatSpec
from selfreward.backends.reward_model import check_head, check_reward_model
from selfreward.data.models import model_policy, named_folder
from selfreward.data.overlap import OverlapSpec
from selfreward.data.own import OwnData
from selfreward.data.sources import AnyData
from selfreward.errors import BackendError, ConfigError
from selfreward.judges.base import JudgeBase
from selfreward.policies import Policy, RewardModels
from selfreward.row_kinds import PAIRS
from selfreward.selection import AnySelect
from selfreward.stages.clean import CleanSpec, clean, cleaning_line
from selfreward.stages.reward import members_of, reward, reward_line, rewarding_of
from selfreward.stages.source import Sources
from selfreward.updates import AnyUpdate
from selfreward.updates.reward import RewardSpec


def check_reward(
    spec: RewardSpec | None,
    *,
    scripted: bool,
    data: AnyData,
    select: AnySelect,
    update: AnyUpdate,
    judges: Mapping[str, JudgeBase],
) -> None:
    """Raises ValueError, in one line, where a run cannot train reward models as `spec` says, or judge with them.

    `judges` are those of the run, by the names of their settings.
    """
    members = spec.members if spec is not None and spec.train == "start" else 0
    for name, judge in judges.items():
        if (why := judge.why_untrained(name, members)) is not None:
            raise ValueError(why)
    asked_by = update.learns_from_models
    if spec is None and asked_by is not None:
        raise ValueError(
            f"{asked_by} with reward=null, so there is none: set reward=round select=preference_pairs "
            "select.prompts=all, which trains one on the pairs of each round, or reward=start"
        )
    in_rounds = spec is not None and spec.train == "round"
    if select.hands is not None and select.makes is PAIRS and not (in_rounds and asked_by):
        raise ValueError(
            f"select.prompts={select.hands} with select={select.kind} makes pairs that nothing learns from: set "
            "reward=round and a source of update.rewards of kind reward_model, or select=prompts"
        )
    if spec is None:
        return
    if scripted:
        raise ValueError("reward with model=scripted, which has no weights to train: set reward=none")
    if spec.train == "round" and spec.pairs_of is not None:
        raise ValueError(
            f"reward.pairs_of={spec.pairs_of} with reward.train=round, which trains on the pairs of the round: set "
            "reward.train=start, or reward.pairs_of=null"
        )
    if spec.train == "round" and select.makes is not PAIRS:
        raise ValueError(
            f"reward.train=round with select={select.kind}, which makes no pairs to train on: set "
            "select=preference_pairs update=dpo, or reward.train=start"
        )
    if spec.train == "start" and spec.pairs_of is None and not data.human_pairs:
        some = "a file" if isinstance(data, OwnData) else "a number, as in data.human_pairs=400"
        raise ValueError(
            f"reward.train=start has no pairs to train on: give data.human_pairs {some}, or reward.pairs_of the name "
            "of an earlier run that made pairs"
        )


def reward_at_start(
    spec: RewardSpec | None, overlap: OverlapSpec, run: Run, data: Sources, initial: Policy
) -> tuple[Policy, ...]:
    """The reward models trained before round 0, linked as `sources/reward`; none where the settings ask for none.

    Raises ConfigError where the pairs of an earlier run are not there, and BackendError for a `reward.path` that is no
    reward model, also where it is trained on later.
    """
    if spec is None:
        return ()
    start = _start(spec, run, initial)
    if spec.train == "round":
        return ()
    pairs = data.human_pairs if spec.pairs_of is None else _earlier_pairs(spec.pairs_of, overlap, run, data)
    make: Callable[..., Artifact] = partial(run.source, "reward", random=True)
    made = _made(make, spec, start, pairs, data)
    run.store.reporter.say(reward_line(rewarding_of(made)))
    return members_of(made)


def reward_of_round(
    spec: RewardSpec | None, run: Run, t: int, data: Sources, policy: Policy, initial: Policy, training: Artifact
) -> tuple[Policy, ...]:
    """The reward models trained on the pairs of round `t`; none where the settings ask for none in rounds.

    `policy` drew the answers of the round; `initial` is the start model.
    """
    if spec is None or spec.train != "round":
        return ()
    start = _start(spec, run, initial if spec.init == "initial" else policy)
    return members_of(_made(partial(run.stage, t), spec, start, training, data))


def models_for(update: AnyUpdate, members: tuple[Policy, ...]) -> RewardModels | None:
    """The reward models that an update learns from; None for one that asks for none.

    What computes their scores is the update's engine, which counts beside them.
    """
    return None if update.learns_from_models is None else RewardModels(members=members, engine={})


def _made(make: Callable[..., Artifact], spec: RewardSpec, start: Policy, pairs: Artifact, data: Sources) -> Artifact:
    gold = {"gold": data.gold_gate, "final": data.gold_final}
    pairs = pairs.part(PAIRS.table) if pairs.has(PAIRS.table) else pairs  # a mixture's ledger is nothing to learn from
    return make(reward, spec, engine=spec.engine(), policy=start, pairs=pairs, **gold)


def _start(spec: RewardSpec, run: Run, policy: Policy) -> Policy:
    """What training starts from: the reward model that the settings name, or `policy`."""
    if spec.path is None:
        return policy
    folder = named_folder(spec.path, "reward.path")
    try:
        check_reward_model(folder)
        check_head(folder)
        return model_policy(folder, ChatSpec(), run.store.root, trusted=False)
    except BackendError as error:
        raise BackendError(f"reward.path={spec.path}: {error}") from error


def _earlier_pairs(named: str, overlap: OverlapSpec, run: Run, data: Sources) -> Artifact:
    """The pairs of an earlier run without those that ask what this one measures."""
    pairs = pairs_of(named, run)
    spec = CleanSpec(role="human_pairs", overlap=overlap)
    make: Callable[..., Artifact] = run.source
    cleaned = make("clean_reward_pairs", clean, spec, table=pairs, **data.measured)
    run.store.reporter.say(cleaning_line({f"pairs of {named}": cleaned}))
    return cleaned if cleaned.rows("dropped") else pairs


def pairs_of(named: str, run: Run) -> Artifact:
    """The mixture of pairs that `named` means: that of the last round of a run, or the artifact in a folder.

    Raises ConfigError where there is none, or it holds no pairs.
    """
    folder = run.folder.parent / named
    folder = folder if folder.is_dir() else Path(named)
    if folder.resolve() == run.folder.resolve():
        raise ConfigError(f"reward.pairs_of={named} is this run, whose pairs come later: name an earlier one")
    manifest = read_manifest(folder)
    if manifest is not None:
        found = Artifact(folder.resolve(), manifest)
    elif folder.is_dir() and (mixed := [one["mix"] for one in read_run(folder).iterations if "mix" in one]):
        found = mixed[-1]
    else:
        raise ConfigError(
            f"reward.pairs_of={named}: {folder} has no mixture (any more): give the name of a run below "
            f"{run.folder.parent} that trained on pairs, or the folder of one, as in runs/NAME/iter-000/mix"
        )
    if not found.has(PAIRS.table):
        raise ConfigError(
            f"reward.pairs_of={named}: {found.path} holds no pairs: name a run with select=preference_pairs"
        )
    return found
