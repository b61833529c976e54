"""Several judges of any kind: how they are asked, and what they conclude together."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from statistics import fmean, pstdev
from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.base import Advance, Backend
from selfreward.errors import ConfigError
from selfreward.judges.base import Item, Judge, JudgeBase, Means, Panel, PolicyJudgeBase, Standardising, Weights
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.disagreement import DIGITS, Dispute, Scores, disagreement, ranking
from selfreward.judges.function import FunctionSpec
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.pointwise import fields, in_step, pointwise, shared
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.standard import Standard, standard_of_seat, standard_of_seats
from selfreward.judges.verifier import VerifierSpec
from selfreward.policies import RewardModels
from selfreward.records import Judgment, Outcome, digest_of
from selfreward.spec import identity

AnyMember = DimensionsSpec | FunctionSpec | LikelihoodSpec | PairwiseSpec | RewardModelSpec | RubricSpec | VerifierSpec
MemberSpec = Annotated[AnyMember, Field(discriminator="kind")]
MemberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Rule = Literal["majority", "mean_rank", "weighted"]


def _form(given: object) -> str | None:
    return "learned" if given == "learned" else "by_hand" if isinstance(given, dict) else None


_ByHand = dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
_WeightsSetting = Annotated[
    Annotated[Literal["learned"], Tag("learned")] | Annotated[_ByHand, Tag("by_hand")],
    Discriminator(
        _form,
        custom_error_type="weights",
        custom_error_message="should be learned, or a weight above 0 for every member",
    ),
]


class JurySpec(PolicyJudgeBase):
    """Several judges, each with a name, and the rule by which their scores of a prompt's candidates become one.

    `majority`: the share of members that rank a candidate first, tied ones sharing the vote. `mean_rank`: its mean
    rank, 1 the best and 0 the last. `weighted`: the mean of its scores by `weights`, each member's in standard
    deviations from its mean over the prompt; `learned` ones come from gold pairs. A member without a verdict on a
    candidate has no say about it, and one with a single verdict on a prompt, or of weight 0, none at all. A candidate
    needs verdicts of `quorum` members of weight above 0, null: half of those.

    A member whose own `policy` is live judges with the jury's `policy`, every other with the one it names.
    """

    kind: Literal["jury"] = "jury"
    members: dict[MemberName, MemberSpec] = Field(min_length=2)
    rule: Rule = "majority"
    weights: _WeightsSetting | None = None
    quorum: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits_its_members(self) -> "JurySpec":
        names = sorted(self.members)
        if self.learns and self.rule != "weighted":
            raise ValueError(
                f"judge.rule={self.rule} with judge.weights=learned: set judge.rule=weighted, or judge.weights=null"
            )
        by_hand = sorted(self.weights or {})
        if not self.learns and by_hand != (names if self.rule == "weighted" else []):
            given = ", ".join(by_hand) or "nobody"
            form = f"{self.equal}, or to learned" if self.rule == "weighted" else "null"
            raise ValueError(f"judge.rule={self.rule} with weights of {given}: set judge.weights={form}")
        if self.quorum is not None and self.quorum > len(names):
            raise ValueError(
                f"judge.quorum={self.quorum} of {len(names)} members: set judge.quorum to {len(names)} at most"
            )
        return self

    @property
    def learns(self) -> bool:
        """Whether the weights are learned."""
        return self.weights == "learned"

    @property
    def standardises(self) -> bool:
        """Where a member does."""
        return any(member.standardises for member in self.members.values())

    @property
    def seats(self) -> Mapping[str, JudgeBase]:
        """The members, by name."""
        return self.members

    @property
    def relative(self) -> bool:
        """Votes rank the answers of a prompt."""
        return True

    @property
    def why_not_gold(self) -> str | None:
        """Members that cannot be asked have no say."""
        return None

    def why_unfit(self, name: str, answers: int) -> str | None:
        """One answer alone has nobody to be ranked with."""
        if answers < 2:
            return f"{name} ranks the answers of a prompt, and there is one: draw 2 or more, sample.k=2"
        return None

    @property
    def equal(self) -> str:
        """The weights that say that all members weigh the same."""
        return "{" + ",".join(f"{name}:1" for name in sorted(self.members)) + "}"

    def build(self, means: Means) -> Judge:
        """The jury over the backend that holds its policy; a member judges with the policy and engine it names."""
        backend, policy = means.held
        backends = {policy.digest: backend}
        seats = []
        for name, member in sorted(self.members.items()):
            own = policy if member.judges_with_jury else means.jurors[juror(name)]
            if isinstance(own, RewardModels):
                seats.append(Juror(name, member.build(Means(policy=own)), None))
                continue
            if name not in means.engines and own.digest not in backends:
                backends[own.digest] = backend.holding(own)
            held = means.engines.get(name) or backends[own.digest]
            seats.append(Juror(name, member.build(Means(policy=own, backend=held)), held))
        guests = {name: one.digest for name, one in means.jurors.items()}
        told = digest_of("jury", identity(self), policy.digest, guests)
        by_hand = means.weights if isinstance(self.weights, str) else self.weights or dict.fromkeys(self.members, 1.0)
        return Jury(self, told, seats, by_hand).judge()


@dataclass(frozen=True, slots=True)
class Juror:
    """A member of a jury, and the backend it judges with; None for one with reward models of its own."""

    member: str
    judge: Judge
    backend: Backend | None

    @property
    def name(self) -> str:
        """The `judge` of what this member was asked: members may be the same judge."""
        return f"{self.member}:{self.judge.name}"

    def verdicts(self, items: Sequence[Item], evidence: Sequence[Judgment]) -> tuple[list[Judgment], list[Judgment]]:
        """What this member was asked, and what it concludes from that."""
        own = [one for one in evidence if one.judge == self.name]
        return own, own if self.judge.conclude is None else self.judge.conclude(items, own)

    def by(self, standard: Standard) -> "Juror":
        """This member, which concludes by what `standard` has of it."""
        waiting = self.judge.standardising
        return self if waiting is None else replace(self, judge=waiting.by(standard_of_seat(standard, self.member)))


def juror(name: str) -> str:
    """What the policy that member `name` names is called among the inputs of a stage."""
    return f"juror_{name}"


@dataclass(frozen=True, slots=True)
class Jury:
    """Members that can be asked before it is known what their votes weigh; `name` is who concludes."""

    spec: JurySpec
    name: str
    seats: Sequence[Juror]
    weights: Weights | None

    def judge(self) -> Judge:
        """The jury as a judge; it standardises where members do, each its own scores."""
        says = {seat.member: seat.verdicts for seat in self.seats}
        panel = Panel(says, self.conclude_by) if self.weights is None else None
        waiting = {seat.name: seat.member for seat in self.seats if seat.judge.standardising is not None}
        standardising = Standardising(partial(standard_of_seats, waiting), self.by) if waiting else None
        return Judge(self.name, self.ask, self.conclude, self.disputes, panel, standardising=standardising)

    def by(self, standard: Standard) -> Judge:
        """The jury whose members conclude by `standard`."""
        return replace(self, seats=[seat.by(standard) for seat in self.seats]).judge()

    def ask(self, items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
        """Every member's judgments, one member after the other, under the name of its seat.

        Each member has luck of its own. Where there are several policies, each is freed before the next is loaded.
        """
        advance = in_step(len(self.seats) * len(items), len(items), advance)
        turns: dict[int, list[Juror]] = {}
        for seat in self.seats:
            turns.setdefault(id(seat.backend), []).append(seat)
        heard: dict[str, list[Judgment]] = {}
        for seats in turns.values():
            held = seats[0].backend if len(turns) > 1 else None
            with held or nullcontext():
                for seat in seats:
                    heard[seat.member] = seat.judge.ask(items, derive_seed(seed, seat.member), advance)
        return [replace(one, judge=seat.name) for seat in self.seats for one in heard[seat.member]]

    def conclude(self, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Judgment]:
        """As `conclude_by`, by its weights. Raises ConfigError where they are to be learned, and nothing was."""
        weights = self.weights
        if weights is None:
            raise ConfigError(
                "judge.weights=learned are learned on gold pairs, and nothing is asked about any here: set "
                f"judge.weights={self.spec.equal}"
            )
        return self.conclude_by(lambda _: weights, items, evidence)

    def conclude_by(
        self, weigh: Callable[[str], Weights], items: Sequence[Item], evidence: Sequence[Judgment]
    ) -> list[Judgment]:
        """One judgment of each item, in order; `raw` has the disagreement on its prompt, and what each member gave it.

        Candidates of a prompt with the same text are one. One alone on its prompt has nobody to be ranked with.
        """
        made = [_verdicts(self, field, here, weigh(id_)) for id_, field, here in self._heard(items, evidence)]
        return shared(items, chain.from_iterable(made))

    def disputes(self, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Dispute]:
        """How far the members disagree, on every prompt on which they can."""
        found = ((id_, disagreement(here.values())) for id_, _, here in self._heard(items, evidence))
        return [Dispute(id=id_, disagreement=value) for id_, value in found if value is not None]

    def _heard(
        self, items: Sequence[Item], evidence: Sequence[Judgment]
    ) -> Iterator[tuple[str, list[Item], Mapping[str, Scores]]]:
        """Every prompt with its candidates, and each member's scores of those that it has a verdict on."""
        given = {seat.member: _scores(seat.verdicts(items, evidence)[1]) for seat in self.seats}
        for id_, field in fields(items).items():
            ids = [candidate.id for _, candidate in field]
            here = {name: {one: scores[one] for one in ids if one in scores} for name, scores in given.items()}
            yield id_, field, here


def _scores(concluded: Sequence[Judgment]) -> dict[str, float]:
    """A member's score of each candidate it has a verdict on: the mean, where it judged repeatedly."""
    found: dict[str, list[float]] = {}
    for one in concluded:
        if one.score is not None:
            found.setdefault(one.candidate_ids[0], []).append(one.score)
    return {candidate_id: fmean(scores) for candidate_id, scores in found.items()}


def _verdicts(jury: Jury, field: Sequence[Item], here: Mapping[str, Scores], weights: Weights) -> list[Judgment]:
    """A judgment of each of the candidates of one prompt, whose texts differ."""
    rule = jury.spec.rule
    with_say = [member for member in here if weights[member] > 0]
    needed = jury.spec.quorum or max(1, math.ceil(len(with_say) / 2))
    votes = {member: _RULES[rule](here[member]) for member in with_say if len(here[member]) > 1}
    disputed = _number(disagreement(here.values()))
    nobody = "" if with_say else ", none of a weight above 0"
    judgments = []
    for item in field:
        id_ = item[1].id
        heard = {member: said[id_] for member, said in votes.items() if id_ in said}
        score = None
        if len(heard) >= needed:
            weighed = math.fsum(weights[member] * vote for member, vote in heard.items())
            score = round(weighed / math.fsum(weights[member] for member in heard), DIGITS) + 0.0
        own = " ".join(f"{member}={_number(scores.get(id_))}" for member, scores in here.items())
        told = f"{rule}={_number(score)} members={len(heard)} of {len(here)}{nobody}; {own}"
        outcome: Outcome = "unparsed" if score is None else "scored"
        raw = f"disagreement={disputed} {told}"
        judgments.append(pointwise(item, judge=jury.name, outcome=outcome, score=score, raw=raw))
    return judgments


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _first_places(scores: Scores) -> dict[str, float]:
    best = [one for one, score in scores.items() if score == max(scores.values())]
    return {one: 1 / len(best) if one in best else 0.0 for one in scores}


def _standardised(scores: Scores) -> dict[str, float]:
    mean, spread = fmean(scores.values()), pstdev(scores.values())
    return {one: (score - mean) / spread if spread > 0 else 0.0 for one, score in scores.items()}


_RULES: Mapping[Rule, Callable[[Scores], dict[str, float]]] = {
    "majority": _first_places,
    "mean_rank": lambda scores: {one: (rank - 1) / (len(scores) - 1) for one, rank in ranking(scores).items()},
    "weighted": _standardised,
}
