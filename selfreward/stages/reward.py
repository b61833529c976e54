"""Reward: a model, or an ensemble of them, of which of two answers is the better one, trained on pairs.

It is held to pairs of prompts that no member was trained on, and to gold where there is some.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import NotScored
from selfreward.backends.reward_model import RewardModel, RewardScore, Shown, free_reward_models
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.reward_accuracy import ScoredPair, reward_measures
from selfreward.policies import Policy
from selfreward.records import GoldPair, Message, PreferencePair, digest_of
from selfreward.updates.reward import RewardSpec, RewardTraining, train_reward
from selfreward.updates.reward_pairs import check_pairs, resampled, split_by_prompt
from selfreward.updates.training import device_of

VERSION = 1
_BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewarding:
    """What the members of an ensemble were trained on and how good they are together, by their mean.

    `measures` are on the `held_out` pairs of `held_out_prompts` prompts, `gold` on gold pairs, None without any.
    """

    pairs: int
    held_out: int
    held_out_prompts: int
    members: tuple[RewardTraining, ...]
    measures: Mapping[str, Measure]
    gold: Mapping[str, Measure] | None
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """A pair to score: the better answer and the other one."""

    prompt_id: str
    messages: tuple[Message, ...]
    better: str
    worse: str


def reward(
    out: Output, spec: RewardSpec, *, seed: int, policy: Policy, pairs: Artifact, gold: Artifact | None = None
) -> None:
    """Folders `model-1` and so on with reward models; `reward.json` is a Rewarding.

    `pairs` is a mixture, or a table of human pairs; training starts from `policy` unless the settings name a reward
    model. The members of an ensemble are trained on resamples of the same prompts, and none of them on those held out.

    Raises StarvedLoop for fewer pairs than `spec.min_pairs` or of a single prompt, and what `train_reward` does.
    """
    there = list(pairs.records(PreferencePair, _table(pairs)))
    told = check_pairs(there, spec.min_pairs)
    for line in told:
        out.reporter.say(f"  {line}")
    kept, held_out = split_by_prompt(there, spec.held_out, seed)
    trained = []
    for number in range(1, spec.members + 1):
        own = derive_seed(seed, number)
        rows = kept if spec.members == 1 else resampled(kept, own)
        with (
            out.progress(None, "steps") as advance,
            tempfile.TemporaryDirectory(prefix="scratch-", dir=out.path) as scratch,
        ):
            folder = _folder(out.path, number)
            trained.append(train_reward(spec, policy, rows, folder, Path(scratch), own, lambda *_: advance(1)))
    models = [_model(spec, _folder(out.path, number)) for number in range(1, spec.members + 1)]
    compared = [_Compared(one.prompt_id, one.messages, one.chosen, one.rejected) for one in held_out]
    report = Rewarding(
        pairs=len(there),
        held_out=len(held_out),
        held_out_prompts=len({one.prompt_id for one in compared}),
        members=tuple(trained),
        measures=_measured(models, compared, seed),
        gold=None if gold is None else _measured(models, list(_gold(gold)), seed),
        told=tuple(told),
    )
    free_reward_models()
    save_report(out, "reward", report)


def rewarding_of(rewarded: Artifact) -> Rewarding:
    """What came of the training of a reward model."""
    return load_report(rewarded, "reward", Rewarding)


def members_of(rewarded: Artifact) -> tuple[Policy, ...]:
    """The reward models that it made."""
    numbers = range(1, len(rewarding_of(rewarded).members) + 1)
    return tuple(
        Policy(path=_folder(rewarded.path, one), key=rewarded.key, digest=digest_of(rewarded.digest, one))
        for one in numbers
    )


def _folder(root: Path, number: int) -> Path:
    return root / f"model-{number}"


def _table(pairs: Artifact) -> str:
    return "pairs" if pairs.has("pairs") else "rows"


def _model(spec: RewardSpec, folder: Path) -> RewardModel:
    return RewardModel(folder=folder, device=device_of(spec), dtype="float32", batch_tokens=_BATCH_TOKENS)


def _gold(gold: Artifact) -> Iterator[_Compared]:
    for one in gold.records(GoldPair):
        yield _Compared(
            digest_of([(turn.role, turn.content) for turn in one.messages]), one.messages, one.right, one.wrong
        )


def _measured(models: Sequence[RewardModel], pairs: Sequence[_Compared], seed: int) -> dict[str, Measure]:
    """The measures on pairs, of which those that a member cannot read are left out."""
    shown = [Shown(messages=one.messages, text=text) for one in pairs for text in (one.better, one.worse)]
    by_member = [model.score(shown, lambda _: None) for model in models]
    scored = []
    for place, one in enumerate(pairs):
        better, worse = (_scores([given[2 * place + side] for given in by_member]) for side in range(2))
        if better is not None and worse is not None:
            words = [len(text.split()) for text in (one.better, one.worse)]
            scored.append(
                ScoredPair(
                    prompt_id=one.prompt_id,
                    better=better,
                    worse=worse,
                    better_words=words[0],
                    worse_words=words[1],
                )
            )
    return reward_measures(scored, len(pairs) - len(scored), seed)


def _scores(given: Sequence[RewardScore | NotScored]) -> tuple[float, ...] | None:
    """The scores of all members; None where one has none."""
    found = [one.score for one in given if isinstance(one, RewardScore)]
    return tuple(found) if len(found) == len(given) else None
