"""The pool of one prompt: its candidates with their scores, and which of them may be trained on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from pydantic import PositiveInt

from selfreward.answers import distinct_key
from selfreward.artifacts import Artifact
from selfreward.records import Candidate, Judgment, Prompt
from selfreward.selection.fates import Fate
from selfreward.spec import Spec, neutral
from selfreward.thought import estimated_answer_tokens


class SelectBase(Spec):
    """`k` candidates of each prompt are looked at, the first by index.

    Candidates with a score below `threshold` are left out; with `dedup`, so are those that give an answer given
    before. `length_penalty` is what each token of an answer takes off its score, in the judge's unit: the rest is what
    candidates are ranked and compared by. Tokens of a thought take off nothing. The threshold is of the score that the
    judge gave.
    """

    k: PositiveInt = 4
    threshold: float | None = None
    dedup: bool = True
    length_penalty: float = neutral(0.0, ge=0, allow_inf_nan=False)


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
    def worth(self) -> float:
        """What an eligible candidate is ranked by: its score, which it has, less the penalty."""
        assert self.score is not None
        return self.score - self.penalty


Order = Callable[[Rated], tuple[float, ...]]
"""What candidates are sorted by."""


def pools(prompts: Artifact, candidates: Artifact, judgments: Artifact) -> Iterator[tuple[Prompt, list[Rated]]]:
    """Every prompt with all its candidates, in the order of `prompts`."""
    for prompt, (drawn_for, rated) in zip(prompts.records(Prompt), by_prompt(candidates, judgments), strict=True):
        assert prompt.id == drawn_for
        yield prompt, rated


def by_prompt(candidates: Artifact, judgments: Artifact) -> Iterator[tuple[str, list[Rated]]]:
    """Every prompt's id with all its candidates, in the order in which they were drawn."""
    drawn = groupby(candidates.records(Candidate), key=lambda candidate: candidate.prompt_id)
    judged = groupby(judgments.records(Judgment), key=lambda judgment: judgment.prompt_id)
    for (drawn_for, group), (judged_for, verdicts) in zip(drawn, judged, strict=True):
        assert drawn_for == judged_for
        by_candidate: dict[str, list[Judgment]] = {}
        for judgment in verdicts:
            by_candidate.setdefault(judgment.candidate_ids[0], []).append(judgment)
        yield drawn_for, [_rate(candidate, by_candidate[candidate.id]) for candidate in group]


def looked_at(spec: SelectBase, rated: Sequence[Rated]) -> list[Rated]:
    """The first `spec.k` candidates by index, whatever the order of `rated`, with the penalty on their length."""
    first = sorted((one for one in rated if one.candidate.index < spec.k), key=lambda one: one.candidate.index)
    return [replace(one, penalty=spec.length_penalty * one.length) for one in first]


def why_not(spec: SelectBase, one: Rated) -> str | None:
    """The first reason against training on a candidate; None where there is none."""
    if one.candidate.finish == "length":
        return "cut"
    if not one.candidate.text.strip():
        return "empty"
    if one.score is None:
        return f"unscored:{one.outcome}"
    if spec.threshold is not None and one.score < spec.threshold:
        return "below_threshold"
    return None


def eligible(spec: SelectBase, rated: Sequence[Rated]) -> list[Rated]:
    """The candidates that are looked at and may be trained on, by index; the order of `rated` does not matter."""
    return [one for one in looked_at(spec, rated) if why_not(spec, one) is None]


def ranked(spec: SelectBase, prompt: Prompt, rated: Sequence[Rated], order: Order) -> tuple[list[Rated], list[Fate]]:
    """The candidates that may be chosen, in `order`, and the fates of the others; the order of `rated` is nothing."""
    allowed = sorted(eligible(spec, rated), key=order)
    distinct = list(first_of_each(prompt, allowed)) if spec.dedup else allowed
    given = {distinct_key(prompt, one.candidate.text): one.candidate.id for one in distinct}
    again = [one for one in allowed if one not in distinct]
    duplicates = [
        replace(fate_of(one, "duplicate"), repeats=given[distinct_key(prompt, one.candidate.text)]) for one in again
    ]
    return distinct, [*left_out(spec, rated), *duplicates]


def left_out(spec: SelectBase, rated: Sequence[Rated]) -> list[Fate]:
    """The fates of the candidates that are not `eligible`."""
    beyond = [fate_of(one, "beyond_k") for one in rated if one.candidate.index >= spec.k]
    unfit = [(one, why_not(spec, one)) for one in looked_at(spec, rated)]
    return [*beyond, *(fate_of(one, why) for one, why in unfit if why is not None)]


def fate_of(one: Rated, fate: str) -> Fate:
    """The row that says what became of a candidate."""
    return Fate(
        prompt_id=one.candidate.prompt_id,
        candidate_id=one.candidate.id,
        index=one.candidate.index,
        fate=fate,
        score=one.score,
        worth=None if one.score is None else one.worth,
    )


def best_first(one: Rated) -> tuple[float, int]:
    """The order by worth; equal ones by index, the order they were drawn in."""
    return -one.worth, one.candidate.index


def first_of_each(prompt: Prompt, ranked: Iterable[Rated]) -> Iterator[Rated]:
    """`ranked` without the candidates that repeat the answer of an earlier one."""
    seen: set[str] = set()
    for one in ranked:
        given = distinct_key(prompt, one.candidate.text)
        if given not in seen:
            seen.add(given)
            yield one


def _rate(candidate: Candidate, judgments: Sequence[Judgment]) -> Rated:
    scores = [judgment.score for judgment in judgments if judgment.score is not None]
    return Rated(candidate, fmean(scores) if scores else None, judgments[0].outcome)
