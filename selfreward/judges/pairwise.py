"""A policy that compares answers two at a time, always in both orders, and how strong that shows each to be."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Literal

from pydantic import PositiveInt, model_validator

from selfreward.artifacts import derive_seed
from selfreward.backends.base import Advance, Backend, Conversation
from selfreward.judges.ask_policy import ask_behind_reasons, ask_for_means, ask_for_replies, read_reply
from selfreward.judges.base import Conclude, Item, Judge, Means
from selfreward.judges.both_orders import PREFERENCES, comparisons, over_principles, verdict_of
from selfreward.judges.constitution import Constitution
from selfreward.judges.pointwise import by_prompt, fields, in_step, pointwise, shared
from selfreward.judges.prompted import REASONED, PromptedJudgeBase
from selfreward.judges.prompting import ComparisonTexts, question_of
from selfreward.judges.reads import LETTER_PREFERENCES
from selfreward.judges.reply import LETTERS, explained_pattern
from selfreward.judges.tournament import Strength, bradley_terry, schedule
from selfreward.records import Judgment, digest_of
from selfreward.spec import Json, identity, neutral

_EVEN = 0.5
_ROUNDING = 1e-9


class PairwiseSpec(PromptedJudgeBase):
    """Asks which of two answers is better, and scores an answer by its Bradley-Terry strength, log-odds of mean 0.

    `budget` is the number of comparisons a prompt, None for all against all. `sampled` reads the verdict of a drawn
    reply, which explains itself first with `reasoning`; where the two orders disagree it is a tie. `probability` takes
    the mean over both orders of the probability that an answer is better, from that of A, B and C, which
    `reasoned_probability` reads behind an explanation that it draws first. Such a probability is held within `clamp`.
    Each comparison is by so many `principles` of the constitution, no two alike; their mean is what counts.

    Source: probabilities over both orders, Lee et al. 2023 (2309.00267); principles drawn for each comparison, reasons
    before probabilities, clamped to 40-60%, and the mean over principles, Bai et al. 2022 (2212.08073, section 4.1).
    There the letter continues the reasons; here it is asked for in a turn behind them, which any engine can be given.
    """

    kind: Literal["pairwise"] = "pairwise"
    comparison: ComparisonTexts
    constitution: Constitution | None = None
    method: Literal["sampled", "probability", "reasoned_probability"] = "sampled"
    budget: PositiveInt | None = None
    reasoning: bool = True
    principles: PositiveInt = neutral(1)
    clamp: tuple[float, float] | None = neutral(None)

    @model_validator(mode="after")
    def _fits_its_comparison(self) -> "PairwiseSpec":
        texts, needed = self.comparison, self.comparison.needs("principle")
        if self.constitution is not None and not needed:
            raise ValueError(
                f"comparison {texts.id} shows no {{principle}} of judge.constitution: set "
                "comparison@judge.comparison=by_principle, or judge.constitution=null"
            )
        if self.constitution is None and needed:
            raise ValueError(
                f"comparison {texts.id} shows a {{principle}} and there is no judge.constitution: set "
                "constitution@judge.constitution=helpful_honest_harmless"
            )
        if self.explained:
            self.check_form(texts)
        return self

    @model_validator(mode="after")
    def _has_as_many_principles(self) -> "PairwiseSpec":
        there = 1 if self.constitution is None else len(self.constitution.principles)
        if self.principles > there:
            named = (
                "there is no judge.constitution" if self.constitution is None else f"{self.constitution.id} has {there}"
            )
            raise ValueError(f"judge.principles={self.principles} and {named}: set judge.principles={there} or less")
        return self

    @model_validator(mode="after")
    def _clamps_a_probability_alike_on_both_sides(self) -> "PairwiseSpec":
        if self.clamp is None:
            return self
        low, high = self.clamp
        if self.method == "sampled":
            raise ValueError(
                f"judge.clamp={[low, high]} holds probabilities, and judge.method=sampled reads none: set "
                "judge.method=reasoned_probability or probability, or judge.clamp=null"
            )
        if not 0 <= low < _EVEN < high <= 1 or abs(low + high - 1) > _ROUNDING:
            raise ValueError(
                f"judge.clamp={[low, high]} is not as far below one half as above it: set both limits from 0 to 1, as "
                "in judge.clamp=[0.4,0.6]"
            )
        return self

    @property
    def explained(self) -> bool:
        """Whether a reply explains its verdict before it."""
        return self.method == REASONED or (self.reasoning and self.method == "sampled")

    @property
    def relative(self) -> bool:
        """Strengths have mean 0 on every prompt."""
        return True

    @property
    def why_no_labels(self) -> None:
        """It compares answers in both orders."""
        return None

    def why_unfit(self, name: str, answers: int, drawn: str = "sample.k") -> str | None:
        """A budget has to reach all answers, and one alone has nothing to be compared with."""
        if answers < 2:
            return f"{name} compares answers of a prompt, and there is one: draw 2 or more, {drawn}=2"
        if self.budget is not None and self.budget < answers - 1:
            return (
                f"{name}.budget={self.budget} leaves some of {drawn}={answers} answers out: set {name}.budget to "
                f"{answers - 1} or more, or null for all comparisons"
            )
        return None

    @classmethod
    def concluding(cls, settings: Mapping[str, Json]) -> Conclude:
        """By strengths."""
        return partial(rank, "", "")

    def build(self, means: Means) -> Judge:
        """The judge over the backend that holds the judging policy."""
        backend, policy = means.held
        name = digest_of("pairwise", identity(self), policy.digest)
        return Judge(name, partial(compare, self, name, backend), partial(rank, name, self.comparison.name))


def compare(
    spec: PairwiseSpec, name: str, backend: Backend, items: Sequence[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """Two judgments a comparison, one for each order, prompt by prompt; of several principles `repeat` numbers them.

    Verdict and score, P(the first is better), are about `candidate_ids` in order of index, whichever was shown first.
    Candidates with the same text are one.
    """
    texts, explained = spec.comparison, spec.explained
    questions = list(_questions(spec, name, items, seed))
    conversations = [conversation for conversation, _, _ in questions]
    advance = in_step((2 if spec.method == REASONED else 1) * len(questions), len(items), advance)
    if spec.method == REASONED:
        ask = partial(ask_behind_reasons, backend, conversations, spec.sampling(1, ""), texts.ask_again)
        readings = ask(LETTER_PREFERENCES, spec.min_mass, seed, advance)
    elif spec.method == "probability":
        readings = ask_for_means(backend, conversations, LETTER_PREFERENCES, spec.min_mass, advance)
    else:
        pattern = explained_pattern(texts.label, LETTERS, spec.max_new_tokens) if explained else "|".join(LETTERS)
        drawn = ask_for_replies(backend, conversations, spec.sampling(1, pattern), seed, advance)
        readings = [read_reply(reply, partial(texts.read, explained=explained)) for (reply,) in drawn]
    judgments = []
    for (_, swapped, judgment), reading in zip(questions, readings, strict=True):
        value = None if reading.value is None else _clamped(reading.value, spec.clamp)
        value = value if value is None or not swapped else 1 - value
        verdict = None if value is None or spec.method != "sampled" else verdict_of(value)
        # A verdict by degrees says how far the better one is preferred; another says all with its name.
        score = None if verdict is not None and value in PREFERENCES.values() else value
        judgments.append(
            judgment(outcome=reading.outcome, score=score, verdict=verdict, raw=reading.raw, usage=reading.usage)
        )
    return judgments


def _clamped(probability: float, clamp: tuple[float, float] | None) -> float:
    return probability if clamp is None else min(max(probability, clamp[0]), clamp[1])


def rank(name: str, rubric: str, items: Sequence[Item], evidence: Sequence[Judgment]) -> list[Judgment]:
    """One judgment of each item, in order: its strength among its prompt's, or why nothing decides about it."""
    asked = by_prompt(evidence)
    judgment = partial(pointwise, judge=name, rubric=rubric)
    standings = [_standings(judgment, field, asked.get(id_, [])) for id_, field in fields(items).items()]
    return shared(items, chain.from_iterable(standings))


def _questions(
    spec: PairwiseSpec, name: str, items: Sequence[Item], seed: int
) -> Iterator[tuple[Conversation, bool, partial[Judgment]]]:
    """What is asked, whether it shows the second candidate first, and the judgment but for what came of it."""
    for prompt_id, field in fields(items).items():
        question = question_of(field[0][0].messages)
        for places in schedule(len(field), spec.budget, derive_seed(seed, prompt_id)):
            one, other = (field[place][1] for place in places)
            for number, (principle, criterion) in enumerate(_drawn(spec, derive_seed(seed, one.id, other.id))):
                for swapped, shown in ((False, (one, other)), (True, (other, one))):
                    given = {"first": shown[0].text, "second": shown[1].text, "principle": criterion}
                    judgment = partial(
                        Judgment,
                        prompt_id=prompt_id,
                        candidate_ids=(one.id, other.id),
                        order=(1, 0) if swapped else (0, 1),
                        judge=name,
                        rubric=spec.comparison.name,
                        principle=principle,
                        repeat=number,
                    )
                    asked = spec.comparison.ask({"question": question, **given}, explained=spec.explained)
                    yield asked, swapped, judgment


def _drawn(spec: PairwiseSpec, seed: int) -> list[tuple[str | None, str | None]]:
    """The principles of one comparison, no two alike: how rows name each, and what it asks; None without any."""
    if spec.constitution is None:
        return [(None, None)]
    names = spec.constitution.names()
    lots = random.Random(seed).sample(spec.constitution.principles, spec.principles)
    return [(names[one.id], one.question) for one in lots]


def _standings(judgment: partial[Judgment], field: Sequence[Item], asked: Sequence[Judgment]) -> Iterator[Judgment]:
    """A judgment of each of the candidates of one prompt, by the comparisons in what was asked."""
    place = {candidate.id: number for number, (_, candidate) in enumerate(field)}
    bouts = [
        (place[one.first_id], place[one.second_id], one.preference)
        for one in over_principles(comparisons(asked))
        if one.preference is not None
    ]
    for item, strength in zip(field, bradley_terry(len(field), bouts), strict=True):
        own = [one for one in asked if item[1].id in one.candidate_ids]
        met = len({one.candidate_ids for one in own})
        if not own:
            yield judgment(item, outcome="unparsed", raw="nothing to compare with")
        elif strength is None:
            missing = next(one.outcome for one in own if one.outcome != "scored")
            yield judgment(item, outcome=missing, raw=f"undecided in all of {met} comparisons")
        else:
            raw = _strength_line(strength, bouts, place[item[1].id], met)
            yield judgment(item, score=strength.score, raw=raw)


def _strength_line(strength: Strength, bouts: Sequence[tuple[int, int, float]], player: int, of: int) -> str:
    """The strength of a player, and what it rests on; a tie is half a win."""
    won = [preference for one, _, preference in bouts if one == player]
    won += [1 - preference for _, other, preference in bouts if other == player]
    undecided = f" undecided={of - len(won)}" if len(won) < of else ""
    se = "null" if strength.se is None else f"{strength.se:.6g}"
    return f"bt={strength.score:.6g} se={se} wins={sum(won):.6g} of {len(won)}{undecided}"
