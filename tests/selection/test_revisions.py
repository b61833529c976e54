"""Selecting revisions: which are taken, what becomes of every other candidate, and when the judge has a say."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from selfreward.monitor.controller import Orders
from selfreward.records import Candidate, Finish, PreferencePair
from selfreward.revisions import RevisedCandidate
from selfreward.selection.choice import Choice
from selfreward.selection.examples import BestOfK
from selfreward.selection.pool import Rated, looked_at
from selfreward.selection.revisions import RevisionPairs, Revisions
from tests.stages.tables import choice_of, drawn, open_prompt

PROMPT = open_prompt(1)
RULES = [Revisions(), Revisions(agreed=True), RevisionPairs(), RevisionPairs(agreed=True)]


def original(index: int, score: float | None, finish: Finish = "stop") -> Rated:
    return Rated(replace(drawn(PROMPT, index, f"Answer {index}."), id=f"o{index}", finish=finish), score, "scored")


def revision(index: int, score: float | None, text: str | None = None) -> Rated:
    base = drawn(PROMPT, index, text or f"Better answer {index}.")
    values = {name: getattr(base, name) for name in Candidate.__slots__} | {"id": f"r{index}", "logprob": None}
    return Rated(RevisedCandidate(**values, revises=f"o{index}"), score, "unparsed" if score is None else "scored")


POOL = [original(0, 1.0), revision(0, 2.0), original(1, 3.0), revision(1, 2.0), original(2, 1.0), revision(2, None)]


def picked(choice: Choice) -> list[tuple[str, ...]]:
    return [tuple(one.candidate.id for one in pick) for pick in choice.picks]


def fates(choice: Choice) -> dict[str, str]:
    found = choice.fates()
    assert len({one.candidate_id for one in found}) == len(found)
    return {one.candidate_id: one.fate for one in found}


def test_without_the_judges_agreement_every_revision_is_taken_whatever_its_score() -> None:
    choice = choice_of(Revisions(), PROMPT, POOL)
    assert picked(choice) == [("r0",), ("r1",), ("r2",)]
    assert fates(choice) == {
        **dict.fromkeys(("r0", "r1", "r2"), "selected"),
        **dict.fromkeys(("o0", "o1", "o2"), "passed_over"),
    }
    pairs = choice_of(RevisionPairs(), PROMPT, POOL)
    assert picked(pairs) == [("r0", "o0"), ("r1", "o1"), ("r2", "o2")]
    assert set(fates(pairs).values()) == {"selected"}
    rows = list(RevisionPairs().rows(pairs))
    assert [row.margin for row in rows if isinstance(row, PreferencePair)] == [1.0, -1.0, None]


def test_with_it_only_those_that_score_higher_and_a_missing_score_is_no_agreement() -> None:
    choice = choice_of(Revisions(agreed=True), PROMPT, POOL)
    assert picked(choice) == [("r0",)]
    assert fates(choice) == {
        "r0": "selected",
        "r1": "not_agreed",
        "r2": "unscored:unparsed",
        **dict.fromkeys(("o0", "o1", "o2"), "passed_over"),
    }
    assert picked(choice_of(Revisions(agreed=True), PROMPT, [original(0, None), revision(0, 5.0)])) == []
    assert picked(choice_of(RevisionPairs(agreed=True), PROMPT, POOL)) == [("r0", "o0")]
    counts: Counter[str] = Counter()
    choice.count(choice.fates(), counts)
    assert (counts["candidates"], counts["not_agreed"], counts["selected"]) == (6, 1, 1)


def test_a_tie_is_no_agreement_and_length_can_decide() -> None:
    long = revision(0, 1.5)
    longer = replace(long, candidate=replace(long.candidate, tokens=50))
    pool = [original(0, 1.0), longer]
    assert picked(choice_of(Revisions(agreed=True), PROMPT, [original(0, 1.5), long])) == []
    assert picked(choice_of(Revisions(agreed=True), PROMPT, pool)) == [("r0",)]
    assert picked(choice_of(Revisions(agreed=True, length_penalty=0.02), PROMPT, pool)) == []


def test_only_revisions_of_the_first_k_are_looked_at() -> None:
    choice = choice_of(Revisions(k=1), PROMPT, POOL)
    assert picked(choice) == [("r0",)]
    assert [name for name, fate in fates(choice).items() if fate == "beyond_k"] == ["o1", "r1", "o2", "r2"]


def test_equal_revisions_are_one_unless_they_may_repeat() -> None:
    pool = [original(0, 1.0), revision(0, 2.0, "The same."), original(1, 1.0), revision(1, 3.0, "The same.")]
    choice = choice_of(Revisions(), PROMPT, pool)
    assert picked(choice) == [("r0",)]
    assert fates(choice)["r1"] == "duplicate"
    assert picked(choice_of(Revisions(dedup=False), PROMPT, pool)) == [("r0",), ("r1",)]


def test_a_revision_of_an_answer_that_cannot_be_rejected_makes_an_example_and_no_pair() -> None:
    pool = [original(0, 1.0, "length"), revision(0, 2.0)]
    assert picked(choice_of(Revisions(), PROMPT, pool)) == [("r0",)]
    choice = choice_of(RevisionPairs(), PROMPT, pool)
    assert picked(choice) == []
    assert fates(choice) == {"o0": "cut", "r0": "passed_over"}


def test_a_threshold_asks_for_scores() -> None:
    choice = choice_of(Revisions(threshold=2.0), PROMPT, POOL)
    assert picked(choice) == [("r0",), ("r1",)]
    assert (fates(choice)["o0"], fates(choice)["r2"]) == ("below_threshold", "unscored:unparsed")


def test_what_the_monitor_orders_counts_here_too() -> None:
    novel = Orders(novelty=True, novelty_quantile=0.5)
    assert set(picked(choice_of(Revisions(), PROMPT, [*POOL, original(3, 0.0), revision(3, 9.0)], novel))) == {
        ("r3",),
        ("r0",),
        ("r1",),
    }
    first = [replace(original(7, 0.0), candidate=replace(original(7, 0.0).candidate, id="first"))]
    choice = choice_of(RevisionPairs(), PROMPT, POOL, Orders(anchored=True), first)
    assert picked(choice) == [("r0", "first"), ("r1", "first"), ("r2", "first")]
    assert fates(choice)["o0"] == "passed_over"


@given(st.permutations(POOL), st.sampled_from(RULES))
def test_the_order_of_candidates_is_nothing(pool: list[Rated], spec: Revisions | RevisionPairs) -> None:
    assert picked(choice_of(spec, PROMPT, pool)) == picked(choice_of(spec, PROMPT, POOL))
    assert fates(choice_of(spec, PROMPT, pool)) == fates(choice_of(spec, PROMPT, POOL))


@given(st.permutations(POOL))
def test_other_rules_choose_among_originals_and_revisions_alike(pool: list[Rated]) -> None:
    assert [one.candidate.id for one in looked_at(BestOfK(), pool)] == ["o0", "r0", "o1", "r1", "o2", "r2"]
    assert picked(choice_of(BestOfK(top=2), PROMPT, pool)) == [("o1",), ("r0",)]
