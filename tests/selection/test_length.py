"""Length control in selection: the penalty, the tiers, and that nothing changes where neither is asked for."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfreward.reading.fate_words import fate_in_words, rule_in_words
from selfreward.reading.prompt_rounds import Considered, PolicyName, PromptRound, SelectionRule
from selfreward.selection import AnySelect
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.novelty import NO_ORDERS
from selfreward.selection.pairs import PreferencePairs, choose_anchored, pair_of
from selfreward.selection.pool import Rated, looked_at
from selfreward.spec import identity
from tests.selection.test_examples import PROMPT, candidate
from tests.selection.test_pairs import HUMAN
from tests.stages.tables import choice_of

Sizes = list[tuple[float, int]]
"""The score and the tokens of each candidate."""


def pool(*sizes: tuple[float | None, int]) -> list[Rated]:
    return [
        Rated(replace(candidate(index), tokens=tokens), score, "unparsed" if score is None else "scored")
        for index, (score, tokens) in enumerate(sizes)
    ]


def pair(spec: PreferencePairs, rated: list[Rated], counts: Counter[str] | None = None) -> str | None:
    counts = Counter() if counts is None else counts
    choice = choice_of(spec, PROMPT, rated)
    choice.count(choice.fates(), counts)
    found = choice.picks
    return f"{found[0][0].candidate.id}>{found[0][1].candidate.id}" if found else None


def picks(spec: BestOfK, rated: list[Rated]) -> list[str]:
    return [one.candidate.id for (one,) in choice_of(spec, PROMPT, rated).picks]


SIZES = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), st.integers(1, 9)), min_size=1, max_size=8)
TIERS = st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.7, 0.99]))
WIDE = {"k": 8}


def test_of_the_good_ones_the_shortest_stands_over_the_longest_of_the_bad_ones() -> None:
    rated = pool((5.0, 90), (4.0, 30), (3.0, 1), (1.0, 40), (0.0, 2))
    assert pair(PreferencePairs(k=5), rated) == "c0>c4"
    assert pair(PreferencePairs(k=5, length_tier=0.2), rated) == "c1>c3"
    assert pair(PreferencePairs(k=5, length_tier=0.4), rated) == "c2>c3"
    assert picks(BestOfK(k=5, length_tier=0.2), rated) == ["c1"]
    assert picks(BestOfK(k=5, length_tier=0.2, top=3), rated) == ["c1", "c0", "c2"]


@given(sizes=SIZES, tier=st.sampled_from([0.0, 0.2, 0.4]))
def test_no_shorter_one_is_as_good_and_no_longer_one_as_bad(sizes: Sizes, tier: float) -> None:
    rated = pool(*sizes)
    scores = [score for score, _ in sizes]
    best, worst = max(scores), min(scores)
    good = [one.candidate.tokens for one in rated if one.worth >= best - tier * (best - worst)]
    bad = [one.candidate.tokens for one in rated if one.worth <= worst + tier * (best - worst)]
    ((taken,),) = choice_of(BestOfK(length_tier=tier, **WIDE), PROMPT, rated).picks
    assert taken.candidate.tokens == min(good)
    found = choice_of(PreferencePairs(length_tier=tier, **WIDE), PROMPT, rated).picks
    assert len(found) == (best > worst)
    for chosen, rejected in found:
        assert (chosen, rejected.candidate.tokens) == (taken, max(bad))
        assert chosen.worth > rejected.worth


@given(sizes=SIZES)
def test_a_tier_of_nothing_takes_the_best_and_the_worst(sizes: Sizes) -> None:
    rated = pool(*sizes)
    scores = [score for score, _ in sizes]
    for chosen, rejected in choice_of(PreferencePairs(length_tier=0.0, **WIDE), PROMPT, rated).picks:
        assert (chosen.score, rejected.score) == (max(scores), min(scores))
    even = pool(*((score, 5) for score in scores))
    assert pair(PreferencePairs(length_tier=0.0, **WIDE), even) == pair(PreferencePairs(**WIDE), even)
    assert picks(BestOfK(length_tier=0.0, top=3, **WIDE), even) == picks(BestOfK(top=3, **WIDE), even)


@given(sizes=SIZES, tier=TIERS, penalty=st.sampled_from([0.0, 0.3]), order=st.randoms(use_true_random=False))
def test_the_order_of_candidates_changes_nothing(sizes: Sizes, tier: float | None, penalty: float, order) -> None:
    rated = pool(*sizes)
    shuffled = list(rated)
    order.shuffle(shuffled)
    told, again = Counter[str](), Counter[str]()
    pairs = PreferencePairs(length_tier=tier, length_penalty=penalty, **WIDE)
    assert pair(pairs, rated, told) == pair(pairs, shuffled, again)
    assert told == again
    reasons = {name: value for name, value in told.items() if name in ("selected", "passed_over", "duplicate")}
    assert sum(reasons.values()) == told["candidates"] == len(sizes)
    best = BestOfK(length_tier=tier, length_penalty=penalty, top=3, **WIDE)
    assert picks(best, rated) == picks(best, shuffled)


@given(sizes=SIZES, tier=TIERS, penalty=st.sampled_from([0.25, 0.5]))
def test_a_penalty_is_a_judge_that_takes_so_much_off_for_each_token(sizes: Sizes, tier, penalty: float) -> None:
    by_hand = pool(*((score - penalty * tokens, tokens) for score, tokens in sizes))
    left = choice_of(PreferencePairs(length_tier=tier, **WIDE), PROMPT, by_hand).picks
    spec = PreferencePairs(length_tier=tier, length_penalty=penalty, **WIDE)
    found = choice_of(spec, PROMPT, pool(*sizes)).picks
    assert [pair_of(PROMPT, *both) for both in found] == [pair_of(PROMPT, *both) for both in left]
    best = BestOfK(length_tier=tier, top=3, **WIDE)
    assert picks(best.model_copy(update={"length_penalty": penalty}), pool(*sizes)) == picks(best, by_hand)


def test_the_margin_is_of_what_the_penalty_leaves_and_the_threshold_of_the_score() -> None:
    rated = pool((3.0, 10), (2.0, 2))
    spec = PreferencePairs(k=2, length_penalty=0.25)
    (found,) = choice_of(spec, PROMPT, rated).picks
    assert pair_of(PROMPT, *found).margin == (2.0 - 0.5) - (3.0 - 2.5)
    counts: Counter[str] = Counter()
    assert pair(spec.model_copy(update={"margin": 1.0}), rated, counts) is None
    assert counts["below_margin"] == 1
    assert pair(spec.model_copy(update={"threshold": 2.0}), rated) == "c1>c0"


def test_one_that_is_the_shortest_good_one_and_the_longest_bad_one_is_a_tie() -> None:
    counts: Counter[str] = Counter()
    assert pair(PreferencePairs(k=3, length_tier=0.5), pool((2.0, 9), (1.0, 5), (0.0, 2)), counts) is None
    assert (counts["ties"], counts["pairs"], counts["prompts_without_selection"]) == (1, 0, 1)


def test_overlapping_tiers_never_choose_the_worse_one() -> None:
    counts: Counter[str] = Counter()
    rated = pool((10.0, 50), (4.0, 3), (5.0, 40), (0.0, 1))
    assert pair(PreferencePairs(length_tier=0.6), rated, counts) is None
    assert (counts["below_margin"], counts["pairs"]) == (1, 0)


def test_of_equally_right_answers_the_shortest_is_kept() -> None:
    rated = pool((1.0, 9), (1.0, 4), (0.0, 5))
    rated[1] = replace(rated[1], candidate=replace(candidate(1, text="It is 0."), tokens=4))
    assert pair(PreferencePairs(k=3, length_tier=0.0), rated) == "c1>c2"
    assert picks(BestOfK(k=3, length_tier=0.0), rated) == ["c1"]


def test_the_human_answer_stands_over_the_longest_of_the_bottom_tier() -> None:
    rated = pool((0.0, 3), (1.0, 8), (4.0, 20))
    for tier, rejected in ((None, "c0"), (0.0, "c0"), (0.3, "c1")):
        spec = PreferencePairs(length_tier=tier)
        pair, fates = choose_anchored(spec, PROMPT, HUMAN, rated)
        assert pair is not None and pair.rejected_id == rejected
        assert [one.candidate_id for one in fates if one.fate == "selected"] == [rejected]


def test_settings_at_rest_are_no_part_of_a_key_and_a_tier_makes_one_pair() -> None:
    for spec in (PreferencePairs(), BestOfK(), RandomPick()):
        assert not {"length_penalty", "length_tier"} & identity(spec).keys()
    with pytest.raises(ValidationError, match=r"select\.length_tier=0\.3 with select\.pairs=all: .*pairs=best_worst"):
        PreferencePairs(pairs="all", length_tier=0.3)
    with pytest.raises(ValidationError, match="less than 1"):
        BestOfK(length_tier=1.0)


def told(spec: AnySelect, rated: list[Rated]) -> list[str]:
    """The rule and the fate of every candidate, in words."""
    choice = choice_of(spec, PROMPT, rated)
    considered = tuple(
        Considered(candidate=one.candidate, judgments=(), fate=fate)
        for one, fate in zip(rated, choice.fates(), strict=True)
    )
    one = PromptRound(
        iteration=0,
        drawers=(PolicyName(number=0, key="p", digest="p"),),
        judge=None,
        candidates=considered,
        rule=SelectionRule(spec, 0, NO_ORDERS),
        anchors=False,
        chain=(),
    )
    return [*rule_in_words(one)[2:], *(fate_in_words(each, one) for each in considered)]


def test_reasons_name_the_tiers_and_the_penalty() -> None:
    rated = pool((5.0, 90), (4.0, 30), (0.0, 2))
    rule, *fates = told(PreferencePairs(k=3, length_tier=0.2), rated)
    assert "the shortest of the top tier over the longest of the bottom tier, a tier being 20% of the way" in rule
    assert fates[1].startswith("chosen over #2, score 4.0000, rank 2 of 3")
    assert fates[0].endswith("neither the shortest of the top tier nor the longest of the bottom tier")
    rule, *fates = told(BestOfK(k=3, length_tier=0.2, length_penalty=0.01), rated)
    assert "the shortest of the top tier first" in rule and rule.endswith(
        "; each token of an answer takes 0.01 off its score"
    )
    assert fates[1].startswith("selected, score 4.0000 (3.7000 after the penalty)")
    assert fates[0].endswith("others come first, the shortest of the top tier before all")


THOUGHT = "<think>" + "x" * 35 + "</think>"
"""Fifty characters; an answer has ten beside them, a sixth of all."""


def test_length_is_that_of_the_answer_without_its_thought() -> None:
    def thoughtful(one: Rated, tokens: int) -> Rated:
        return replace(one, candidate=replace(one.candidate, text="x" * 10, thought=THOUGHT, tokens=tokens))

    short, long = (replace(one, candidate=replace(one.candidate, text="y" * 10)) for one in pool((5.0, 8), (4.0, 12)))
    rated = [short, long, thoughtful(pool((1.0, 1), (1.0, 1), (5.0, 1))[2], 36)]
    assert [one.length for one in rated] == [8, 12, 6]
    assert picks(BestOfK(length_tier=0.0), rated) == ["c2"]
    assert [one.penalty for one in looked_at(BestOfK(length_penalty=0.5), rated)] == [4.0, 6.0, 3.0]
