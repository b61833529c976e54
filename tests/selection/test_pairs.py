"""Preference pairs: which candidates are paired, what makes no pair, and what must not matter."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.records import Example
from selfreward.selection.pairs import PreferencePairs, choose_anchored, pair_of
from selfreward.selection.pool import Rated
from tests.selection.test_examples import PROMPT, candidate, rated
from tests.stages.tables import choice_of


def pairs(spec: PreferencePairs, pool: list[Rated], counts: Counter[str] | None = None, seed: int = 0) -> list[str]:
    counts = Counter() if counts is None else counts
    choice = choice_of(spec, PROMPT, pool, seed=seed)
    choice.count(choice.fates(), counts)
    return [f"{chosen.candidate.id}>{rejected.candidate.id}" for chosen, rejected in choice.picks]


def test_the_best_stands_against_the_worst() -> None:
    assert pairs(PreferencePairs(), rated(0.2, 0.9, 0.1, 0.5)) == ["c1>c2"]


def test_all_pairs_come_widest_first() -> None:
    spec = PreferencePairs(pairs="all", per_prompt=None)
    assert pairs(spec, rated(0.0, 5.0, 3.0)) == ["c1>c0", "c2>c0", "c1>c2"]
    assert pairs(spec.model_copy(update={"per_prompt": 2}), rated(0.0, 5.0, 3.0)) == ["c1>c0", "c2>c0"]


def test_a_tie_is_no_pair_and_is_counted() -> None:
    counts: Counter[str] = Counter()
    assert pairs(PreferencePairs(), rated(3.0, 3.0, 3.0), counts) == []
    assert (counts["ties"], counts["prompts_without_selection"], counts["pairs"]) == (1, 1, 0)


def test_a_pair_within_the_margin_is_no_pair_and_is_counted() -> None:
    counts: Counter[str] = Counter()
    spec = PreferencePairs(pairs="all", per_prompt=None, margin=1.0)
    assert pairs(spec, rated(0.0, 1.0, 2.5), counts) == ["c2>c0", "c2>c1"]
    assert counts["below_margin"] == 1


def test_a_missing_score_is_never_the_rejected_one() -> None:
    assert pairs(PreferencePairs(), rated(None, 2.0, 4.0, None)) == ["c2>c1"]
    assert pairs(PreferencePairs(), rated(None, 2.0, None, None)) == []


def test_a_cut_answer_is_in_no_pair() -> None:
    pool = rated(0.0, 2.0, 4.0)
    pool[0] = replace(pool[0], candidate=candidate(0, finish="length"))
    counts: Counter[str] = Counter()
    assert pairs(PreferencePairs(k=3), pool, counts) == ["c2>c1"]
    assert counts["cut"] == 1


def test_the_same_answer_does_not_stand_against_itself() -> None:
    pool = rated(0.1, 0.9)
    pool[0] = replace(pool[0], candidate=candidate(0, text="It is 1."))
    assert pairs(PreferencePairs(k=2), pool) == []


def test_a_pair_by_lot_keeps_the_order_of_the_judge_and_a_coin_does_not() -> None:
    pool = rated(0.0, 1.0, 2.0, 3.0)
    by_lot = Counter(pairs(PreferencePairs(pairs="random"), pool, seed=seed)[0] for seed in range(300))
    assert len(by_lot) == 6
    assert all(pair[1] > pair[4] for pair in by_lot)
    tossed = Counter(pairs(PreferencePairs(pairs="coin"), pool, seed=seed)[0] for seed in range(600))
    assert len(tossed) == 12
    assert 240 < sum(count for pair, count in tossed.items() if pair[1] > pair[4]) < 360


SCORES = st.lists(st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])), min_size=1, max_size=8)


@pytest.mark.parametrize("rule", ["best_worst", "all", "random"])
@given(scores=SCORES, margin=st.floats(0, 3), cap=st.one_of(st.none(), st.integers(1, 5)))
def test_a_pair_is_always_better_by_more_than_the_margin(rule, scores, margin, cap) -> None:
    spec = PreferencePairs(k=8, pairs=rule, margin=margin, per_prompt=cap)
    found = choice_of(spec, PROMPT, rated(*scores)).picks
    assert all(chosen.worth - rejected.worth > margin for chosen, rejected in found)
    assert cap is None or len(found) <= cap
    assert len({(a.candidate.id, b.candidate.id) for a, b in found}) == len(found)


@pytest.mark.parametrize("rule", ["best_worst", "all", "random", "coin"])
@given(scores=SCORES, k=st.integers(2, 8))
def test_every_candidate_is_counted_once(rule, scores, k) -> None:
    counts: Counter[str] = Counter()
    spec = PreferencePairs(k=k, pairs=rule, threshold=1.0, per_prompt=2)
    choice = choice_of(spec, PROMPT, rated(*scores))
    choice.count(choice.fates(), counts)
    assert [one.index for one in choice.fates()] == list(range(len(scores)))
    sides = [(one.candidate_id, other) for one in choice.fates() for other in one.over]
    assert sorted(sides) == sorted((better.candidate.id, worse.candidate.id) for better, worse in choice.picks)
    assert sorted(sides) == sorted((other, one.candidate_id) for one in choice.fates() for other in one.under)
    of_pairs = ("prompts", "candidates", "pairs", "ties", "below_margin")
    reasons = {name: value for name, value in counts.items() if not name.startswith(of_pairs)}
    assert sum(reasons.values()) == counts["candidates"] == min(k, len(scores))


def test_a_pair_knows_where_it_comes_from() -> None:
    (both,) = choice_of(PreferencePairs(), PROMPT, rated(1.0, 4.0)).picks
    pair = pair_of(PROMPT, *both)
    assert (pair.chosen, pair.rejected) == ("The answer is 1.", "The answer is 0.")
    assert (pair.chosen_id, pair.rejected_id, pair.margin, pair.origin) == ("c1", "c0", 3.0, "self")


HUMAN = Example(
    id="h",
    prompt_id=PROMPT.id,
    messages=PROMPT.messages,
    text="Four.",
    origin="human",
    stratum="closed",
    tokens=3,
    score=None,
    candidate_id=None,
    iteration=None,
)


def test_the_human_answer_stands_over_the_policys_worst() -> None:
    pair, fates = choose_anchored(PreferencePairs(), PROMPT, HUMAN, rated(2.0, None, 1.0))
    assert pair is not None
    assert [(one.fate, one.under) for one in fates] == [
        ("passed_over", ()),
        ("unscored:unparsed", ()),
        ("selected", ("h",)),
    ]
    assert (pair.chosen, pair.rejected, pair.origin) == ("Four.", "The answer is 2.", "human")
    assert (pair.chosen_id, pair.rejected_id, pair.margin) == ("h", "c2", None)


def test_nothing_stands_against_a_human_answer_that_says_the_same() -> None:
    same = [Rated(candidate(0, text="Four."), 1.0, "scored")]
    pair, fates = choose_anchored(PreferencePairs(), PROMPT, HUMAN, same)
    assert (pair, [one.fate for one in fates]) == (None, ["same_as_human"])
    closed, right = replace(HUMAN, text="4"), [Rated(candidate(0, text="It is 4."), 1.0, "scored")]
    assert choose_anchored(PreferencePairs(), PROMPT, closed, right)[0] is None
