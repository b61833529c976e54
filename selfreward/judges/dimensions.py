"""Several rubrics, each asked about by itself, and what they say of an answer together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from selfreward.backends.base import Advance, Backend
from selfreward.judges.base import Conclude, Item, Judge, Means, Scale
from selfreward.judges.pointwise import in_step, pointwise
from selfreward.judges.prompted import PromptedJudgeBase
from selfreward.judges.prompting import Rubric
from selfreward.judges.rubric import RubricSpec, judge_by_rubric
from selfreward.records import Judgment, digest_of
from selfreward.spec import Json, Spec, identity

DimensionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Dimension(Spec):
    """A rubric, how much it counts beside the others, and the score on its own scale that an answer must reach."""

    rubric: Rubric
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    at_least: float | None = None

    @model_validator(mode="after")
    def _can_be_missed_and_reached(self) -> "Dimension":
        scale = self.rubric.scale
        if self.at_least is not None and not scale.lowest < self.at_least <= scale.highest:
            raise ValueError(
                f"at_least={self.at_least} on a scale from {scale.lowest} to {scale.highest}: set it above "
                f"{scale.lowest} and to {scale.highest} at most, or to null"
            )
        return self


_READER = TypeAdapter(dict[DimensionName, Dimension])


class DimensionsSpec(PromptedJudgeBase):
    """Scores an answer by the weighted mean of its dimensions, each as a share of its scale: 0 to 1.

    Where a dimension has an `at_least`, the mean is halved, and an answer that reaches them all has one half more: it
    stands above every answer that misses one. Replies are drawn and read as by the `rubric` judge, one a dimension.
    """

    kind: Literal["dimensions"] = "dimensions"
    dimensions: dict[DimensionName, Dimension] = Field(min_length=1)
    method: Literal["sampled", "expected"] = "sampled"

    @model_validator(mode="after")
    def _fits_its_rubrics(self) -> "DimensionsSpec":
        for dimension in self.dimensions.values():
            self.check_form(dimension.rubric)
        return self

    @property
    def draws(self) -> bool:
        """Whether replies are drawn with luck."""
        return self.method == "sampled" and self.temperature > 0

    @property
    def scale(self) -> Scale:
        """Scores are shares of the dimensions' scales."""
        return 0.0, 1.0

    @property
    def uses_references(self) -> str | None:
        """To show one, where a rubric does."""
        shown = any(one.rubric.needs("reference") for one in self.dimensions.values())
        return "a rubric shows a reference" if shown else None

    @classmethod
    def concluding(cls, settings: Mapping[str, Json]) -> Conclude:
        """By the weighted mean."""
        return partial(weigh, _READER.validate_python(settings["dimensions"]), "")

    def build(self, means: Means) -> Judge:
        """The judge over the backend that holds the judging policy."""
        backend, policy = means.held
        name = digest_of("dimensions", identity(self), policy.digest)
        ask = partial(judge_dimensions, self, name, backend)
        return Judge(name, ask, partial(weigh, dict(sorted(self.dimensions.items())), name))


def judge_dimensions(
    spec: DimensionsSpec, name: str, backend: Backend, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """A judgment of each item in each dimension, the dimensions by name; they are asked one after the other."""
    advance = in_step(len(spec.dimensions) * len(items), len(items), advance)
    settings = spec.model_dump(include=set(PromptedJudgeBase.model_fields))
    judgments = []
    for called, dimension in sorted(spec.dimensions.items()):
        rubric = RubricSpec(rubric=dimension.rubric, **settings)
        asked = judge_by_rubric(rubric, name, backend, items, seed, advance)
        judgments += [replace(one, dimension=called) for one in asked]
    return judgments


def weigh(
    dimensions: Mapping[str, Dimension], name: str, items: Sequence[Item], evidence: Sequence[Judgment]
) -> list[Judgment]:
    """One judgment of each item, in order; one that lacks a score in a dimension has that one's outcome."""
    found: dict[str, dict[str, Judgment]] = {}
    for one in evidence:
        assert one.dimension is not None
        found.setdefault(one.candidate_ids[0], {})[one.dimension] = one
    return [_together(dimensions, name, item, found[item[1].id]) for item in items]


def _together(
    dimensions: Mapping[str, Dimension], name: str, item: Item, judgments: Mapping[str, Judgment]
) -> Judgment:
    missing = [called for called in dimensions if judgments[called].score is None]
    if missing:
        outcome = judgments[missing[0]].outcome
        return pointwise(item, judge=name, outcome=outcome, raw=f"no score in {', '.join(missing)}")
    scores = {called: one.score for called, one in judgments.items() if one.score is not None}
    scales = {called: one.rubric.scale for called, one in dimensions.items()}
    shares = [(scores[called] - scale.lowest) / (scale.highest - scale.lowest) for called, scale in scales.items()]
    weights = [one.weight for one in dimensions.values()]
    mean = math.fsum(map(math.prod, zip(weights, shares, strict=True))) / math.fsum(weights)
    asked = {called: one.at_least for called, one in dimensions.items() if one.at_least is not None}
    missed = [called for called, least in asked.items() if scores[called] < least]
    # Where something is required, the upper half is for those that reach it and the lower one for the others.
    score = mean if not asked else mean / 2 if missed else 0.5 + mean / 2
    told = " ".join(f"{called}={scores[called]:.6g}" for called in dimensions)
    below = f" below={','.join(missed)}" if missed else ""
    return pointwise(item, judge=name, score=score, raw=f"mean={mean:.6g} {told}{below}")
