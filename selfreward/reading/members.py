"""What each member of a jury says by itself, read from what is kept of the jury's judgments.

The models of an ensemble of reward models are its members, and so are the rubrics of a judge by dimensions.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from selfreward.artifacts import Artifact
from selfreward.backends.one_line import plain
from selfreward.errors import CorruptArtifact
from selfreward.judge_quality.accuracy import accuracy
from selfreward.judge_quality.bias import parse_rate
from selfreward.judge_quality.estimate import Measure, missing
from selfreward.judge_quality.verdicts import as_candidates, judged, labelled, verdicts_on
from selfreward.judges.base import NO_USAGE, Conclude
from selfreward.judges.jury import concluding
from selfreward.judges.members import member_of, read_scores
from selfreward.records import GoldPair, Judgment, Outcome, Usage
from selfreward.spec import Json
from selfreward.stages.health import asked_judge


@dataclass(frozen=True, slots=True, kw_only=True)
class OnGold:
    """What a member is by itself on `pairs` gold pairs, on `scored` of which it has a verdict."""

    pairs: int
    scored: int
    accuracy: Measure
    parse_rate: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class InRound:
    """What a member gave the `candidates` of a round, `scored` of which have a score of its own.

    `mean_score` is over prompts, in its own unit; None of one that compares, whose scores have mean 0, or without any.
    `tokens` are those that it read and drew, None where it counts none.
    """

    candidates: int
    scored: int
    mean_score: float | None
    tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a jury in one round: on gold and on the candidates, None where that was not asked about."""

    on_gold: OnGold | None
    in_round: InRound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What counts here of a Judgment that a member was asked for."""

    prompt_id: str
    candidate_ids: tuple[str, ...]
    judge: str
    dimension: str | None
    outcome: Outcome
    score: float | None
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Concluded:
    """What counts here of a Judgment that a jury concludes."""

    prompt_id: str
    raw: str


def members_of(health: Artifact | None, judgments: Artifact | None, gold: Artifact | None) -> Mapping[str, Member]:
    """The members of the jury that judged, by name; nothing where one judge did, or nobody yet.

    `gold` are the pairs that `health` was measured on.
    """
    on_gold = {} if health is None or gold is None else _on_gold(health, gold)
    in_round = {} if judgments is None else _in_round(judgments)
    names = dict.fromkeys((*on_gold, *in_round))
    return {name: Member(on_gold=on_gold.get(name), in_round=in_round.get(name)) for name in names}


def _on_gold(health: Artifact, gold: Artifact) -> dict[str, OnGold]:
    said: defaultdict[str, list[Judgment]] = defaultdict(list)
    if _has_members(health):
        for one in health.records(Judgment, "evidence"):
            said[member_of(one.judge, one.dimension) or one.judge].append(one)
    asked = {one.prompt_id for judgments in said.values() for one in judgments}
    items = [labelled(pair) for pair in gold.records(GoldPair) if pair.id in asked] if said else []
    answers = as_candidates(items, 0)
    concludes = _concluding(health, asked_judge(health))
    found = {}
    for name, own in said.items():
        conclude = concludes.get(name)
        verdicts = judged(items, verdicts_on(items, own, own if conclude is None else conclude(answers, own)))
        why = _why_unasked(own)
        found[name] = OnGold(
            pairs=len(items),
            scored=sum(one.preference is not None for _, one in verdicts),
            accuracy=accuracy(verdicts) if why is None else missing(why, len(items)),
            parse_rate=parse_rate(verdicts) if why is None else missing(why, len(items)),
        )
    return found


def _why_unasked(said: list[Judgment]) -> str | None:
    """Why a member could not be asked, in words of its own: it says the same of every answer, and looked at none."""
    unasked = all(one.outcome == "unparsed" and one.usage == NO_USAGE for one in said)
    return plain(said[0].raw) if unasked and len({one.raw for one in said}) == 1 else None


def _in_round(judgments: Artifact) -> dict[str, InRound]:
    if not _has_members(judgments):
        return {}
    scores: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    tokens: defaultdict[str, int] = defaultdict(int)
    compares, jury = set(), _concluding(judgments, judgments.spec)
    for one in judgments.records(_Asked, "evidence"):
        name = member_of(one.judge, one.dimension) or one.judge
        tokens[name] += one.usage.prompt_tokens + one.usage.completion_tokens
        if len(one.candidate_ids) > 1:
            compares.add(name)
        elif not jury and one.score is not None:
            scores[name][one.prompt_id].append(one.score)
    if jury:
        for told in judgments.records(_Concluded):
            for name, score in read_scores(told.raw).items():
                if score is not None:
                    scores[name][told.prompt_id].append(score)
    return {
        name: InRound(
            candidates=judgments.rows(),
            scored=sum(map(len, scores[name].values())),
            mean_score=fmean(map(fmean, scores[name].values())) if scores[name] and name not in compares else None,
            tokens=used or None,
        )
        for name, used in tokens.items()
    }


def _concluding(kept: Artifact, settings: Mapping[str, Json]) -> Mapping[str, Conclude | None]:
    """How each member of a jury concludes; nothing of another judge. Raises CorruptArtifact for one that is unknown."""
    try:
        return concluding(settings)
    except (KeyError, ValueError) as error:
        raise CorruptArtifact(f"{kept.path} was made by a judge that is not known here: {error}") from error


def _has_members(judged: Artifact) -> bool:
    """Whether the first judgment is of a member; the others then are."""
    first = next(judged.records(_Asked, "evidence"), None) if judged.has("evidence") else None
    return first is not None and member_of(first.judge, first.dimension) is not None
