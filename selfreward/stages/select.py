"""Select: which candidates become training examples, and a count of why the others did not."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from selfreward.answers import distinct_key
from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.records import Candidate, Example, Judgment, Prompt, digest_of
from selfreward.spec import Spec

VERSION = 1
_SHARD_ROWS = 4096


class SelectBase(Spec):
    """`k` candidates of each prompt are looked at, the first by index, and `top` of them kept.

    Candidates below `threshold` are left out; with `dedup`, so are those that give an answer given before.
    """

    k: PositiveInt = 4
    top: PositiveInt = 1
    threshold: float | None = None
    dedup: bool = True


class BestOfK(SelectBase):
    """The best-scored candidates of each prompt: rejection sampling."""

    kind: Literal["best_of_k"] = "best_of_k"


class RandomPick(SelectBase):
    """Candidates by lot from those that best-of-k could have chosen: the control at equal budget."""

    kind: Literal["random_pick"] = "random_pick"


AnySelect = BestOfK | RandomPick
SelectSpec = Annotated[AnySelect, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Rated:
    """A candidate and the mean of its scored judgments; None, with the outcome, where no judgment was scored."""

    candidate: Candidate
    score: float | None
    outcome: str


def select(
    out: Output, spec: AnySelect, *, seed: int, candidates: Artifact, judgments: Artifact, prompts: Artifact
) -> None:
    """Table `rows` of Example, and `selection.json`: how many candidates each rule left.

    Every candidate that is looked at is counted once: as selected, as passed over, or under the first reason that
    took it out (`cut`, an outcome such as `unscored:truncated`, `empty`, `below_threshold`, `duplicate`).
    """
    counts: Counter[str] = Counter(
        prompts=0, prompts_without_selection=0, candidates=0, selected=0, passed_over=0, cut=0, duplicate=0
    )
    with out.table(Example) as table, out.progress(prompts.rows(), "prompts") as advance:
        shard: list[Example] = []
        for prompt, rated in _rated(prompts, candidates, judgments):
            chosen = choose(spec, prompt, rated, seed, counts)
            shard += [_example(prompt, pick) for pick in chosen]
            advance(1)
            if len(shard) >= _SHARD_ROWS:
                table.write(shard)
                shard = []
        table.write(shard)
    out.write_json("selection", dict(counts))


def choose(spec: AnySelect, prompt: Prompt, rated: Sequence[Rated], seed: int, counts: Counter[str]) -> list[Rated]:
    """The candidates of one prompt to train on, at most `spec.top`, best or luckiest first; adds to `counts`.

    The order of `rated` does not matter. Equal scores are ranked by index, the order they were drawn in.
    """
    pool = sorted((one for one in rated if one.candidate.index < spec.k), key=lambda one: one.candidate.index)
    rank = _ranking(spec, seed)
    ranked = sorted(eligible(spec, pool, counts), key=rank)
    distinct = list(_first_of_each(prompt, ranked)) if spec.dedup else ranked
    chosen = distinct[: spec.top]
    counts.update(
        prompts=1,
        candidates=len(pool),
        duplicate=len(ranked) - len(distinct),
        selected=len(chosen),
        passed_over=len(distinct) - len(chosen),
        prompts_without_selection=0 if chosen else 1,
    )
    return chosen


def eligible(spec: AnySelect, pool: Sequence[Rated], counts: Counter[str]) -> Iterator[Rated]:
    """The candidates that may be trained on; the others are counted under the first reason against them."""
    for one in pool:
        if one.candidate.finish == "length":
            counts["cut"] += 1
        elif not one.candidate.text.strip():
            counts["empty"] += 1
        elif one.score is None:
            counts[f"unscored:{one.outcome}"] += 1
        elif spec.threshold is not None and one.score < spec.threshold:
            counts["below_threshold"] += 1
        else:
            yield one


def _ranking(spec: AnySelect, seed: int) -> Callable[[Rated], tuple[float, int]]:
    match spec:
        case BestOfK():
            return lambda one: (-_known(one.score), one.candidate.index)
        case RandomPick():
            return lambda one: (random.Random(derive_seed(seed, one.candidate.id)).random(), one.candidate.index)


def _known(score: float | None) -> float:
    assert score is not None
    return score


def _first_of_each(prompt: Prompt, ranked: Sequence[Rated]) -> Iterator[Rated]:
    seen: set[str] = set()
    for one in ranked:
        given = distinct_key(prompt, one.candidate.text)
        if given not in seen:
            seen.add(given)
            yield one


def _rated(prompts: Artifact, candidates: Artifact, judgments: Artifact) -> Iterator[tuple[Prompt, list[Rated]]]:
    drawn = groupby(candidates.records(Candidate), key=lambda candidate: candidate.prompt_id)
    judged = groupby(judgments.records(Judgment), key=lambda judgment: judgment.prompt_id)
    for prompt, (drawn_for, group), (judged_for, verdicts) in zip(prompts.records(Prompt), drawn, judged, strict=True):
        assert prompt.id == drawn_for == judged_for
        by_candidate: dict[str, list[Judgment]] = {}
        for judgment in verdicts:
            by_candidate.setdefault(judgment.candidate_ids[0], []).append(judgment)
        yield prompt, [_rate(candidate, by_candidate[candidate.id]) for candidate in group]


def _rate(candidate: Candidate, judgments: Sequence[Judgment]) -> Rated:
    scores = [judgment.score for judgment in judgments if judgment.score is not None]
    return Rated(candidate, fmean(scores) if scores else None, judgments[0].outcome)


def _example(prompt: Prompt, chosen: Rated) -> Example:
    candidate = chosen.candidate
    return Example(
        id=digest_of("example", prompt.id, candidate.id),
        prompt_id=prompt.id,
        messages=prompt.messages,
        text=candidate.text,
        origin="self",
        stratum=prompt.stratum,
        tokens=candidate.tokens,
        score=chosen.score,
        candidate_id=candidate.id,
        iteration=None,
    )
