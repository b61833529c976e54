"""What the controller's orders change in a selection, and that without any nothing changes."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.monitor.controller import Orders
from selfreward.records import Example, PreferencePair
from selfreward.selection import AnySelect
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.fates import Fate
from selfreward.selection.pairs import PreferencePairs
from selfreward.selection.pool import Rated
from tests.stages.tables import choice_of, closed_prompt, drawn, human_example, open_prompt, ordered, selected

PROMPT = open_prompt(0)
NOVEL = Orders(novelty=True, novelty_quantile=0.5)
WORDS = ["the cat sat on the mat", "the cat sat on the hat", "a cat sat on a mat", "rivers run to the sea at night"]
WORDS += ["the cats sit on mats", "", "!!!", "winter bread is dark and good"]


def rated(scores: list[float | None], texts: list[str] = WORDS) -> list[Rated]:
    pairs = list(zip(texts, scores, strict=False))
    return [Rated(drawn(PROMPT, at, text), score, "unparsed") for at, (text, score) in enumerate(pairs)]


def index_of(one: Rated) -> int:
    return one.candidate.index


def test_the_most_novel_of_the_good_ones_is_taken() -> None:
    pool = rated([5.0, 4.0, 1.0, 3.0, 2.0])
    assert [index_of(one) for (one,) in choice_of(BestOfK(k=5), PROMPT, pool).picks] == [0]
    assert [index_of(one) for (one,) in choice_of(BestOfK(k=5), PROMPT, pool, NOVEL).picks] == [3]
    assert [index_of(one) for (one,) in choice_of(RandomPick(k=5), PROMPT, pool, NOVEL).picks] == [3]


def test_the_most_novel_good_one_stands_over_the_least_novel_bad_one() -> None:
    pool = rated([3.0, 1.0, 2.0, 4.0])
    ((chosen, rejected),) = choice_of(PreferencePairs(), PROMPT, pool).picks
    assert (index_of(chosen), index_of(rejected)) == (3, 1)
    pool = rated([5.0, 2.0, 1.0, 4.0])
    ((chosen, rejected),) = choice_of(PreferencePairs(), PROMPT, pool, NOVEL).picks
    assert (index_of(chosen), index_of(rejected)) == (3, 1)


def test_where_most_answers_share_the_lowest_score_the_others_are_preferred() -> None:
    pool = rated([1.0, 1.0, 2.0, 1.0])
    ((chosen, rejected),) = choice_of(PreferencePairs(), PROMPT, pool, NOVEL).picks
    assert (index_of(chosen), index_of(rejected)) == (2, 0)
    counts: Counter[str] = Counter()
    choice = choice_of(PreferencePairs(), PROMPT, rated([1.0] * 4), NOVEL)
    choice.count(choice.fates(), counts)
    assert choice.picks == []
    assert (counts["ties"], counts["prompts_without_selection"]) == (1, 1)


SCORES = st.lists(st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0])), min_size=1, max_size=8)
QUANTILES = st.floats(0, 1)


@given(scores=SCORES, quantile=QUANTILES, top=st.integers(1, 3), random=st.booleans())
def test_novelty_never_picks_below_the_quantile(scores, quantile, top, random) -> None:
    spec = RandomPick(k=8, top=top) if random else BestOfK(k=8, top=top)
    orders = Orders(novelty=True, novelty_quantile=quantile)
    pool, counts = rated(scores), Counter()
    able = [one.worth for one in pool if one.score is not None and one.candidate.text.strip()]
    choice = choice_of(spec, PROMPT, pool, orders)
    choice.count(choice.fates(), counts)
    chosen = [one for (one,) in choice.picks]
    assert bool(chosen) == bool(able)
    assert all(one.worth >= np.quantile(able, quantile) for one in chosen)
    assert counts["selected"] + counts["passed_over"] == len(able)


@pytest.mark.parametrize("rule", ["best_worst", "all", "random", "coin"])
@given(scores=SCORES, quantile=QUANTILES, order=st.randoms(use_true_random=False), first=st.integers(0, 2))
def test_whatever_is_ordered_the_order_of_candidates_changes_nothing(rule, scores, quantile, order, first) -> None:
    spec = PreferencePairs(k=8, pairs=rule, per_prompt=3)
    orders = Orders(novelty=quantile > 0.3, novelty_quantile=quantile, anchored=first > 0)
    pool, before = rated(scores), [Rated(drawn(PROMPT, at, f"old {at}", "first"), 0.5, "scored") for at in range(first)]
    shuffled = list(pool)
    order.shuffle(shuffled)
    counts, again = Counter(), Counter()
    choice = choice_of(spec, PROMPT, pool, orders, before)
    found, same = choice.picks, choice_of(spec, PROMPT, shuffled, orders, before)
    assert (found, choice.fates()) == (same.picks, same.fates())
    choice.count(choice.fates(), counts)
    same.count(same.fates(), again)
    assert counts == again
    assert counts["selected"] + counts["passed_over"] == sum(
        one.score is not None and one.candidate.text != "" for one in pool
    )
    if rule != "coin":
        assert all(better.worth > worse.worth for better, worse in found)
        able = [one.worth for one in pool if one.score is not None and one.candidate.text.strip()]
        assert not orders.novelty or all(better.worth >= np.quantile(able, quantile) for better, _ in found)


MANY = [
    (open_prompt(number), [("The same dull answer again.", number / 10), (f"Something about {number}.", None)])
    for number in range(6)
]
SUMS = [(closed_prompt(number), [("The answer is 4.", 1.0), ("The answer is 5.", 0.0)]) for number in range(5)]


def test_without_orders_a_decision_changes_no_row(tmp_path: Path) -> None:
    for spec in (BestOfK(), PreferencePairs()):
        free, decided = (selected(tmp_path, [*MANY, *SUMS], spec, one) for one in (None, ordered(tmp_path)))
        assert free.digest == decided.digest


def test_the_cap_holds_over_the_whole_round_and_the_best_scored_stay(tmp_path: Path) -> None:
    made = selected(tmp_path, [*MANY, *SUMS], BestOfK(), ordered(tmp_path, cluster_cap=2))
    dull = [row.prompt_id for row in made.records(Example) if row.stratum == "open"]
    assert dull == [MANY[4][0].id, MANY[5][0].id]
    assert sum(row.stratum == "closed" for row in made.records(Example)) == 5, "a right answer may repeat"
    counts = made.json("selection")
    assert (counts["over_cluster_cap"], counts["selected"], counts["prompts_without_selection"]) == (4, 7, 4)
    assert counts["candidates"] == 22 == 7 + 4 + counts["passed_over"] + counts["unscored:unparsed"]


def test_the_cap_holds_for_pairs_and_every_candidate_is_counted_once(tmp_path: Path) -> None:
    answers = [(prompt, [dull, (f"Something about {at}.", -1.0)]) for at, (prompt, (dull, _)) in enumerate(MANY)]
    made = selected(tmp_path, answers, PreferencePairs(), ordered(tmp_path, cluster_cap=2))
    counts = made.json("selection")
    assert made.rows("pairs") == counts["pairs"] == 2
    assert (counts["over_cluster_cap"], counts["selected"], counts["candidates"]) == (8, 4, 12)


@pytest.mark.parametrize("spec", [BestOfK(), PreferencePairs(), RandomPick()])
def test_what_the_cap_took_out_has_that_fate(tmp_path: Path, spec: AnySelect) -> None:
    answers = [(prompt, [dull, (f"Something about {at}.", -1.0)]) for at, (prompt, (dull, _)) in enumerate(MANY)]
    made = selected(tmp_path, [*answers, *SUMS], spec, ordered(tmp_path, cluster_cap=2))
    found = list(made.records(Fate, "fates"))
    fates, counts = Counter(one.fate for one in found), made.json("selection")
    assert fates == {name: counts[name] for name in fates}
    assert len(found) == counts["candidates"]
    assert fates["over_cluster_cap"] > 0
    assert all(one.rank is not None and not one.over and not one.under for one in found if "cap" in one.fate)


def test_a_smaller_k_is_obeyed_and_a_larger_one_is_not(tmp_path: Path) -> None:
    answers = [(open_prompt(0), [(f"Text number {at}", float(at)) for at in range(4)])]
    (row,) = selected(tmp_path, answers, BestOfK(k=3), ordered(tmp_path, select_k=2)).records(Example)
    assert row.score == 1.0
    (row,) = selected(tmp_path, answers, BestOfK(k=3), ordered(tmp_path, select_k=4)).records(Example)
    assert row.score == 2.0


NOW = [(open_prompt(0), [("Good now.", 3.0), ("Bad now.", 2.0)]), (open_prompt(1), [("Fine.", 3.0), ("Poor.", 1.0)])]
THEN = [
    (open_prompt(0), [("Good now.", 0.0), ("Bad then.", 0.5), ("Middling then.", 1.0)]),
    (open_prompt(9), [("x", 0.0)]),
]


def test_an_anchored_pair_rejects_what_iteration_0_said(tmp_path: Path) -> None:
    made = selected(tmp_path, NOW, PreferencePairs(), ordered(tmp_path, anchored=True), THEN)
    asked_then, not_asked = made.records(PreferencePair, "pairs")
    assert asked_then.rejected_id == f"first1-{open_prompt(0).id}", "the worst is what is chosen now"
    assert (asked_then.chosen, asked_then.rejected, asked_then.margin) == ("Good now.", "Bad then.", 2.5)
    assert not_asked.rejected == "Poor."
    counts = made.json("selection")
    assert (counts["anchored"], counts["pairs"], counts["selected"], counts["passed_over"]) == (1, 2, 3, 1)


def test_a_human_answer_stands_over_iteration_0_too(tmp_path: Path) -> None:
    human = [human_example(at, prompt=prompt) for at, (prompt, _) in enumerate(NOW)]
    made = selected(tmp_path, NOW, PreferencePairs(), ordered(tmp_path, anchored=True), THEN, human)
    assert [row.rejected for row in made.records(PreferencePair, "human_pairs")] == ["Good now.", "Poor."]
    assert made.json("selection")["anchored"] == 1
    free = selected(tmp_path, NOW, PreferencePairs(), None, THEN, human)
    assert [row.rejected for row in free.records(PreferencePair, "human_pairs")] == ["Bad now.", "Poor."]
    assert "anchored" not in free.json("selection")


def test_anchors_that_are_no_worse_make_no_pair(tmp_path: Path) -> None:
    then = [(open_prompt(0), [("Better then.", 9.0), ("As good then.", 3.0)])]
    made = selected(tmp_path, NOW[:1], PreferencePairs(), ordered(tmp_path, anchored=True), then)
    assert made.rows("pairs") == 0
    assert made.json("selection")["ties"] == 1


def test_all_orders_together(tmp_path: Path) -> None:
    everything = ordered(
        tmp_path, select_k=2, novelty=True, novelty_quantile=0.5, cluster_cap=1, anchored=True, sft_weight=1.0
    )
    made = selected(tmp_path, NOW, PreferencePairs(per_prompt=None, pairs="all"), everything, THEN)
    counts = made.json("selection")
    assert counts["pairs"] == made.rows("pairs") == 2
    assert counts["selected"] + counts["passed_over"] + counts["over_cluster_cap"] == counts["candidates"] == 4
