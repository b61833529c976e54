"""The pool of one prompt: its candidates with their scores, and which of them may be trained on."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, repeat
from operator import attrgetter
from statistics import fmean
from typing import ClassVar, Literal

from pydantic import PositiveInt

from selfreward.answers import distinct_key
from selfreward.artifacts import Artifact
from selfreward.records import Candidate, Outcome, Prompt, RowPrompt, TrainingRow
from selfreward.revisions import RevisedCandidate, place_of
from selfreward.selection.fates import Fate
from selfreward.spec import Spec, neutral
from selfreward.thought import estimated_answer_tokens


class SelectBase(Spec):
    """`k` candidates of each prompt are looked at, the first by index, and their revisions where there are any.

    Candidates with a score below `threshold` are left out; with `dedup`, so are those that give an answer given
    before. `length_penalty` is what each token of an answer takes off its score, in the judge's unit: the rest is what
    candidates are ranked and compared by. Tokens of a thought take off nothing. The threshold is of the score that the
    judge gave.

    What a rule says of itself: it `anchors` where human prompts may be sampled along, to set the human answer against
    the policy's; it `chooses` unless no candidate is ever taken; it is `of_revisions` where it chooses nothing without
    them; `counted` are the counts that it keeps beside those of every rule.
    """

    anchors: ClassVar[bool] = False
    chooses: ClassVar[bool] = True
    of_revisions: ClassVar[bool] = False
    counted: ClassVar[tuple[str, ...]] = ()

    k: PositiveInt = 4
    threshold: float | None = None
    dedup: bool = True
    length_penalty: float = neutral(0.0, ge=0, allow_inf_nan=False)

    @property
    def tier(self) -> float | None:
        """The width of the tiers in which length decides; None without."""
        return None

    @property
    def by_lot(self) -> str | None:
        """The setting by which a lot decides which answer of a pair is preferred, as it is typed; None without one."""
        return None

    @property
    def hands(self) -> Literal["all", "mixed"] | None:
        """Which prompts an update is handed that draws its own answers; None where it is handed none."""
        return None

    @property
    def labelled(self) -> bool:
        """Whether its rows are pairs that say how sure the judge was."""
        return False

    @property
    def by_scores(self) -> bool:
        """Whether a candidate without a score cannot be chosen."""
        return True

    @property
    def takes_best(self) -> bool:
        """Whether the best of the first `k` are taken, whatever their scores."""
        return False

    def tally(self, made: Sequence[TrainingRow]) -> Mapping[str, int]:
        """What the rows of a prompt add to what is `counted`."""
        return {}

    def taken_as(self, fate: Fate) -> str:
        """What a selected candidate that stands in no pair was taken as."""
        return "selected"


@dataclass(frozen=True, slots=True)
class Rated:
    """A candidate and the mean of its scored judgments; None, with the outcome, where no judgment was scored.

    `penalty` is what its length takes off, in the judge's unit.
    """

    candidate: Candidate
    score: float | None
    outcome: str
    penalty: float = 0.0

    @property
    def length(self) -> int:
        """The tokens of the answer, without those of a thought before it."""
        return estimated_answer_tokens(self.candidate.tokens, self.candidate.thought, self.candidate.text)

    @property
    def known_worth(self) -> float | None:
        """Its worth; None without a score."""
        return None if self.score is None else self.worth

    @property
    def worth(self) -> float:
        """What an eligible candidate is ranked by: its score, which it has, less the penalty."""
        assert self.score is not None
        return self.score - self.penalty


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """What counts here of a Judgment."""

    prompt_id: str
    candidate_ids: tuple[str, ...]
    outcome: Outcome
    score: float | None


Order = Callable[[Rated], tuple[float, ...]]
"""What candidates are sorted by."""


def pools(
    prompts: Artifact, candidates: Artifact, judgments: Artifact, only: Collection[str] | None = None
) -> Iterator[tuple[Prompt, list[Rated]]]:
    """Every prompt, or those with the ids `only`, with all its candidates, in the order of `prompts`."""
    asked = prompts.records(RowPrompt, only=None if only is None else ("id", only))
    for prompt, (drawn_for, rated) in zip(asked, by_prompt(candidates, judgments, only), strict=True):
        assert prompt.id == drawn_for
        yield prompt, rated


def by_prompt(
    candidates: Artifact, judgments: Artifact, only: Collection[str] | None = None
) -> Iterator[tuple[str, list[Rated]]]:
    """Every prompt's id, or those in `only`, with all its candidates, in the order in which they were drawn."""
    asked, of_prompt = None if only is None else ("prompt_id", only), attrgetter("prompt_id")
    drawn = groupby(candidates.records(RevisedCandidate, only=asked), key=of_prompt)
    judged = groupby(judgments.records(_Scored, only=asked), key=of_prompt)
    for (drawn_for, group), (judged_for, verdicts) in zip(drawn, judged, strict=True):
        assert drawn_for == judged_for
        by_candidate: dict[str, list[_Scored]] = {}
        for judgment in verdicts:
            by_candidate.setdefault(judgment.candidate_ids[0], []).append(judgment)
        yield drawn_for, [_rate(candidate, by_candidate[candidate.id]) for candidate in group]


def looked_at(spec: SelectBase, rated: Sequence[Rated]) -> list[Rated]:
    """The first `spec.k` candidates by index and their revisions, whatever the order of `rated`, with the penalty."""
    first = sorted((one for one in rated if one.candidate.index < spec.k), key=lambda one: place_of(one.candidate))
    return [replace(one, penalty=spec.length_penalty * one.length) for one in first] if spec.length_penalty else first


def why_not(spec: SelectBase, one: Rated) -> str | None:
    """The first reason against training on a candidate; None where there is none."""
    if one.candidate.finish == "length":
        return "cut"
    if not one.candidate.text.strip():
        return "empty"
    if one.score is None:
        return f"unscored:{one.outcome}" if spec.by_scores else None
    if spec.threshold is not None and one.score < spec.threshold:
        return "below_threshold"
    return None


def eligible(spec: SelectBase, rated: Sequence[Rated]) -> list[Rated]:
    """The candidates that are looked at and may be trained on, by index; the order of `rated` does not matter."""
    return sifted(spec, rated)[0]


def sifted(spec: SelectBase, rated: Sequence[Rated]) -> tuple[list[Rated], list[Fate]]:
    """The `eligible` candidates, and the fates of the others."""
    able, fates = [], [fate_of(one, "beyond_k") for one in rated if one.candidate.index >= spec.k]
    for one in looked_at(spec, rated):
        why = why_not(spec, one)
        if why is None:
            able.append(one)
        else:
            fates.append(fate_of(one, why))
    return able, fates


def ranked(spec: SelectBase, prompt: Prompt, rated: Sequence[Rated], order: Order) -> tuple[list[Rated], list[Fate]]:
    """The candidates that may be chosen, in `order`, and the fates of the others; the order of `rated` is nothing."""
    able, fates = sifted(spec, rated)
    allowed = sorted(able, key=order)
    if not spec.dedup:
        return allowed, fates
    distinct: list[Rated] = []
    for one, first in zip(allowed, _first_alike(prompt, allowed), strict=True):
        if one is first:
            distinct.append(one)
        else:
            fates.append(fate_of(one, "duplicate", repeats=first.candidate.id))
    return distinct, fates


def fate_of(
    one: Rated,
    fate: str,
    *,
    rank: int | None = None,
    over: tuple[str, ...] = (),
    under: tuple[str, ...] = (),
    repeats: str | None = None,
) -> Fate:
    """The row that says what became of a candidate."""
    return Fate(
        prompt_id=one.candidate.prompt_id,
        candidate_id=one.candidate.id,
        index=one.candidate.index,
        fate=fate,
        score=one.score,
        worth=one.known_worth,
        rank=rank,
        over=over,
        under=under,
        repeats=repeats,
    )


def best_first(one: Rated) -> tuple[float, ...]:
    """The order by worth; equal ones by index, the order they were drawn in, each before its revision."""
    return -one.worth, *place_of(one.candidate)


def by_place(one: Rated) -> tuple[float, ...]:
    """The order by index, each candidate before its revision."""
    return place_of(one.candidate)


def first_of_each(prompt: Prompt, ranked: Sequence[Rated]) -> Iterator[Rated]:
    """`ranked` without the candidates that repeat the answer of an earlier one."""
    return (one for one, first in zip(ranked, _first_alike(prompt, ranked), strict=True) if one is first)


def _first_alike(prompt: Prompt, ranked: Sequence[Rated]) -> Iterator[Rated]:
    """For each of `ranked` the first that gives its answer: itself, or an earlier one. Each text is read once."""
    if len({one.candidate.text for one in ranked}) == 1:  # whatever they say, it is the same
        yield from repeat(ranked[0], len(ranked))
        return
    given: dict[str, str] = {}
    first: dict[str, Rated] = {}
    for one in ranked:
        text = one.candidate.text
        if text not in given:
            given[text] = distinct_key(prompt, text)
        yield first.setdefault(given[text], one)


def _rate(candidate: Candidate, judgments: Sequence[_Scored]) -> Rated:
    scores = [judgment.score for judgment in judgments if judgment.score is not None]
    score = fmean(scores) if len(scores) > 1 else scores[0] if scores else None
    return Rated(candidate, score, judgments[0].outcome)
