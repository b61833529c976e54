"""Judges as sources of rewards: how they are opened for a training, what they say, and which of them cannot be one.

They are frozen when training begins: a policy that judges is a copy from its folder, never the one that is trained.
Source: rewards that a judge gives directly, in one pass, are the direct RLAIF of Lee et al. 2023 (2309.00267).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import fmean

from selfreward.artifacts import derive_seed
from selfreward.backends import AnyBackend
from selfreward.backends.base import Backend
from selfreward.backends.reward_model import free_reward_models
from selfreward.errors import StageError
from selfreward.judges.base import Item, Judge, JudgeBase, Means, PolicyJudgeBase
from selfreward.judges.judge_shard import judge_shard
from selfreward.judges.jury import juror
from selfreward.policies import Judging
from selfreward.records import Candidate, Judgment, Prompt, undrawn
from selfreward.updates.base import FrozenJudge
from selfreward.updates.rl_rewards import HERE, Said, Score, Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJudge:
    """A judge that can be asked, its settings, and whom it `asks`, as `RewardSource`."""

    judge: Judge
    spec: JudgeBase
    asks: frozenset[str]


def on_engine(judge: JudgeBase, engine: AnyBackend) -> JudgeBase:
    """The judge with the engine named that it judges on, `engine` where it names none."""
    if not isinstance(judge, PolicyJudgeBase) or judge.backend is not None:
        return judge
    return judge.model_copy(update={"backend": engine})


@dataclass(frozen=True, slots=True)
class Bench:
    """Judges that can be asked, by the names of their sources, and the engines that they ask."""

    judges: Mapping[str, OpenJudge]
    engines: Sequence[Backend]

    @property
    def used(self) -> dict[str, float]:
        """The counts of what was used of engines that are paid by use, as `Backend.used`."""
        total = Counter[str]()
        for one in self.engines:
            total.update(one.used)
        return dict(total)


@contextmanager
def opened(judges: Mapping[str, JudgeBase], frozen: Mapping[str, FrozenJudge]) -> Iterator[Bench]:
    """The judges, and what they ask; the models that they load are freed at the end of the block.

    Each names its engine. A model is loaded when it is first asked, once for all sources that ask it here.
    """
    held: dict[tuple[str, str], Backend] = {}
    engines: list[Backend] = []
    with ExitStack() as stack:
        stack.callback(free_reward_models)

        def hold(engine: AnyBackend, policy: Judging) -> Backend:
            place = (engine.model_dump_json(), policy.digest)
            if place in held:
                return held[place]
            engines.append(stack.enter_context(engine.open(policy)))
            if engine.endpoint is None:  # what is at an address may be asked in a thread, by connections of its own
                held[place] = engines[-1]
            return engines[-1]

        found = {}
        for name, spec in judges.items():
            judge = spec.build(_means(spec, frozen[name], hold))
            if judge.standardising is not None and (standard := frozen[name].standard) is not None:
                judge = judge.standardising.by(standard)
            found[name] = OpenJudge(judge=judge, spec=spec, asks=_asks(spec))
        yield Bench(found, engines)


def _means(spec: JudgeBase, by: FrozenJudge, hold: Callable[[AnyBackend, Judging], Backend]) -> Means:
    if not isinstance(spec, PolicyJudgeBase):
        return Means(policy=by.policy)
    engine, policy = spec.engine, by.policy
    assert engine is not None
    assert policy is not None
    others = {name: one.engine for name, one in spec.seats.items() if one.engine not in (None, engine)}
    engines = {name: hold(own, by.jurors.get(juror(name), policy)) for name, own in others.items() if own is not None}
    return Means(policy=policy, backend=hold(engine, policy), jurors=by.jurors, engines=engines, weights=by.weights)


def _asks(spec: JudgeBase) -> frozenset[str]:
    """The models at addresses that the judge or its members ask, and HERE where one asks none."""
    asked = (spec, *spec.seats.values())
    engines = [(one.engine or spec.engine) if isinstance(one, PolicyJudgeBase) else None for one in asked]
    endpoints = [None if engine is None else engine.endpoint for engine in engines]
    return frozenset(HERE if endpoint is None else endpoint.model for endpoint in endpoints)


def group_scores(name: str, judge: OpenJudge, seed: int) -> Score:
    """What the judge says of completions; one that compares is shown those of a group, in all orders that it asks for.

    A score is the mean of what it says of one. What it draws hangs on `seed` and on the completions. Raises StageError
    where more than its `max_failed_share` failed.
    """

    def score(prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> Scores:
        said, tokens = ask(name, judge, seed, list(zip(prompts, completions, strict=True)))
        return Scores([_mean(said[one.id]) for one in completions], tokens)

    return score


def reference_scores(name: str, judge: OpenJudge, seed: int) -> Score:
    """How far a judge that compares scores a completion above the first reference of its prompt, in its own unit.

    Of pairwise judges that is the log-odds, in nats, that it is better. Nobody is asked where both say the same, 0.
    Raises as `group_scores`.
    """

    def score(prompts: Sequence[Prompt], completions: Sequence[Candidate]) -> Scores:
        fields = [_beside(place, *one) for place, one in enumerate(zip(prompts, completions, strict=True))]
        different = [item for own, other in fields if own[1].text != other[1].text for item in (own, other)]
        said, tokens = ask(name, judge, seed, different)
        above = [_above(said[own.id], said[other.id]) if own.id in said else 0.0 for (_, own), (_, other) in fields]
        return Scores(above, tokens)

    return score


def _beside(place: int, prompt: Prompt, completion: Candidate) -> tuple[Item, Item]:
    """A completion and the reference, under a prompt of their own."""
    alone = replace(prompt, id=f"{place}-{prompt.id}")
    other = undrawn(f"{completion.id}-reference", alone.id, completion.index + 1, prompt.references[0])
    return (alone, completion), (alone, other)


def ask(name: str, judge: OpenJudge, seed: int, items: list[Item]) -> tuple[dict[str, list[Judgment]], int]:
    """What the judge concludes of each candidate, by its id, and the tokens that it read and wrote."""
    here = derive_seed(seed, name, *(one.id for _, one in items))
    try:
        asked = judge_shard(
            judge.spec, judge.judge.ask, items, here, lambda _: None, setting="max_failed_share of that judge"
        )
    except StageError as error:
        raise StageError(f"update.rewards.{name}: {error}") from error
    conclude = judge.judge.conclude
    found: dict[str, list[Judgment]] = {one.id: [] for _, one in items}
    for said in asked if conclude is None else conclude(items, asked):
        found[said.candidate_ids[0]].append(said)
    return found, sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in asked)


def _mean(said: Sequence[Judgment]) -> Said:
    scores = [one.score for one in said if one.score is not None]
    if scores:
        return fmean(scores)
    return said[0].outcome if said else None


def _above(own: Sequence[Judgment], other: Sequence[Judgment]) -> Said:
    mine, others = _mean(own), _mean(other)
    if not isinstance(mine, float):
        return mine
    return mine - others if isinstance(others, float) else others


def why_no_source(
    name: str, own: JudgeBase | None, run: JudgeBase, engine: AnyBackend, group_size: int, *, reference: bool
) -> str | None:
    """Why source `name` cannot ask a judge of its `own`, or that of the `run`, and what to set; None where it can.

    `engine` is that of the run. With `reference` a completion is compared with the reference, else in its group.
    """
    source = f"update.rewards.{name}"
    setting, judge = ("judge", run) if own is None else (f"{source}.judge", own)
    if reference and not judge.relative:
        return (
            f"{source}.against=reference with {setting}={judge.called}, which scores each answer by itself: set "
            f"{source}.against=group, or +judge@{source}.judge=pairwise"
        )
    if (why := judge.why_unfit(setting, 2 if reference else group_size, "update.group_size")) is not None:
        return why
    for one in (judge, *judge.seats.values()):
        used = one.engine or judge.engine or engine
        if isinstance(one, PolicyJudgeBase) and not used.beside_training:
            return (
                f"{source} asks a judge on backend={used.kind}, which leaves a training no room beside it: set "
                f"+backend@{setting}.backend=hf, or =server with {setting}.policy=endpoint"
            )
    if own is not None and own.learns:
        return (
            f"{setting}.weights=learned are learned by the judge of the run alone, on gold pairs: set "
            f"{setting}.weights to a weight for every member"
        )
    if own is not None and own.standardises:
        member = next((f".members.{seat}" for seat, one in own.seats.items() if one.standardises), "")
        where = f"{setting}{member}.standardise"
        return (
            f"{where}=true standardises on the start policy's answers of a first round, which only the judge of the "
            f"run is asked about: set {where}=false"
        )
    return None
