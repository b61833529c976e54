"""Reward: a model, or an ensemble of them, of which of two answers is the better one, trained on pairs.

It is held against pairs of prompts that no member was trained on, and against both sets of gold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import NotScored
from selfreward.backends.reward_model import RewardModel, RewardScore, Shown, free_reward_models
from selfreward.judge_quality.estimate import Measures
from selfreward.judge_quality.reward_accuracy import ScoredPair, accuracy_by_set, reward_measures
from selfreward.policies import Policy
from selfreward.records import GoldPair, Message, PreferencePair, digest_of
from selfreward.selection.training_rows import pairs_table
from selfreward.updates.reward import RewardJob, RewardSpec, RewardTraining
from selfreward.updates.reward_pairs import check_pairs, resampled, split_by_prompt
from selfreward.updates.training import device_of
from selfreward.updates.training_process import run_job

VERSION = 3
COIN = 0.5
"""The accuracy of one who goes by a coin."""
_BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTo:
    """How good a reward model is on `pairs` pairs of `prompts` prompts that it was not trained on.

    `sets` is its accuracy on the parts that there are of them, by name: origin and stratum of pairs, source of gold.
    """

    pairs: int
    prompts: int
    measures: Measures
    sets: Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewarding:
    """What the members of an ensemble were trained on, of `pairs` in all, and how good they are by their mean.

    `held_out` are pairs of prompts that no member was trained on, `gold` and `final` both sets of gold, None without.
    `told` is what was said of the pairs.
    """

    pairs: int
    members: tuple[RewardTraining, ...]
    held_out: HeldTo
    gold: HeldTo | None
    final: HeldTo | None
    told: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Steps that training took, of all members."""
        return sum(one.steps for one in self.members)

    @property
    def held_to(self) -> dict[str, HeldTo]:
        """All that it was held against, by name."""
        named = {"held_out": self.held_out, "gold": self.gold, "final": self.final}
        return {name: one for name, one in named.items() if one is not None}


@dataclass(frozen=True, slots=True)
class _Compared:
    """A pair to score, the better answer and the other one; `sets` names what it is part of."""

    prompt_id: str
    messages: tuple[Message, ...]
    better: str
    worse: str
    sets: tuple[str, ...]


def reward(
    out: Output,
    spec: RewardSpec,
    *,
    seed: int,
    policy: Policy,
    pairs: Artifact,
    gold: Artifact | None = None,
    final: Artifact | None = None,
) -> None:
    """Folders `model-1` and so on with reward models; `reward.json` is a Rewarding.

    `pairs` is a mixture, a selection, or a table of human pairs; training starts from `policy`, which is a reward model
    where the settings name one. The members of an ensemble are trained on resamples of the same prompts, and none of
    them on those held out. `gold` and `final` are gold pairs.

    Raises StarvedLoop for fewer pairs than `spec.min_pairs` or of a single prompt, and what `train_reward` does.
    """
    # It is asked about answers, and is to learn nothing of judgments.
    there = [one for one in pairs.records(PreferencePair, pairs_table(pairs)) if one.origin != "meta"]
    told = check_pairs(there, spec.min_pairs)
    for line in told:
        out.say(line)
    kept, held_out = split_by_prompt(there, spec.held_out, seed)
    trained = []
    for number in range(1, spec.members + 1):
        own = derive_seed(seed, number)
        rows = kept if spec.members == 1 else resampled(kept, own)
        job = RewardJob(spec=spec, policy=policy, pairs=rows, out=_folder(out.path, number), seed=own)
        with out.progress(None, "steps") as advance:
            trained.append(run_job(job, advance, out.say))
    models = [_model(spec, _folder(out.path, number)) for number in range(1, spec.members + 1)]
    report = Rewarding(
        pairs=len(there),
        members=tuple(trained),
        held_out=_held_to(models, [_of_pair(one) for one in held_out], seed),
        gold=None if gold is None else _held_to(models, list(_gold(gold)), seed),
        final=None if final is None else _held_to(models, list(_gold(final)), seed),
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
    return tuple(_member(rewarded, _folder(rewarded.path, one)) for one in numbers)


def reward_line(report: Rewarding) -> str:
    """What came of the training of a reward model, in one line of the log."""
    of_members = f" of {len(report.members)} members" if len(report.members) > 1 else ""
    told = [f"{name.replace('_', '-')} {_accuracy(one)}" for name, one in report.held_to.items()]
    return (
        f"  reward model{of_members}, {report.steps} steps on {report.pairs - report.held_out.pairs:,} of "
        f"{report.pairs:,} pairs: accuracy {'; '.join(told)}"
    )


def like_a_coin(held: HeldTo) -> bool:
    """Whether what was measured leaves it open that the model is no better than a coin, or nothing was."""
    low = held.measures["accuracy"].low
    return low is None or low <= COIN


def _accuracy(held: HeldTo) -> str:
    one = held.measures["accuracy"]
    if one.value is None:
        return f"unknown ({one.why_missing})"
    coin = ", no better than a coin as far as they tell" if like_a_coin(held) else ""
    unread = f" ({one.left_out:,} more were beyond its context)" if one.left_out else ""
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}] on {one.n:,} pairs{unread}{coin}"


def _member(rewarded: Artifact, folder: Path) -> Policy:
    """The reward model in a folder of an artifact; it counts by its files, not by what it was held against."""
    there = [one for one in rewarded.manifest.files if one.path.startswith(f"{folder.name}/")]
    digest = digest_of("reward model", [(one.path.partition("/")[2], one.sha256) for one in there])
    return Policy(path=folder, key=rewarded.key, digest=digest)


def _folder(root: Path, number: int) -> Path:
    return root / f"model-{number}"


def _model(spec: RewardSpec, folder: Path) -> RewardModel:
    return RewardModel(folder=folder, device=device_of(spec), dtype="float32", batch_tokens=_BATCH_TOKENS)


def _gold(gold: Artifact) -> Iterator[_Compared]:
    for one in gold.records(GoldPair):
        prompt = digest_of([(turn.role, turn.content) for turn in one.messages])
        yield _Compared(prompt, one.messages, one.right, one.wrong, (one.source,))


def _of_pair(pair: PreferencePair) -> _Compared:
    return _Compared(pair.prompt_id, pair.messages, pair.chosen, pair.rejected, (pair.origin, pair.stratum))


def _held_to(models: Sequence[RewardModel], pairs: Sequence[_Compared], seed: int) -> HeldTo:
    """The measures on pairs, of which those that a member cannot read are left out."""
    shown = [Shown(messages=one.messages, text=text) for one in pairs for text in (one.better, one.worse)]
    by_member = [model.score(shown, lambda _: None) for model in models]
    scored: list[ScoredPair] = []
    sets: list[tuple[str, ...]] = []
    for place, one in enumerate(pairs):
        better, worse = (_scores([given[2 * place + side] for given in by_member]) for side in range(2))
        if better is not None and worse is not None:
            words = [len(text.split()) for text in (one.better, one.worse)]
            sets.append(one.sets)
            scored.append(
                ScoredPair(
                    prompt_id=one.prompt_id,
                    better=better,
                    worse=worse,
                    better_words=words[0],
                    worse_words=words[1],
                )
            )
    return HeldTo(
        pairs=len(pairs),
        prompts=len({one.prompt_id for one in pairs}),
        measures=reward_measures(scored, len(pairs) - len(scored), seed),
        sets=accuracy_by_set(scored, sets),
    )


def _scores(given: Sequence[RewardScore | NotScored]) -> tuple[float, ...] | None:
    """The scores of all members; None where one has none."""
    found = [one.score for one in given if isinstance(one, RewardScore)]
    return tuple(found) if len(found) == len(given) else None
