"""Selection: what is taken, what is left out and counted, and what must not matter."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.records import Candidate, Finish
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.pool import Rated
from tests.stages.tables import choice_of, closed_prompt, drawn

PROMPT = closed_prompt(2)


def candidate(index: int, text: str = "", finish: Finish = "stop") -> Candidate:
    return replace(drawn(PROMPT, index, text or f"The answer is {index}."), id=f"c{index}", finish=finish)


def rated(*scores: float | None) -> list[Rated]:
    return [
        Rated(candidate(index), score, "scored" if score is not None else "unparsed")
        for index, score in enumerate(scores)
    ]


def ids(spec: BestOfK | RandomPick, pool: list[Rated], counts: Counter[str] | None = None, seed: int = 0) -> list[str]:
    choice = choice_of(spec, PROMPT, pool, seed=seed)
    choice.count(choice.fates(), Counter() if counts is None else counts)
    return [one.candidate.id for (one,) in choice.picks]


def test_the_best_score_is_taken() -> None:
    assert ids(BestOfK(k=4), rated(-2.0, -0.5, -1.0, -3.0)) == ["c1"]
    assert ids(BestOfK(k=4, top=2), rated(-2.0, -0.5, -1.0, -3.0)) == ["c1", "c2"]


def test_a_missing_score_is_never_a_low_score_or_a_high_one() -> None:
    assert ids(BestOfK(k=3, top=3), rated(None, -5.0, None)) == ["c1"]
    counts: Counter[str] = Counter()
    assert ids(BestOfK(k=2), rated(None, None), counts) == []
    assert counts["unscored:unparsed"] == 2
    assert counts["prompts_without_selection"] == 1


def test_only_the_first_k_by_index_are_looked_at() -> None:
    pool = rated(-3.0, -2.0, -1.0, -0.1)
    assert ids(BestOfK(k=2), pool) == ["c1"]
    assert ids(BestOfK(k=2), pool[::-1]) == ["c1"]


def test_answers_that_were_cut_are_left_out_and_counted() -> None:
    pool = rated(-0.1, -2.0)
    pool[0] = replace(pool[0], candidate=candidate(0, finish="length"))
    counts: Counter[str] = Counter()
    assert ids(BestOfK(k=2), pool, counts) == ["c1"]
    assert counts["cut"] == 1


def test_a_threshold_leaves_out_what_is_below_it() -> None:
    counts: Counter[str] = Counter()
    assert ids(BestOfK(k=3, top=3, threshold=1.0), rated(0.0, 1.0, 0.0), counts) == ["c1"]
    assert counts["below_threshold"] == 2


def test_the_same_answer_in_other_words_is_a_duplicate_in_a_closed_prompt() -> None:
    pool = rated(-0.5, -0.6, -0.7)
    pool[1] = replace(pool[1], candidate=candidate(1, text="It is 0."))
    assert ids(BestOfK(k=3, top=3), pool) == ["c0", "c2"]
    assert ids(BestOfK(k=3, top=3, dedup=False), pool) == ["c0", "c1", "c2"]


def test_random_pick_takes_as_many_as_best_of_k_from_the_same_pool() -> None:
    pool = rated(-3.0, -2.0, None, -0.1)
    picks = Counter(ids(RandomPick(k=4), pool, seed=seed)[0] for seed in range(300))
    assert set(picks) == {"c0", "c1", "c3"}
    assert min(picks.values()) > 60


SCORES = st.lists(st.one_of(st.none(), st.floats(-5, 0)), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", [BestOfK, RandomPick])
@given(scores=SCORES, order=st.randoms(use_true_random=False), top=st.integers(1, 3), seed=st.integers(0, 99))
def test_the_order_of_candidates_changes_nothing(kind: type, scores: list[float | None], order, top: int, seed: int):
    pool = rated(*scores)
    shuffled = list(pool)
    order.shuffle(shuffled)
    spec = kind(k=8, top=top)
    assert ids(spec, pool, seed=seed) == ids(spec, shuffled, seed=seed)


@given(scores=SCORES, top=st.integers(1, 3), k=st.integers(1, 8))
def test_every_candidate_is_counted_once(scores: list[float | None], top: int, k: int) -> None:
    counts: Counter[str] = Counter()
    choice = choice_of(BestOfK(k=k, top=min(top, k), threshold=-2.0), PROMPT, rated(*scores))
    choice.count(choice.fates(), counts)
    assert [one.index for one in choice.fates()] == list(range(len(scores)))
    reasons = {name: value for name, value in counts.items() if not name.startswith(("prompts", "candidates"))}
    assert sum(reasons.values()) == counts["candidates"] == min(k, len(scores))
