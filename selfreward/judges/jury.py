"""Several judges of any kind: how they are asked, what they conclude together, and how far they disagree."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean, pstdev
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.base import Advance, Backend
from selfreward.judges.base import Item, Judge, PolicyJudgeBase, first_alike, in_step, pointwise, shared
from selfreward.judges.dimensions import DimensionsSpec
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judges.pairwise import PairwiseSpec
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.records import Judgment, Policy, digest_of
from selfreward.spec import identity

AnyMember = DimensionsSpec | LikelihoodSpec | PairwiseSpec | RubricSpec | VerifierSpec
MemberSpec = Annotated[AnyMember, Field(discriminator="kind")]
MemberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Rule = Literal["majority", "mean_rank", "weighted"]
Scores = Mapping[str, float]
"""What one member gave the candidates of a prompt, by their ids; those it has no verdict on are left out."""

_DISAGREEMENT = re.compile(r"disagreement=(\d\S*) ")
# Sums of the same votes in another order differ in their last bits, which would decide between candidates.
_DIGITS = 9


class JurySpec(PolicyJudgeBase):
    """Several judges, each with a name, and the rule by which their scores of a prompt's candidates become one.

    `majority`: the share of members that rank a candidate first, tied ones sharing the vote. `mean_rank`: its mean
    rank, 1 the best and 0 the last. `weighted`: the mean of its scores by `weights`, each member's in standard
    deviations from its mean over the prompt. A member without a verdict on a candidate has no say about it, and one
    with a single verdict on a prompt none at all. A candidate needs verdicts of `quorum` members, null: half of them.

    A member whose own `policy` is live judges with the jury's `policy`, every other with the one it names.
    """

    kind: Literal["jury"] = "jury"
    members: dict[MemberName, MemberSpec] = Field(min_length=2)
    rule: Rule = "majority"
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None
    quorum: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits_its_members(self) -> "JurySpec":
        names = sorted(self.members)
        wanted = names if self.rule == "weighted" else []
        if sorted(self.weights or {}) != wanted:
            given = ", ".join(sorted(self.weights or {})) or "nobody"
            form = "{" + ",".join(f"{name}:1" for name in wanted) + "}" if wanted else "null"
            raise ValueError(f"judge.rule={self.rule} with weights of {given}: set judge.weights={form}")
        if self.quorum is not None and self.quorum > len(names):
            raise ValueError(
                f"judge.quorum={self.quorum} of {len(names)} members: set judge.quorum to {len(names)} at most"
            )
        return self

    @property
    def needed(self) -> int:
        """How many members' verdicts a candidate needs."""
        return self.quorum or math.ceil(len(self.members) / 2)

    @property
    def named(self) -> dict[str, AnyMember]:
        """The members that name a policy of their own, and do not judge with the jury's."""
        return {
            name: member
            for name, member in sorted(self.members.items())
            if isinstance(member, PolicyJudgeBase) and member.policy != "live"
        }

    def build(
        self, backend: Backend | None, policy: Policy | None, jurors: Mapping[str, Policy] = MappingProxyType({})
    ) -> Judge:
        """The judge over `backend`, which holds the judging `policy`; `jurors` are the policies that members name."""
        assert backend is not None
        assert policy is not None
        backends = {policy.digest: backend}
        seats = []
        for name, member in sorted(self.members.items()):
            own = jurors[juror(name)] if name in self.named else policy
            if own.digest not in backends:
                backends[own.digest] = backend.holding(own)
            seats.append(_Seat(name, member.build(backends[own.digest], own), backends[own.digest]))
        told = digest_of("jury", identity(self), policy.digest, {name: one.digest for name, one in jurors.items()})
        return Judge(partial(hear, seats), partial(conclude, self, told, seats))


@dataclass(frozen=True, slots=True)
class _Seat:
    """A member, and the backend it judges with."""

    name: str
    judge: Judge
    backend: Backend

    def own(self, evidence: Sequence[Judgment]) -> list[Judgment]:
        """The judgments of this member."""
        return [one for one in evidence if one.judge.startswith(f"{self.name}:")]


def juror(name: str) -> str:
    """What the policy that member `name` names is called among the inputs of a stage."""
    return f"juror_{name}"


def hear(seats: Sequence[_Seat], items: Sequence[Item], seed: int, advance: Advance) -> list[Judgment]:
    """Every member's judgments, one member after the other; `judge` begins with the member's name and a colon.

    Each member has luck of its own. Members with the same policy are asked in turn; where there are several policies,
    each is freed before the next is loaded.
    """
    advance = in_step(len(seats) * len(items), len(items), advance)
    turns: dict[int, list[_Seat]] = {}
    for seat in seats:
        turns.setdefault(id(seat.backend), []).append(seat)
    heard: dict[str, list[Judgment]] = {}
    for members in turns.values():
        with members[0].backend if len(turns) > 1 else nullcontext():
            for seat in members:
                heard[seat.name] = seat.judge.ask(items, derive_seed(seed, seat.name), advance)
    return [replace(one, judge=f"{seat.name}:{one.judge}") for seat in seats for one in heard[seat.name]]


def conclude(
    spec: JurySpec, name: str, seats: Sequence[_Seat], items: Sequence[Item], evidence: Sequence[Judgment]
) -> list[Judgment]:
    """One judgment of each item, in order; `raw` has the disagreement on its prompt, and what each member gave it.

    Candidates of a prompt with the same text are one. A candidate alone on its prompt has nobody to be ranked with.
    """
    given = {seat.name: _scores(seat, items, evidence) for seat in seats}
    firsts = first_alike(items)
    fields: dict[str, dict[str, Item]] = {}
    for item in firsts.values():
        fields.setdefault(item[0].id, {})[item[1].id] = item
    judgments = {one.candidate_ids[0]: one for field in fields.values() for one in _verdicts(spec, name, field, given)}
    return [shared(judgments[firsts[candidate.id][1].id], candidate) for _, candidate in items]


def disagreement(members: Sequence[Scores]) -> float | None:
    """1 - Kendall's W of the members' rankings, corrected for ties: 0 all agree, 1 they cancel each other out.

    It is taken over the candidates that all of the members have scored, members with fewer than two scores left out.
    None with fewer than two such members or candidates, or where no member ranks one above another.
    """
    voting = [scores for scores in members if len(scores) > 1]
    common = sorted(set.intersection(*map(set, voting))) if voting else []
    m, n = len(voting), len(common)
    if m < 2 or n < 2:
        return None
    ranked = [_ranks({one: scores[one] for one in common}) for scores in voting]
    sums = [math.fsum(ranks[one] for ranks in ranked) for one in common]
    spread = math.fsum((total - m * (n + 1) / 2) ** 2 for total in sums)
    alike = [[list(ranks.values()).count(rank) for rank in set(ranks.values())] for ranks in ranked]
    most = m * m * (n**3 - n) - m * sum(t**3 - t for sizes in alike for t in sizes)
    return None if most == 0 else round(1 - 12 * spread / most, _DIGITS) + 0.0


def disagreements(conclusions: Sequence[Judgment]) -> dict[str, float]:
    """The disagreement on every prompt that has one, from the conclusions of a jury."""
    found = ((one.prompt_id, _DISAGREEMENT.match(one.raw)) for one in conclusions)
    return {prompt_id: float(told[1]) for prompt_id, told in found if told is not None}


def most_disputed(conclusions: Sequence[Judgment], count: int) -> list[str]:
    """The ids of the `count` prompts on which a jury disagrees the most, the most disputed first."""
    found = disagreements(conclusions)
    return sorted(found, key=lambda prompt_id: (-found[prompt_id], prompt_id))[:count]


def _scores(seat: _Seat, items: Sequence[Item], evidence: Sequence[Judgment]) -> dict[str, float]:
    """A member's score of each candidate it has a verdict on: the mean, where it judged repeatedly."""
    own = seat.own(evidence)
    judgments = own if seat.judge.conclude is None else seat.judge.conclude(items, own)
    found: dict[str, list[float]] = {}
    for one in judgments:
        if one.score is not None:
            found.setdefault(one.candidate_ids[0], []).append(one.score)
    return {candidate_id: fmean(scores) for candidate_id, scores in found.items()}


def _verdicts(spec: JurySpec, name: str, field: Mapping[str, Item], given: Mapping[str, Scores]) -> list[Judgment]:
    """A judgment of each of the candidates of one prompt, whose texts differ."""
    here = {member: {one: scores[one] for one in field if one in scores} for member, scores in given.items()}
    voting = {member: scores for member, scores in here.items() if len(scores) > 1}
    disputed = disagreement(list(here.values()))
    weights = spec.weights or {}
    votes = {member: _RULES[spec.rule](scores) for member, scores in voting.items()}
    judgments = []
    for candidate_id, item in field.items():
        heard = {member: said[candidate_id] for member, said in votes.items() if candidate_id in said}
        enough = len(heard) >= spec.needed
        mean = _mean(list(heard.values()), [weights.get(member, 1.0) for member in heard]) if enough else None
        score = None if mean is None else round(mean, _DIGITS) + 0.0
        own = " ".join(f"{member}={_number(scores.get(candidate_id))}" for member, scores in here.items())
        raw = (
            f"disagreement={_number(disputed)} {spec.rule}={_number(score)} members={len(heard)} of {len(here)}; {own}"
        )
        outcome: Literal["scored", "unparsed"] = "scored" if enough else "unparsed"
        judgments.append(pointwise(item, judge=name, outcome=outcome, score=score, raw=raw))
    return judgments


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(map(math.prod, zip(values, weights, strict=True))) / math.fsum(weights)


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _ranks(scores: Scores) -> dict[str, float]:
    """Ranks from 1, the lowest score, up; equal scores share the mean of theirs."""
    given = list(scores.values())
    return {one: sum(other < score for other in given) + (given.count(score) + 1) / 2 for one, score in scores.items()}


def _first_places(scores: Scores) -> dict[str, float]:
    best = [one for one, score in scores.items() if score == max(scores.values())]
    return {one: 1 / len(best) if one in best else 0.0 for one in scores}


def _rank_shares(scores: Scores) -> dict[str, float]:
    return {one: (rank - 1) / (len(scores) - 1) for one, rank in _ranks(scores).items()}


def _standardised(scores: Scores) -> dict[str, float]:
    mean, spread = fmean(scores.values()), pstdev(scores.values())
    return {one: (score - mean) / spread if spread > 0 else 0.0 for one, score in scores.items()}


_RULES: Mapping[Rule, Callable[[Scores], dict[str, float]]] = {
    "majority": _first_places,
    "mean_rank": _rank_shares,
    "weighted": _standardised,
}
