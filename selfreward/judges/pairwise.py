"""A policy that compares answers two at a time, always in both orders, and how strong that shows each to be."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.base import Advance, Backend, Completion, Conversation, NotScored
from selfreward.judges.base import (
    NO_USAGE,
    Item,
    Judge,
    PromptedJudgeBase,
    ask_for_replies,
    first_alike,
    in_step,
    pointwise,
    shared,
)
from selfreward.judges.comparison import PREFERENCES, comparisons, verdict_of
from selfreward.judges.options import chances_of
from selfreward.judges.pattern import check_form, explained_pattern
from selfreward.judges.prompting import ComparisonTexts, question_of
from selfreward.judges.reply import LETTERS
from selfreward.judges.tournament import Strength, bradley_terry, schedule
from selfreward.records import Candidate, Judgment, Outcome, Policy, Prompt, Usage, digest_of
from selfreward.spec import Spec, identity

_ORDERS = ((0, 1), (1, 0))


class Constitution(Spec):
    """Principles to compare answers by, each a sentence or two; one is drawn for every comparison."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: PositiveInt
    principles: tuple[str, ...] = Field(min_length=1)


class PairwiseSpec(PromptedJudgeBase):
    """Asks which of two answers is better, and scores an answer by its Bradley-Terry strength, log-odds of mean 0.

    `budget` is the number of comparisons a prompt, None for all against all. `sampled` reads the verdict of a drawn
    reply, which explains itself first with `reasoning`; where the two orders disagree it is a tie. `probability` takes
    the mean over both orders of the probability that an answer is better, from that of A, B and C.

    Source: probabilities over both orders, Lee et al. 2023 (2309.00267); principles drawn for each comparison, Bai et
    al. 2022 (2212.08073).
    """

    kind: Literal["pairwise"] = "pairwise"
    comparison: ComparisonTexts
    constitution: Constitution | None = None
    method: Literal["sampled", "probability"] = "sampled"
    budget: PositiveInt | None = None
    reasoning: bool = True

    @model_validator(mode="after")
    def _shows_principles(self) -> "PairwiseSpec":
        if self.constitution is not None and not self.comparison.needs_principle:
            raise ValueError(
                f"comparison {self.comparison.id} shows no {{principle}} of judge.constitution: set "
                "comparison@judge.comparison=by_principle, or judge.constitution=null"
            )
        if self.constitution is None and self.comparison.needs_principle:
            raise ValueError(
                f"comparison {self.comparison.id} shows a {{principle}} and there is no judge.constitution: set "
                "constitution@judge.constitution=helpful_honest_harmless"
            )
        return self

    @model_validator(mode="after")
    def _fits_its_comparison(self) -> "PairwiseSpec":
        check_form(self.comparison.id, self.constrained and self.explained, self.comparison.reads.kind)
        return self

    @property
    def explained(self) -> bool:
        """Whether a reply explains its verdict before it."""
        return self.reasoning and self.method == "sampled"

    def build(self, backend: Backend | None, policy: Policy | None) -> Judge:
        """The judge over `backend`, which holds the judging `policy`."""
        assert backend is not None
        assert policy is not None
        name = digest_of("pairwise", identity(self), policy.digest)
        return Judge(partial(compare, self, name, backend), partial(rank, name, self.comparison.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Which of two candidates is better, `order` saying which of them is shown first."""

    prompt: Prompt
    candidates: tuple[Candidate, Candidate]
    order: tuple[int, int]
    principle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What came of one question, in terms of the order shown: how far the first is preferred, or how probably."""

    outcome: Outcome
    preference: float | None = None
    chance: float | None = None
    raw: str
    usage: Usage


def compare(
    spec: PairwiseSpec, name: str, backend: Backend, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """Two judgments a comparison, one for each order, prompt by prompt.

    Their verdict or score, the probability that the first is better, is about `candidate_ids`, which stand in order of
    index, whichever was shown first. Candidates with the same text are one.
    """
    questions = list(_questions(spec, items, seed))
    conversations = [_conversation(spec, one) for one in questions]
    ask = _probabilities if spec.method == "probability" else _sampled
    readings = ask(spec, backend, conversations, seed, in_step(len(questions), len(items), advance))
    return [
        _judgment(name, spec.comparison.name, question, reading)
        for question, reading in zip(questions, readings, strict=True)
    ]


def rank(name: str, rubric: str, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Judgment]:
    """One judgment of each item, in order: its strength among the candidates of its prompt.

    A candidate in no decided comparison has the outcome of one that was not decided.
    """
    asked: dict[str, list[Judgment]] = {}
    for one in evidence:
        asked.setdefault(one.prompt_id, []).append(one)
    judgments: dict[str, Judgment] = {}
    for prompt, candidates in _fields(items):
        for one in _standings(name, rubric, prompt, candidates, asked.get(prompt.id, [])):
            judgments[one.candidate_ids[0]] = one
    firsts = first_alike(items)
    return [shared(judgments[firsts[candidate.id][1].id], candidate) for _, candidate in items]


def _fields(items: Sequence[Item]) -> list[tuple[Prompt, list[Candidate]]]:
    """Every prompt with its candidates of different texts, by index."""
    fields: dict[str, tuple[Prompt, dict[str, Candidate]]] = {}
    for prompt, candidate in first_alike(items).values():
        fields.setdefault(prompt.id, (prompt, {}))[1][candidate.id] = candidate
    return [(prompt, sorted(found.values(), key=lambda one: one.index)) for prompt, found in fields.values()]


def _questions(spec: PairwiseSpec, items: Sequence[Item], seed: int) -> Iterator[_Question]:
    for prompt, candidates in _fields(items):
        for one, other in schedule(len(candidates), spec.budget, derive_seed(seed, prompt.id)):
            both = candidates[one], candidates[other]
            principle = None
            if spec.constitution is not None:
                lot = random.Random(derive_seed(seed, both[0].id, both[1].id))
                principle = lot.choice(spec.constitution.principles)
            for order in _ORDERS:
                yield _Question(prompt=prompt, candidates=both, order=order, principle=principle)


def _conversation(spec: PairwiseSpec, one: _Question) -> Conversation:
    shown = [one.candidates[place].text for place in one.order]
    question = question_of(one.prompt.messages)
    return spec.comparison.ask(question, shown[0], shown[1], one.principle, explained=spec.explained)


def _sampled(
    spec: PairwiseSpec, backend: Backend, conversations: Sequence[Conversation], seed: int, advance: Advance
) -> list[_Reading]:
    explained = explained_pattern(spec.comparison.label, LETTERS, spec.max_new_tokens)
    sampling = spec.sampling(1, explained if spec.explained else "|".join(LETTERS))
    return [_read(spec, reply) for (reply,) in ask_for_replies(backend, conversations, sampling, seed, advance)]


def _read(spec: PairwiseSpec, reply: Completion | NotScored) -> _Reading:
    if isinstance(reply, NotScored):
        return _Reading(outcome=reply.outcome, raw=reply.reason, usage=NO_USAGE)
    reading = partial(
        _Reading, raw=reply.raw, usage=Usage(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.tokens)
    )
    if reply.finish == "length":
        return reading(outcome="truncated")
    preference = spec.comparison.read(reply.text, explained=spec.explained)
    return reading(outcome="unparsed") if preference is None else reading(outcome="scored", preference=preference)


def _probabilities(
    spec: PairwiseSpec, backend: Backend, conversations: Sequence[Conversation], seed: int, advance: Advance
) -> list[_Reading]:
    readings = []
    for result in backend.score_options(conversations, LETTERS, advance):
        chances = chances_of(result, LETTERS, spec.min_mass)
        chance = None
        if chances.shares is not None:
            better, _, tie = chances.shares
            chance = better + tie / 2
        readings.append(_Reading(outcome=chances.outcome, chance=chance, raw=chances.raw, usage=chances.usage))
    return readings


def _judgment(name: str, rubric: str, question: _Question, reading: _Reading) -> Judgment:
    swapped = question.order != _ORDERS[0]
    preference, chance = (
        value if value is None or not swapped else 1 - value for value in (reading.preference, reading.chance)
    )
    # A verdict by degrees says how far the better one is preferred; another says all with its name.
    degree = None if preference in PREFERENCES.values() else preference
    return Judgment(
        prompt_id=question.prompt.id,
        candidate_ids=tuple(one.id for one in question.candidates),
        order=question.order,
        judge=name,
        rubric=rubric,
        dimension=None,
        principle=question.principle,
        repeat=0,
        outcome=reading.outcome,
        score=degree if chance is None else chance,
        verdict=None if preference is None else verdict_of(preference),
        raw=reading.raw,
        usage=reading.usage,
    )


def _standings(
    name: str, rubric: str, prompt: Prompt, candidates: Sequence[Candidate], asked: Sequence[Judgment]
) -> Iterator[Judgment]:
    """A judgment of each of the candidates of one prompt, by the comparisons in what was asked."""
    place = {one.id: number for number, one in enumerate(candidates)}
    bouts = [
        (place[one.first_id], place[one.second_id], one.preference)
        for one in comparisons(asked)
        if one.preference is not None
    ]
    for candidate, strength in zip(candidates, bradley_terry(len(candidates), bouts), strict=True):
        judgment = partial(pointwise, (prompt, candidate), judge=name, rubric=rubric)
        own = [one for one in asked if candidate.id in one.candidate_ids]
        if not own:
            yield judgment(outcome="unparsed", score=None, raw="nothing to compare with")
        elif strength is None:
            missing = next(one.outcome for one in own if one.outcome != "scored")
            yield judgment(outcome=missing, score=None, raw=f"undecided in all of {len(own) // 2} comparisons")
        else:
            yield judgment(
                score=strength.score, raw=_strength_line(strength, bouts, place[candidate.id], len(own) // 2)
            )


def _strength_line(strength: Strength, bouts: Sequence[tuple[int, int, float]], player: int, of: int) -> str:
    """The strength of a player, and what it rests on; a tie is half a win."""
    won = [preference for one, _, preference in bouts if one == player]
    won += [1 - preference for _, other, preference in bouts if other == player]
    undecided = f" undecided={of - len(won)}" if len(won) < of else ""
    se = "null" if strength.se is None else f"{strength.se:.6g}"
    return f"bt={strength.score:.6g} se={se} wins={sum(won):.6g} of {len(won)}{undecided}"
