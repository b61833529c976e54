"""The whole configuration as one typed tree, and the checks that span its parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, ValidationError, model_validator

from selfreward.backends import BackendSpec, ScriptedSpec
from selfreward.data.models import ModelSpec, ScriptedModel
from selfreward.data.sources import DataSpec, JsonlData
from selfreward.errors import ConfigError
from selfreward.judges import JudgeSpec
from selfreward.judges.base import PolicyJudgeBase
from selfreward.spec import Spec, execution
from selfreward.stages.decide import MonitorSpec
from selfreward.stages.evaluate import EvaluateSpec
from selfreward.stages.measure import MeasureSpec
from selfreward.stages.mix import MixSpec
from selfreward.stages.sample import SampleSpec
from selfreward.stages.select import SelectSpec
from selfreward.updates import ScriptedUpdate, UpdateSpec


class LoopSpec(Spec):
    """`iterations` updates; the first and the last policy are measured and evaluated too."""

    iterations: NonNegativeInt = 3


class StoreSpec(Spec):
    """Where runs and their artifacts live, and which trained policies are kept when a run ends."""

    runs: Path = execution(Path("runs"))
    keep_policies: Literal["all", "last"] = execution("all")


class RunConfig(Spec):
    """Everything a run is made of. Its name is no part of any key."""

    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=,-]*$")
    seed: NonNegativeInt
    model: ModelSpec
    backend: BackendSpec
    data: DataSpec
    loop: LoopSpec
    measure: MeasureSpec
    evaluate: EvaluateSpec
    sample: SampleSpec
    judge: JudgeSpec
    select: SelectSpec
    monitor: MonitorSpec
    mix: MixSpec
    update: UpdateSpec
    store: StoreSpec

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunConfig":
        if self.run == "store":
            raise ValueError("run=store is taken by the store of artifacts: choose another name")
        if self.select.k > self.sample.k:
            raise ValueError(
                f"select.k={self.select.k} is more than sample.k={self.sample.k}: draw as many as you use, sample.k="
                f"{self.select.k}"
            )
        if self.select.top > self.select.k:
            raise ValueError(f"select.top={self.select.top} is more than select.k={self.select.k}")
        kinds = {
            isinstance(self.model, ScriptedModel),
            isinstance(self.backend, ScriptedSpec),
            isinstance(self.update, ScriptedUpdate),
        }
        if len(kinds) > 1:
            raise ValueError(
                f"model={self.model.kind}, backend={self.backend.kind} and update={self.update.kind} do not go "
                "together: scripted goes with scripted alone"
            )
        if isinstance(self.judge, PolicyJudgeBase):
            self._check_judge(self.judge)
        if self.monitor.real_share > 0 and isinstance(self.data, JsonlData) and self.data.human is None:
            raise ValueError(f"mix.real_share={self.monitor.real_share} needs human answers: give data.human a file")
        return self

    def _check_judge(self, judge: PolicyJudgeBase) -> None:
        if (judge.policy == "external") != (judge.path is not None):
            raise ValueError(
                f"judge.policy={judge.policy} with judge.path={judge.path}: an external judge, and no other, needs "
                "judge.path=<model folder>"
            )


def validate(values: Mapping[str, Any]) -> RunConfig:
    """The configuration in `values`. Raises ConfigError, one line for the first thing that is wrong."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        first, others = error.errors()[0], error.error_count() - 1
        place = ".".join(str(part) for part in first["loc"] if part not in _KINDS)
        given = first["input"]
        setting = (
            f"{place}={given}: " if place and not isinstance(given, dict | Spec) else f"{place}: " if place else ""
        )
        reason = first["msg"].removeprefix("Value error, ")
        rest = f" ({others} more)" if others else ""
        raise ConfigError(f"{setting}{reason}{rest}") from error


_KINDS = {"hf", "scripted", "embedded", "jsonl", "likelihood", "verifier", "best_of_k", "random_pick", "rft"}
