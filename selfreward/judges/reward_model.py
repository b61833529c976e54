"""A reward model as a judge, or an ensemble of them, scored without what its members disagree about.

Source: the lower bound is the uncertainty-weighted optimisation of Coste et al. 2024 (2310.02743) with the standard
deviation in place of the variance; `min` is their worst-case optimisation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from selfreward.backends.base import Advance, NotScored
from selfreward.backends.device import Device, Dtype, resolve_device, resolve_dtype
from selfreward.backends.rendering import ChatSpec
from selfreward.backends.reward_model import RewardModel, RewardScore, Shown, reward_engine
from selfreward.judges.base import Brought, Item, Judge, JudgeBase, Means
from selfreward.judges.disagreement import Dispute, disagreement
from selfreward.judges.pointwise import fields, in_step, pointwise, shared
from selfreward.policies import RewardModels
from selfreward.records import Judgment, Usage, digest_of
from selfreward.spec import execution, identity

Scored = Mapping[str, Judgment]
"""What each member said of one answer, by its name."""


_Models = Annotated[
    Annotated[Literal["trained"], Tag("trained")] | Annotated[tuple[Path, ...], Field(min_length=1), Tag("folders")],
    Discriminator(
        lambda given: "trained" if given == "trained" else "folders" if isinstance(given, list | tuple) else None,
        custom_error_type="models",
        custom_error_message="should be trained, or folders in brackets, as in [/models/reward]",
    ),
]


class RewardModelSpec(JudgeBase):
    """Scores an answer by the logit of a reward model: a folder that AutoModelForSequenceClassification loads.

    `models` are folders, or `trained`, which names those that the run trains at its start (`reward.train=start`).
    Several `models` are an ensemble, and `aggregate` says what the scores of its members, as they are, become: their
    `mean`, the least of them, or `lower`, their mean less `deviations` standard deviations (of n - 1). Models count by
    their digests, and are talked to as `chat` says, where their own templates do not. A thought before an answer is not
    shown, and an answer that was cut is shown as if it had ended. `batch_tokens` is how many tokens are scored at once,
    padding included; `device`, `dtype` and the versions of the libraries count with the models.
    """

    kind: Literal["reward_model"] = "reward_model"
    models: _Models = execution(...)
    chat: ChatSpec = execution(ChatSpec())
    aggregate: Literal["mean", "min", "lower"] = "mean"
    deviations: float = Field(1.0, gt=0)
    batch_tokens: PositiveInt = 4096
    dtype: Literal["auto", "float32", "bfloat16"] = execution("auto")
    device: Literal["auto", "cpu", "cuda"] = execution("auto")

    @model_validator(mode="after")
    def _ensemble_has_members(self) -> "RewardModelSpec":
        if self.models == "trained":
            return self
        if self.aggregate == "lower" and len(self.models) < 2:
            raise ValueError(
                "judge.aggregate=lower of one model, which has no standard deviation: give judge.models two or more "
                "folders, or set judge.aggregate=mean"
            )
        if len(set(self.models)) < len(self.models):
            raise ValueError("judge.models names a folder twice: name each member of an ensemble once")
        return self

    @property
    def brings(self) -> Brought:
        """The reward models."""
        folders = None if self.models == "trained" else self.models
        return Brought(folders=folders, chat=self.chat, engine=reward_engine(*self.computes_on))

    @property
    def computes_on(self) -> tuple[Device, Dtype]:
        """The device, and the type that it calculates in."""
        device = resolve_device(self.device)
        return device, resolve_dtype(self.dtype, device)

    @property
    def draws(self) -> bool:
        """Nothing is drawn."""
        return False

    @property
    def judges_with_jury(self) -> bool:
        """It judges with models of its own."""
        return False

    def why_untrained(self, name: str, members: int) -> str | None:
        """Those trained at the start have to be trained, and more than one where it goes by what they differ in."""
        if self.models != "trained":
            return None
        if members == 0:
            return (
                f"{name}.models=trained judges with a reward model that the run trains before round 0: set "
                f"reward=start (one of reward.train=round judges nothing), or give {name}.models folders"
            )
        if self.aggregate == "lower" and members < 2:
            return (
                f"{name}.aggregate=lower of one model, which has no standard deviation: set reward.members=2 or more, "
                f"or {name}.aggregate=mean"
            )
        if self.chat != ChatSpec():
            return (
                f"{name}.chat with {name}.models=trained: a model is talked to as it was trained, so set the start's "
                "own (model.chat_template and so on), or leave it out"
            )
        return None

    def build(self, means: Means) -> Judge:
        """The judge over its reward models, each of which is loaded when it is first asked."""
        policy = means.policy
        assert isinstance(policy, RewardModels)
        name = digest_of("reward_model", identity(self), policy.digest)
        device, dtype = self.computes_on
        members = {
            f"model_{number}": RewardModel(folder=one.path, device=device, dtype=dtype, batch_tokens=self.batch_tokens)
            for number, one in enumerate(policy.members, start=1)
        }
        if len(members) == 1:
            return Judge(name, partial(judge_by_model, name, members["model_1"]))
        ask = partial(judge_by_ensemble, name, members)
        return Judge(name, ask, partial(aggregate, self, name), disputes)


def judge_by_model(name: str, model: RewardModel, items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
    """One judgment of each item, in order; candidates of a prompt with the same text are scored once."""
    asked = list(chain.from_iterable(fields(items).values()))
    advance = in_step(len(asked), len(items), advance)
    scores = model.score([Shown(messages=prompt.messages, text=one.text) for prompt, one in asked], advance)
    return shared(items, [_judgment(item, name, one) for item, one in zip(asked, scores, strict=True)])


def judge_by_ensemble(
    name: str, members: Mapping[str, RewardModel], items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """Every member's judgments, one member after the other; the `dimension` of a judgment is its member."""
    advance = in_step(len(members) * len(items), len(items), advance)
    return [
        replace(one, dimension=member)
        for member, model in members.items()
        for one in judge_by_model(name, model, items, seed, advance)
    ]


def _judgment(item: Item, name: str, found: RewardScore | NotScored) -> Judgment:
    if isinstance(found, NotScored):
        return pointwise(item, judge=name, outcome=found.outcome, raw=found.reason)
    usage = Usage(prompt_tokens=found.tokens, completion_tokens=0)
    if not math.isfinite(found.score):
        return pointwise(item, judge=name, outcome="failed", raw=f"the reward is {found.score}", usage=usage)
    return pointwise(item, judge=name, score=found.score, raw=f"{found.score:.6g}", usage=usage)


def aggregate(spec: RewardModelSpec, name: str, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Judgment]:
    """One judgment of each item, in order; one that a member could not score has that one's outcome."""
    said = _by_answer(evidence)
    return [_together(spec, name, item, said[item[1].id]) for item in items]


def _together(spec: RewardModelSpec, name: str, item: Item, said: Scored) -> Judgment:
    if missing := [member for member, one in said.items() if one.score is None]:
        outcome = said[missing[0]].outcome
        return pointwise(item, judge=name, outcome=outcome, raw=f"no score by {', '.join(missing)}")
    scores = [one.score for one in said.values() if one.score is not None]
    mean, spread = fmean(scores), stdev(scores)
    score = {"mean": mean, "min": min(scores), "lower": mean - spec.deviations * spread}[spec.aggregate]
    told = " ".join(f"{member}={one.score:.6g}" for member, one in said.items())
    return pointwise(item, judge=name, score=score, raw=f"mean={mean:.6g} deviation={spread:.6g} {told}")


def disputes(items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Dispute]:
    """How far the members disagree on every prompt on which they can."""
    said = _by_answer(evidence)
    found = []
    for id_, field in fields(items).items():
        by_member: dict[str, dict[str, float]] = {}
        for _, candidate in field:
            for member, one in said[candidate.id].items():
                if one.score is not None:
                    by_member.setdefault(member, {})[candidate.id] = one.score
        if (value := disagreement(by_member.values())) is not None:
            found.append(Dispute(id=id_, disagreement=value))
    return found


def _by_answer(evidence: Sequence[Judgment]) -> dict[str, dict[str, Judgment]]:
    """What each member said, by the id of the candidate."""
    said: dict[str, dict[str, Judgment]] = {}
    for one in evidence:
        assert one.dimension is not None
        said.setdefault(one.candidate_ids[0], {})[one.dimension] = one
    return said
