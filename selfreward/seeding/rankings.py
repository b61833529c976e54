"""Rankings: answers to a prompt in the order that people put them in, or that references written by people do."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from typing import Literal

from selfreward.answers import distinct_key, is_right
from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report, save_report
from selfreward.records import Candidate, Origin, PreferencePair, Prompt, digest_of
from selfreward.spec import Spec

VERSION = 5


class RankingsSpec(Spec):
    """Who ranks: people, in `pairs` of answers, or the `verifier`, the policy's own answers by the references."""

    source: Literal["pairs", "verifier"] = "pairs"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedAnswer:
    """One answer, and the thought before it. `worse` are the ids of the answers that it is better than.

    `place` is the length of the longest chain of ever worse answers below it: 0 for an answer better than none.
    """

    id: str
    text: str
    tokens: int
    place: int
    worse: tuple[str, ...]
    thought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A prompt with two or more answers, some better than others; `origin` says whose answers they are."""

    prompt: Prompt
    origin: Origin
    answers: tuple[RankedAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingCounts:
    """Of `prompts` prompts `ranked` have a ranking, of `answers` answers in all; `unranked` counts the rest."""

    prompts: int
    ranked: int
    answers: int
    unranked: dict[str, int]


def rankings(
    out: Output, spec: RankingsSpec, *, pairs: Artifact | None, prompts: Artifact | None, candidates: Artifact | None
) -> None:
    """Table `rows` of Ranking, from `pairs` or from `candidates` to `prompts`; `rankings.json` is RankingCounts."""
    counts: Counter[str] = Counter()
    if spec.source == "pairs":
        assert pairs is not None
        found = ranked_by_people(pairs.records(PreferencePair), counts)
    else:
        assert prompts is not None
        assert candidates is not None
        found = ranked_by_verifier(prompts.records(Prompt), candidates.records(Candidate), counts)
    rows = list(found)
    out.write_table(Ranking, rows)
    told = RankingCounts(
        prompts=counts.pop("prompts", 0),
        ranked=len(rows),
        answers=sum(len(ranking.answers) for ranking in rows),
        unranked=dict(sorted(counts.items())),
    )
    save_report(out, "rankings", told)


def ranking_counts(ranked: Artifact) -> RankingCounts:
    """How much was ranked."""
    return load_report(ranked, "rankings", RankingCounts)


def ranked_by_people(pairs: Iterable[PreferencePair], counts: Counter[str]) -> Iterator[Ranking]:
    """The ranking of every prompt whose pairs do not contradict each other; of several thoughts the last is kept."""
    groups: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        groups.setdefault(pair.prompt_id, []).append(pair)
    for prompt_id, group in groups.items():
        counts["prompts"] += 1
        told: dict[str, tuple[int, str | None]] = {}
        worse: dict[str, dict[str, None]] = {}
        for pair in group:
            told[pair.chosen] = pair.chosen_tokens, pair.chosen_thought
            told[pair.rejected] = pair.rejected_tokens, pair.rejected_thought
            worse.setdefault(pair.chosen, {})[pair.rejected] = None
            worse.setdefault(pair.rejected, {})
        places = places_of(worse)
        if places is None:
            counts["contradictory"] += 1
            continue
        ids = {text: digest_of("ranked", prompt_id, text) for text in worse}
        answers = tuple(
            RankedAnswer(
                id=ids[text],
                text=text,
                tokens=told[text][0],
                place=places[text],
                worse=tuple(ids[other] for other in below),
                thought=told[text][1],
            )
            for text, below in worse.items()
        )
        one = group[0]
        asked = Prompt(
            id=prompt_id, messages=one.messages, stratum=one.stratum, source="human_pairs", references=(), match=None
        )
        yield Ranking(prompt=asked, origin="human", answers=answers)


def ranked_by_verifier(
    prompts: Iterable[Prompt], candidates: Iterable[Candidate], counts: Counter[str]
) -> Iterator[Ranking]:
    """The ranking of every prompt with right and wrong answers, the right ones above the wrong ones.

    Answers that were cut or are empty do not count, nor does one that gives an answer given before, or one of which
    nobody can tell whether it is right.
    """
    drawn = groupby(candidates, key=lambda candidate: candidate.prompt_id)
    for prompt, (drawn_for, group) in zip(prompts, drawn, strict=True):
        assert prompt.id == drawn_for
        counts["prompts"] += 1
        if prompt.match is None:
            counts["nothing_to_compare_with"] += 1
            continue
        distinct: dict[str, Candidate] = {}
        for one in group:
            if one.finish == "stop" and one.text.strip():
                distinct.setdefault(distinct_key(prompt, one.text), one)
        right: list[Candidate] = []
        wrong: list[Candidate] = []
        for one in distinct.values():
            if (accepted := is_right(prompt, one.text)) is not None:
                (right if accepted else wrong).append(one)
        if not right or not wrong:
            counts["no_right_answer" if not right else "no_wrong_answer"] += 1
            continue
        below = tuple(one.id for one in wrong)
        answers = [
            RankedAnswer(id=one.id, text=one.text, tokens=one.tokens, place=place, worse=worse, thought=one.thought)
            for place, worse, some in ((1, below, right), (0, (), wrong))
            for one in some
        ]
        yield Ranking(prompt=prompt, origin="self", answers=tuple(answers))


def places_of(worse: Mapping[str, Iterable[str]]) -> dict[str, int] | None:
    """The place of each answer, from those that each is better than; None where one is better than itself."""
    places: dict[str, int] = {}
    try:
        for text in TopologicalSorter(worse).static_order():
            places[text] = 1 + max((places[other] for other in worse[text]), default=-1)
    except CycleError:
        return None
    return places
