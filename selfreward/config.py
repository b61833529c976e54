"""The whole configuration as one typed tree, and the checks that span its parts."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, NonNegativeInt, ValidationError, model_validator

from selfreward.artifacts.identity import flat_settings
from selfreward.asked_judges import AskedJudge, check_judge, check_measured
from selfreward.backends import BackendSpec, engines_that
from selfreward.backends.abilities import OWN_POLICY, in_words
from selfreward.backends.candidates import AnswerLengths
from selfreward.data.models import ModelSpec
from selfreward.data.own import OwnData
from selfreward.data.roles import Role
from selfreward.data.sources import DataSpec
from selfreward.errors import ConfigError
from selfreward.judge_quality.gold_judge import OveroptimisationSpec, check_gold
from selfreward.judges import JudgeSpec
from selfreward.judges.base import JudgeBase
from selfreward.judges.reviser import ReviseSpec
from selfreward.meta_judging import check_meta
from selfreward.monitor.controller import MonitorSpec
from selfreward.monitor.gate_rules import GateSpec
from selfreward.rewarding import check_reward
from selfreward.seeding.seed import SeedJudgeSpec
from selfreward.selection import SelectSpec
from selfreward.selection.goes_with import check_human_prompts, check_labels, check_learns_examples, check_rows
from selfreward.sizes import check_sizes
from selfreward.spec import Spec, execution
from selfreward.stages.duel import DuelSpec
from selfreward.stages.evaluate import EvaluateSpec
from selfreward.stages.measure import MeasureSpec
from selfreward.stages.meta import MetaSpec
from selfreward.stages.mix import MixSpec
from selfreward.stages.revise import check_revise
from selfreward.stages.sample import SampleSpec, check_mixture
from selfreward.tracking import TrackerSpec
from selfreward.updates import UpdateSpec
from selfreward.updates.reward import RewardSpec
from selfreward.writing.settings import PromptsSpec, check_asks_training, check_writer

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._=,-]*$"
LONGEST_NAME = 120  # a folder's name may hold 255 bytes; this leaves a screen's line readable
_LARGEST = 2**63 - 1  # what tables hold


class LoopSpec(Spec):
    """`iterations` updates; the first and the last policy are measured and evaluated too."""

    iterations: NonNegativeInt = Field(3, le=1000)


class StoreSpec(Spec):
    """Where runs and their artifacts live, and which trained policies and reward models are kept when a run ends."""

    runs: Path = execution(Path("runs"))
    keep_policies: Literal["all", "last"] = execution("all")


class SweepCell(Spec):
    """The sweep that a run is a cell of, and what is swept there with this cell's values, as they were typed."""

    name: str
    settings: dict[str, str]


class RunConfig(Spec):
    """Everything a run is made of. Its name and its sweep are no part of any key."""

    run: str = Field(pattern=RUN_NAME, max_length=LONGEST_NAME)
    sweep: SweepCell | None = None
    seed: NonNegativeInt
    model: ModelSpec
    backend: BackendSpec
    data: DataSpec
    loop: LoopSpec
    measure: MeasureSpec
    evaluate: EvaluateSpec
    prompts: PromptsSpec
    sample: SampleSpec
    revise: ReviseSpec | None
    judge: JudgeSpec
    meta: MetaSpec | None
    gate: GateSpec
    duel: DuelSpec | None
    overoptimisation: OveroptimisationSpec | None
    select: SelectSpec
    monitor: MonitorSpec
    mix: MixSpec
    reward: RewardSpec | None
    update: UpdateSpec
    store: StoreSpec
    tracker: TrackerSpec

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunConfig":
        if self.run == "store":
            raise ValueError("run=store is taken by the store of artifacts: choose another name")
        if self.select.k > self.sample.k:
            raise ValueError(
                f"select.k={self.select.k} is more than sample.k={self.sample.k}: draw as many as you use, sample.k="
                f"{self.select.k}"
            )
        check_rows(self.select, self.update)
        check_labels(self.select, self.judge)
        check_meta(self.meta, self.judge, self.select, self.update)
        check_human_prompts(self.select, self.prompts.human)
        scripted = self.model.kind == "scripted"
        check_writer(self.prompts, self.backend, self.judge, scripted=scripted)
        judges = {one.name: one.judge for one in judges_of(self)}
        check_reward(
            self.reward, scripted=scripted, data=self.data, select=self.select, update=self.update, judges=judges
        )
        if len({part.kind == "scripted" for part in (self.model, self.backend, self.update)}) > 1:
            raise ValueError(
                f"model={self.model.kind}, backend={self.backend.kind} and update={self.update.kind} do not go "
                "together: scripted goes with scripted alone"
            )
        if missing := OWN_POLICY - self.backend.can:
            raise ValueError(
                f"backend={self.backend.kind} cannot {in_words(missing)}, as the policies of a run need: set "
                f"backend={' or backend='.join(engines_that(OWN_POLICY))}; judges may have engines of their own"
            )
        brought = self.data.extra if isinstance(self.data, OwnData) else ()
        check_revise(self.revise, self.select, self.sample.k, self.backend, scripted=scripted)
        for asked in judges_of(self):
            check_judge(asked, brought=brought, scripted=scripted)
        if (why := self.update.why_not_judged(self.judge, self.backend)) is not None:
            raise ValueError(why)
        if self.overoptimisation is not None:
            for trained_on in (self.judge, *filter(None, self.update.judges.values())):
                check_gold(self.overoptimisation.gold, trained_on)
        if self.judge.learns:
            check_measured(self.judge.seats)
        self._check_monitor()
        check_mixture(self.sample, self.update.why_not_mixed)
        return self

    def _check_monitor(self) -> None:
        if self.loop.iterations > self.monitor.horizon:
            raise ValueError(
                f"loop.iterations={self.loop.iterations} is more than monitor.horizon={self.monitor.horizon}, "
                f"the rounds for which the rate of false alarms holds: set monitor.horizon={self.loop.iterations}"
            )
        if self.loop.iterations > self.gate.looks:
            raise ValueError(
                f"loop.iterations={self.loop.iterations} is more than gate.looks={self.gate.looks}, the rounds that "
                f"the gate pays for: set gate.looks={self.loop.iterations}"
            )
        acts = self.monitor.mode == "act"
        name, share = ("monitor.ceiling", self.monitor.ceiling) if acts else ("mix.real_share", self.monitor.real_share)
        roles = self.select.makes.people
        if share > 0 and isinstance(self.data, OwnData) and not any(getattr(self.data, role) for role in roles):
            some = " or ".join(f"data.{role}" for role in roles)
            raise ValueError(f"{name}={share} needs human answers: give {some} a file")
        if share > 0 and not self.select.chooses and (why := self.update.why_not_with_human) is not None:
            raise ValueError(f"{name}={share} brings human answers that are learned before the draws, and {why}")


def judges_of(config: RunConfig) -> list[AskedJudge]:
    """The judge, the meta-judge, the judge of duels, gold and judges that reward, each before its members in a jury."""
    answers = config.sample.k + (0 if config.revise is None else config.revise.per_prompt)
    named: list[tuple[str, JudgeBase, int | None]] = [("judge", config.judge, answers)]
    if config.meta is not None:
        named.append(("meta.judge", config.meta.judge, 2))
    if config.duel is not None:
        named.append(("duel.judge", config.duel.judge, 2))
    if config.overoptimisation is not None:
        named.append(("overoptimisation.gold", config.overoptimisation.gold, 2))
    rewarding = config.update.judges.items()  # the update says how many they compare
    named += [(f"update.rewards.{name}.judge", one, None) for name, one in rewarding if one is not None]
    found = []
    for name, judge, shown in named:
        engine = judge.engine or config.backend
        found.append(AskedJudge(name, judge, engine, shown))
        for seat, member in judge.seats.items():
            found.append(AskedJudge(f"{name}.members.{seat}", member, member.engine or engine, shown))
    return found


def answer_lengths(config: RunConfig) -> dict[Role, AnswerLengths]:
    """How long answers may get, which prompts leave room for, by role; roles that nobody answers are left out."""
    drawn, held_out, probe = (part.max_new_tokens for part in (config.sample, config.evaluate, config.measure))
    lengths: dict[Role, AnswerLengths] = {"train": drawn, "held_out": held_out, "probe": probe}
    lengths |= {"red_team": held_out} if config.data.has("red_team") else {}
    return lengths | ({"human": drawn} if config.prompts.human else {})


class SeedJudgeConfig(RunConfig):
    """A run, and what `selfreward seed-judge` makes a policy for it of."""

    seed_judge: SeedJudgeSpec

    @model_validator(mode="after")
    def _update_learns_answers(self) -> "SeedJudgeConfig":
        check_learns_examples(self.update)
        check_asks_training(self.prompts)
        return self


Config = TypeVar("Config", bound=RunConfig)


def validate(values: Mapping[str, Any]) -> RunConfig:
    """The configuration of a run in `values`. Raises ConfigError, one line for the first thing that is wrong."""
    return validate_as(RunConfig, values)


def validate_as(config_type: type[Config], values: Mapping[str, Any]) -> Config:
    """As `validate`, for a configuration that is more than that of a run."""
    flat = flat_settings(values)
    for name, value in flat.items():
        _check_number(name, value)
    check_sizes(flat)
    try:
        return config_type.model_validate(values)
    except ValidationError as error:
        raise ConfigError(first_mistake(error, values)) from error


def first_mistake(error: ValidationError, values: Mapping[str, Any]) -> str:
    """What is wrong in `values` in one line: the setting with its value, and why it cannot be."""
    first, others = error.errors()[0], error.error_count() - 1
    given = first["input"]
    value = "" if isinstance(given, dict | Spec) else f"={given}"
    name = ".".join(_setting_at(first["loc"], values, missing=first["type"] == "missing"))
    place = f"{name}{value}: " if name else ""
    return f"{place}{first['msg'].removeprefix('Value error, ')}{f' ({others} more)' if others else ''}"


def _setting_at(loc: Sequence[int | str], values: Any, *, missing: bool) -> Iterator[str]:
    """The settings of `loc`, without the kind that pydantic names after a part that may be of several."""
    kind = None
    for number, part in enumerate(loc, 1):
        inner = dict(enumerate(values)) if isinstance(values, list) else values if isinstance(values, dict) else {}
        if (part in inner and part != kind) or (missing and number == len(loc)):
            yield str(part)
            values = inner.get(part)
            kind = values.get("kind") if isinstance(values, dict) else None
        else:
            kind = None


def _check_number(name: str, value: Any) -> None:
    """Raises ConfigError for a number, alone or in a list, that no setting can have: keys and tables hold none."""
    if isinstance(value, list | tuple):
        for one in value:
            _check_number(name, one)
    elif isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{name}={value} is no finite number: give one")
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise ConfigError(f"{name}={value} is too large: give at most {_LARGEST}")
