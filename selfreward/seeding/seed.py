"""Seed: examples that teach a policy to answer (IFT) and to judge (EFT), made of rankings by people.

Source: the seed data of Self-Rewarding Language Models (Yuan et al. 2024, 2401.10020).
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain, groupby
from typing import Literal

from pydantic import PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report, save_report
from selfreward.backends.base import Backend
from selfreward.errors import StarvedLoop
from selfreward.judges.prompting import Rubric
from selfreward.judges.scale import Scale, spelled
from selfreward.records import Example, digest_of
from selfreward.seeding.best_answers import to_answer
from selfreward.seeding.rankings import RankedAnswer, Ranking, RankingsSpec
from selfreward.seeding.replies import JudgeReply, RepliesSpec
from selfreward.spec import Spec

VERSION = 3

Reading = tuple[JudgeReply, ...]
"""One scored reply on each answer of a ranking."""


class SeedSpec(Spec):
    """Which reply of a judge is learned.

    `generated`: replies of the start policy, at most `keep` an answer, whose scores rank the answers as people did.
    `labelled`: the bare score that an answer's place comes to, for a policy that cannot judge yet.
    """

    rubric: Rubric
    reply: Literal["generated", "labelled"] = "generated"
    keep: PositiveInt = 2


class SeedJudgeSpec(RankingsSpec, RepliesSpec, SeedSpec):
    """See the three; a stage is given the part that it works by.

    `drawn_by` says who draws the replies of reply=generated: the start policy, or a baseline that was trained on the
    best answers alone. `tokens` are control tokens that the file of `model.chat_template` is written with.
    """

    drawn_by: Literal["start", "baseline"] = "start"
    tokens: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _baseline_has_replies_to_draw(self) -> "SeedJudgeSpec":
        if self.drawn_by == "baseline" and self.reply == "labelled":
            raise ValueError(
                "seed_judge.drawn_by=baseline draws replies, and seed_judge.reply=labelled learns none: set "
                "seed_judge.reply=generated"
            )
        return self

    @model_validator(mode="after")
    def _has_references_to_show(self) -> "SeedJudgeSpec":
        if self.source == "pairs" and self.rubric.needs("reference"):
            raise ValueError(
                f"seed_judge.rubric {self.rubric.id} shows a reference and pairs have none: choose another rubric, or "
                "set seed_judge.source=verifier"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyCounts:
    """Of the replies `drawn`, how many state a score (`scored`) and were `cut`.

    A reading is one scored reply on each answer of a ranking; `agreeing` of all `readings` rank the answers as people
    did. `kept` replies, on `prompts` prompts, do so together.
    """

    drawn: int
    scored: int
    cut: int
    readings: int
    agreeing: int
    prompts: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVerdicts:
    """How many verdicts of one score are `kept`, `of` how many."""

    kept: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeding:
    """What a judge is taught: `ift` best answers and `eft` verdicts, these by score; None where no reply was drawn."""

    ift: int
    eft: int
    scores: dict[str, KeptVerdicts]
    replies: ReplyCounts | None


def seed(
    out: Output, spec: SeedSpec, *, seed: int, backend: Backend, rankings: Artifact, replies: Artifact | None
) -> None:
    """Table `rows` of Example: the best answer of each ranking, then verdicts; `seeding.json` counts both.

    Verdicts are those of `replies` that agree with the rankings, or labels, whose tokens `backend` counts. Of the most
    common score as many are kept, at random, as there are of the second most common. Raises StarvedLoop where there is
    none.
    """
    ranked = list(rankings.records(Ranking))
    if replies is None:
        drawn, verdicts = None, list(_labels(spec.rubric.scale, backend, ranked))
    else:
        drawn, verdicts = _chosen(spec, ranked, replies)
    if not verdicts:
        raise StarvedLoop(_starved(ranked, drawn))
    kept = balanced(verdicts, seed)
    before, after = (Counter(one.stated for one in some) for some in (verdicts, kept))
    out.write_table(Example, chain(map(to_answer, ranked), _to_judge(spec, ranked, kept)))
    seeding = Seeding(
        ift=len(ranked),
        eft=len(kept),
        scores={spelled(score): KeptVerdicts(kept=after[score], of=before[score]) for score in sorted(before)},
        replies=drawn,
    )
    save_report(out, "seeding", seeding)


def seeding_of(made: Artifact) -> Seeding:
    """What a judge is taught."""
    return load_report(made, "seeding", Seeding)


def agreeing(ranking: Ranking, replies: Iterable[JudgeReply], keep: int) -> list[JudgeReply]:
    """At most `keep` replies on each answer, as many on all, that rank the answers as people did.

    The next scored reply on each answer, in the order drawn, make a reading. A reading is taken if no better answer
    scores as low as a worse one, in it and in those taken before.
    """
    taken: list[Reading] = []
    for reading in readings(ranking, replies):
        if len(taken) < keep and agrees(ranking, [*taken, reading]):
            taken.append(reading)
    return [reply for answer in zip(*taken, strict=True) for reply in answer]


def readings(ranking: Ranking, replies: Iterable[JudgeReply]) -> list[Reading]:
    """One scored reply on each answer at a time, in the order of the answers, until one of them has no more."""
    scored: dict[str, list[JudgeReply]] = {answer.id: [] for answer in ranking.answers}
    for reply in replies:
        if reply.score is not None:
            scored[reply.answer_id].append(reply)
    return list(zip(*scored.values(), strict=False))


def agrees(ranking: Ranking, taken: Sequence[Reading]) -> bool:
    """Whether in all these readings together every better answer scores strictly higher than every worse one."""
    scores = {
        answer.id: [reply.stated for reply in given]
        for answer, given in zip(ranking.answers, zip(*taken, strict=True), strict=True)
    }
    return all(min(scores[answer.id]) > max(scores[worse]) for answer in ranking.answers for worse in answer.worse)


def balanced(replies: Sequence[JudgeReply], seed: int) -> list[JudgeReply]:
    """`replies` in order, of the most common score no more, at random, than of the second most common."""
    common = Counter(reply.stated for reply in replies).most_common(2)
    if len(common) < 2:
        return list(replies)
    (score, _), (_, most) = common
    places = [place for place, reply in enumerate(replies) if reply.stated == score]
    left_out = set(places) - set(random.Random(seed).sample(places, most))
    return [reply for place, reply in enumerate(replies) if place not in left_out]


def label_of(scale: Scale, ranking: Ranking, answer: RankedAnswer) -> float:
    """The score that an answer's place comes to: the lowest for the last, the highest for the best, between by rank."""
    scores = scale.values()
    best = max(other.place for other in ranking.answers)
    return scores[round(answer.place / best * (len(scores) - 1))]


def _labels(scale: Scale, backend: Backend, ranked: Sequence[Ranking]) -> Iterator[JudgeReply]:
    texts = list(map(spelled, scale.values()))
    tokens = dict(zip(texts, backend.count_tokens(texts), strict=True))
    for ranking in ranked:
        for answer in ranking.answers:
            score = label_of(scale, ranking, answer)
            text = spelled(score)
            yield JudgeReply(
                prompt_id=ranking.prompt.id,
                answer_id=answer.id,
                repeat=0,
                text=text,
                tokens=tokens[text],
                finish="stop",
                score=float(score),
            )


def _chosen(spec: SeedSpec, ranked: Sequence[Ranking], replies: Artifact) -> tuple[ReplyCounts, list[JudgeReply]]:
    """The replies to learn from, and how many were drawn, scored, cut, and agree."""
    counts = Counter({field.name: 0 for field in fields(ReplyCounts)})
    chosen: list[JudgeReply] = []
    by_prompt = groupby(replies.records(JudgeReply), key=lambda reply: reply.prompt_id)
    for ranking, (drawn_for, group) in zip(ranked, by_prompt, strict=True):
        assert ranking.prompt.id == drawn_for
        drawn = list(group)
        found, kept = readings(ranking, drawn), agreeing(ranking, drawn, spec.keep)
        counts.update(
            drawn=len(drawn),
            scored=sum(reply.score is not None for reply in drawn),
            cut=sum(reply.finish == "length" for reply in drawn),
            readings=len(found),
            agreeing=sum(agrees(ranking, [reading]) for reading in found),
            prompts=bool(kept),
            kept=len(kept),
        )
        chosen += kept
    return ReplyCounts(**counts), chosen


def _to_judge(spec: SeedSpec, ranked: Sequence[Ranking], replies: Sequence[JudgeReply]) -> Iterator[Example]:
    """To give each reply when asked as the judge is."""
    asked = {(ranking.prompt.id, answer.id): (ranking, answer) for ranking in ranked for answer in ranking.answers}
    for reply in replies:
        ranking, answer = asked[reply.prompt_id, reply.answer_id]
        yield Example(
            id=digest_of("eft", reply.prompt_id, reply.answer_id, reply.repeat),
            prompt_id=ranking.prompt.id,
            messages=spec.rubric.ask_about(ranking.prompt, answer.text, explained=spec.reply == "generated"),
            text=reply.text,
            origin="self" if spec.reply == "generated" else "human",
            # Whatever was asked, there is no one right way to judge it.
            stratum="open",
            tokens=reply.tokens,
            score=float(reply.stated),
            candidate_id=answer.id if ranking.origin == "self" else None,
            iteration=0,
            thought=reply.thought,
        )


def _starved(ranked: Sequence[Ranking], drawn: ReplyCounts | None) -> str:
    if drawn is None or not ranked:
        return "0 prompts have ranked answers: give data.human_pairs more pairs, or raise sample.k"
    told = ", ".join(f"{count} {name}" for name, count in asdict(drawn).items() if count)
    return (
        f"0 replies rank the answers to a prompt as people did, of {len(ranked)} prompts ({told}): raise "
        "seed_judge.repeats, choose another rubric, or set seed_judge.reply=labelled"
    )
