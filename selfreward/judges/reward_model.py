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
from selfreward.judges.base import Brought, Conclude, Item, Judge, JudgeBase, Means, Standardising
from selfreward.judges.disagreement import Dispute, disagreement
from selfreward.judges.pointwise import fields, in_step, pointwise, shared
from selfreward.judges.standard import ALONE, Standard, standard_of
from selfreward.policies import RewardModels
from selfreward.records import Judgment, Usage, digest_of
from selfreward.spec import Json, Spec, execution, identity

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


class Aggregation(Spec):
    """What the scores of an ensemble's members become.

    To `standardise`, each model's logits are told in standard deviations from their mean over the start policy's
    answers, those of iteration 0. An ensemble gives the `mean` of its members' scores, the least of them, or `lower`,
    their mean less `deviations` standard deviations (of n - 1).
    """

    standardise: bool = True
    aggregate: Literal["mean", "min", "lower"] = "mean"
    deviations: float = Field(1.0, gt=0)


class RewardModelSpec(JudgeBase, Aggregation):
    """Scores an answer by the logit of a reward model: a folder that AutoModelForSequenceClassification loads.

    In place of a folder, `models` may name one of the hub by id and commit, as `OWNER/NAME@COMMIT`; `trained` names
    those that the run trains at its start (`reward.train=start`). Several are an ensemble, whose scores become one as
    `Aggregation` says. Models count by their digests, and are talked to as `chat` says, where their own templates do
    not. A thought before an answer is not shown, and an answer that was cut is shown as if it had ended. `batch_tokens`
    is how many tokens are scored at once, padding included; `device`, `dtype` and the versions of the libraries count
    with the models.
    """

    kind: Literal["reward_model"] = "reward_model"
    models: _Models = execution(...)
    chat: ChatSpec = execution(ChatSpec())
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
    def why_no_labels(self) -> str | None:
        """The models of an ensemble vote."""
        alone = self.models != "trained" and len(self.models) < 2
        return "one model has one opinion: give judge.models two folders or more" if alone else None

    @property
    def judges_with_jury(self) -> bool:
        """It judges with models of its own."""
        return False

    @classmethod
    def concluding(cls, settings: Mapping[str, Json]) -> Conclude:
        """By the aggregate, standardised on the answers that are concluded about."""
        kept = {name: settings[name] for name in Aggregation.model_fields}
        return partial(_aggregate_here, Aggregation.model_validate(kept))

    @property
    def standardises(self) -> bool:
        """As it is set."""
        return self.standardise

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
        alone = len(members) == 1
        ask = partial(judge_by_model, name, members[ALONE]) if alone else partial(judge_by_ensemble, name, members)
        if alone and not self.standardise:
            return Judge(name, ask)

        def by(standard: Standard | None) -> Judge:
            conclude = partial(aggregate, self, name, standard)
            if alone:
                return Judge(name, ask, conclude)
            return Judge(name, ask, conclude, disputes, deviations=partial(deviations, standard))

        return replace(by(None), standardising=Standardising(standard_of, by)) if self.standardise else by(None)


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


def aggregate(
    spec: Aggregation, name: str, standard: Standard | None, items: Sequence[Item], evidence: Sequence[Judgment]
) -> list[Judgment]:
    """One judgment of each item, in order; one that a member could not score has that one's outcome."""
    assert spec.standardise == (standard is not None)
    said = _by_answer(evidence)
    return [_together(spec, name, standard, item, said[item[1].id]) for item in items]


def _aggregate_here(spec: Aggregation, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Judgment]:
    return aggregate(spec, "", standard_of(evidence) if spec.standardise else None, items, evidence)


def _together(spec: Aggregation, name: str, standard: Standard | None, item: Item, said: Scored) -> Judgment:
    scores = _scores(standard, said)
    if missing := [member for member in said if member not in scores]:
        outcome = said[missing[0]].outcome
        reason = said[missing[0]].raw if len(said) == 1 else f"no score by {', '.join(missing)}"
        return pointwise(item, judge=name, outcome=outcome, raw=reason)
    mean, spread = fmean(scores.values()), stdev(scores.values()) if len(scores) > 1 else 0.0
    rules = {"mean": mean, "min": min(scores.values()), "lower": mean - spec.deviations * spread}
    told = " ".join(f"{member}={score:.6g}" for member, score in scores.items())
    if len(scores) > 1:
        told = f"mean={mean:.6g} deviation={spread:.6g} {told}"
    return pointwise(item, judge=name, score=rules[spec.aggregate], raw=told)


def _scores(standard: Standard | None, said: Scored) -> dict[str, float]:
    """What each member gave, standardised; those without a score are left out."""
    given = {member: one.score for member, one in said.items() if one.score is not None}
    return given if standard is None else {one: standard[one].standardised(score) for one, score in given.items()}


def deviations(standard: Standard | None, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[float]:
    """The standard deviation (of n - 1) of the members' scores of each answer that all have scored.

    Answers to a prompt with the same text are one.
    """
    said = _by_answer(evidence)
    alone = [said[candidate.id] for field in fields(items).values() for _, candidate in field]
    scores = [_scores(standard, one) for one in alone]
    return [stdev(here.values()) for here, one in zip(scores, alone, strict=True) if len(here) == len(one)]


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
        said.setdefault(one.candidate_ids[0], {})[one.dimension or ALONE] = one
    return said
