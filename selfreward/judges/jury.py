"""Several judges of any kind: how they are asked, and what they conclude together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Annotated, Literal, cast, get_args

from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.base import Advance, Backend
from selfreward.errors import ConfigError
from selfreward.judges.base import (
    Conclude,
    Item,
    Judge,
    JudgeBase,
    Means,
    Panel,
    PolicyJudgeBase,
    Standardising,
    Weights,
)
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.disagreement import Dispute, Scores, disagreement
from selfreward.judges.function import FunctionSpec
from selfreward.judges.jury_votes import Rule, counted
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judges.members import seat_name
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.pointwise import fields, in_step, shared
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.standard import Standard, standard_of_seat, standard_of_seats
from selfreward.judges.verifier import VerifierSpec
from selfreward.judges.votes import scores_of
from selfreward.policies import RewardModels
from selfreward.records import Judgment, digest_of
from selfreward.spec import Json, identity

AnyMember = DimensionsSpec | FunctionSpec | LikelihoodSpec | PairwiseSpec | RewardModelSpec | RubricSpec | VerifierSpec
MemberSpec = Annotated[AnyMember, Field(discriminator="kind")]
MemberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


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

    @property
    def why_no_labels(self) -> None:
        """Its members vote."""
        return None

    def why_unfit(self, name: str, answers: int, drawn: str = "sample.k") -> str | None:
        """One answer alone has nobody to be ranked with."""
        if answers < 2:
            return f"{name} ranks the answers of a prompt, and there is one: draw 2 or more, {drawn}=2"
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
        """The `judge` of what this member was asked."""
        return seat_name(self.member, self.judge.name)

    def verdicts(self, items: Sequence[Item], evidence: Sequence[Judgment]) -> tuple[list[Judgment], list[Judgment]]:
        """What this member was asked, and what it concludes from that."""
        own = [one for one in evidence if one.judge == self.name]
        return own, own if self.judge.conclude is None else self.judge.conclude(items, own)

    def by(self, standard: Standard) -> "Juror":
        """This member, which concludes by what `standard` has of it."""
        waiting = self.judge.standardising
        return self if waiting is None else replace(self, judge=waiting.by(standard_of_seat(standard, self.member)))


def weights_by_hand(judge: Mapping[str, Json]) -> Weights | None:
    """The weights of the members, in settings of a judge as its artifact keeps them; None where none were given."""
    given = judge.get("weights")
    return {name: float(str(one)) for name, one in given.items()} if isinstance(given, dict) else None


def juror(name: str) -> str:
    """What the policy that member `name` names is called among the inputs of a stage."""
    return f"juror_{name}"


def concluding(settings: Mapping[str, Json]) -> dict[str, Conclude | None]:
    """How each member of a jury concludes, as `JudgeBase.concluding`; nothing where `settings` are those of no jury."""
    kinds = {one.model_fields["kind"].default: one for one in get_args(AnyMember)}
    members = cast("Mapping[str, dict[str, Json]]", settings.get("members", {}))
    return {name: kinds[member["kind"]].concluding(member) for name, member in members.items()}


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
        count = partial(counted, self.name, self.spec.rule, self.spec.quorum)
        made = (count(field, here, weigh(id_)) for id_, field, here in self._heard(items, evidence))
        return shared(items, chain.from_iterable(made))

    def disputes(self, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Dispute]:
        """How far the members disagree, on every prompt on which they can."""
        found = ((id_, disagreement(here.values())) for id_, _, here in self._heard(items, evidence))
        return [Dispute(id=id_, disagreement=value) for id_, value in found if value is not None]

    def _heard(
        self, items: Sequence[Item], evidence: Sequence[Judgment]
    ) -> Iterator[tuple[str, list[Item], Mapping[str, Scores]]]:
        """Every prompt with its candidates, and each member's scores of those that it has a verdict on."""
        given = {seat.member: scores_of(seat.verdicts(items, evidence)[1]) for seat in self.seats}
        for id_, field in fields(items).items():
            ids = [candidate.id for _, candidate in field]
            here = {name: {one: scores[one] for one in ids if one in scores} for name, scores in given.items()}
            yield id_, field, here
