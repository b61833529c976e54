"""The pairwise judge: in which orders it asks, and what it concludes from verdicts, ties and gaps."""

import random
import re
from itertools import combinations

import pytest

from selfreward.judges.both_orders import comparisons
from tests.judges.made import ESSAY, Says, item, judged
from tests.judges.pairs import concluded, prefers, scores, shown, spec_of

SOFT = "judge.method=probability"


def test_every_pair_is_asked_about_in_both_orders_and_verdicts_are_about_the_candidates() -> None:
    items = [item("bad"), item("good", 1), item("middling", 2)]
    backend = Says(prefers("good", "middling", "bad"))
    evidence = judged(spec_of(), backend, *items)
    pairs = [(f"c{one}", f"c{other}") for one, other in combinations(range(3), 2)]
    assert [one.candidate_ids for one in evidence] == [pair for pair in pairs for _ in range(2)]
    assert [one.order for one in evidence] == [(0, 1), (1, 0)] * 3
    assert [one.verdict for one in evidence] == ["second"] * 4 + ["first"] * 2
    assert [shown(one[-1].content) for one in backend.asked[:2]] == [("bad", "good"), ("good", "bad")]
    assert {(one.usage.prompt_tokens, one.usage.completion_tokens) for one in evidence} == {(90, 6)}
    assert {one.score for one in evidence} == {None}
    judgments = concluded(spec_of(), evidence, *items)
    assert [one.outcome for one in judgments] == ["scored"] * 3
    bad, good, middling = (one.score for one in judgments if one.score is not None)
    assert good > middling > bad
    assert re.fullmatch(r"bt=[\d.]+ se=[\d.]+ wins=2 of 2", judgments[1].raw)
    assert {one.rubric for one in (*judgments, *evidence)} == {spec_of().comparison.name}
    assert len({one.judge for one in (*judgments, *evidence)}) == 1
    assert {one.usage.prompt_tokens for one in judgments} == {0}


def test_the_order_of_the_items_changes_nothing() -> None:
    spec = spec_of("judge.budget=4")
    items = [item(answer, index) for index, answer in enumerate(("a", "b", "c", "d"))]
    plain = {one.candidate_ids: one for one in concluded(spec, judged(spec, Says(prefers(*"cabd")), *items), *items)}
    for seed in range(5):
        mixed = random.Random(seed).sample(items, len(items))
        evidence = judged(spec, Says(prefers(*"cabd")), *mixed)
        assert {one.candidate_ids: one for one in concluded(spec, evidence, *mixed)} == plain


@pytest.mark.parametrize("says", ["Verdict: A", "Verdict: B", (0.9, 0.05, 0.04), (0.05, 0.9, 0.04)])
def test_a_judge_that_goes_by_the_order_favours_nobody_and_every_comparison_is_a_flip(
    says: str | tuple[float, ...],
) -> None:
    spec = spec_of() if isinstance(says, str) else spec_of(SOFT)
    items = [item(answer, index) for index, answer in enumerate(("a", "b", "c", "d"))]
    evidence = judged(spec, Says(lambda _: says), *items)
    found = comparisons(evidence)
    assert [(one.preference, one.flipped) for one in found] == [(pytest.approx(0.5), True)] * 6
    assert {one.score for one in concluded(spec, evidence, *items)} == {0.0}


def test_a_tie_in_both_orders_is_one_and_no_flip() -> None:
    items = [item("a"), item("b", 1)]
    evidence = judged(spec_of(), Says(lambda _: "Verdict: C"), *items)
    assert [one.verdict for one in evidence] == ["tie", "tie"]
    assert [one.flipped for one in comparisons(evidence)] == [False]
    assert [one.raw for one in concluded(spec_of(), evidence, *items)] == ["bt=0 se=0.912871 wins=0.5 of 1"] * 2


def test_a_missing_verdict_is_never_a_tie() -> None:
    items = [item("a"), item("b", 1), item("c", 2)]

    def says(message: str) -> str:
        return "I cannot decide." if shown(message) == ("b", "a") else prefers("a", "b", "c")(message)

    evidence = judged(spec_of(), Says(says), *items)
    assert [(one.preference, one.flipped) for one in comparisons(evidence)] == [
        (None, None),
        (1.0, False),
        (1.0, False),
    ]
    judgments = concluded(spec_of(), evidence, *items)
    assert [one.raw.partition("wins=")[2] for one in judgments] == ["1 of 1 undecided=1"] * 2 + ["0 of 2"]
    assert judgments[0].score == judgments[1].score

    nothing = judged(spec_of(), Says(lambda _: "I cannot decide."), *items)
    assert {(one.outcome, one.score, one.raw) for one in concluded(spec_of(), nothing, *items)} == {
        ("unparsed", None, "undecided in all of 2 comparisons")
    }


def test_a_cut_reply_is_truncated_whatever_it_says() -> None:
    items = [item("a"), item("b", 1)]
    evidence = judged(spec_of(), Says(prefers("a", "b"), finish="length"), *items)
    assert {(one.outcome, one.verdict) for one in evidence} == {("truncated", None)}
    assert {one.outcome for one in concluded(spec_of(), evidence, *items)} == {"truncated"}


def test_a_comparison_that_leaves_no_room_for_a_reply_is_truncated_and_costs_no_other() -> None:
    items = [item("a"), item("b", 1), item(ESSAY, 2)]
    evidence = judged(spec_of(), Says(prefers("a", "b")), *items)
    outcomes = {one.candidate_ids: one.outcome for one in evidence}
    assert outcomes == {("c0", "c1"): "scored", ("c0", "c2"): "truncated", ("c1", "c2"): "truncated"}
    better, worse, unknown = concluded(spec_of(), evidence, *items)
    assert better.score is not None and worse.score is not None and better.score > worse.score
    assert (unknown.outcome, unknown.score) == ("truncated", None)


def test_probabilities_are_averaged_over_both_orders() -> None:
    items = [item("a"), item("b", 1)]

    def says(message: str) -> tuple[float, ...]:
        return (0.6, 0.1, 0.1) if shown(message) == ("a", "b") else (0.5, 0.2, 0.2)

    evidence = judged(spec_of(SOFT), Says(says), *items)
    assert [one.score for one in evidence] == pytest.approx([0.65 / 0.8, 1 - 0.6 / 0.9])
    assert evidence[0].raw == "p(A)=0.6 p(B)=0.1 p(C)=0.1 mass=0.8"
    (found,) = comparisons(evidence)
    assert found.preference == pytest.approx((0.65 / 0.8 + 1 - 0.6 / 0.9) / 2)
    assert found.flipped
    assert (evidence[0].usage.prompt_tokens, evidence[0].usage.completion_tokens) == (80, 0)
    one, other = concluded(spec_of(SOFT), evidence, *items)
    assert one.score is not None and other.score is not None
    assert one.score > 0 > other.score


def test_little_mass_and_no_room_decide_nothing() -> None:
    items = [item("a"), item("b", 1), item("c", 2)]

    def says(message: str) -> tuple[float, ...] | None:
        told = {("a", "b"): None, ("c", "a"): (0.1, 0.1, 0.1)}
        return told.get(shown(message), (0.8, 0.1, 0.05))

    evidence = judged(spec_of(SOFT), Says(says), *items)
    assert [one.outcome for one in evidence] == ["truncated", "scored", "scored", "unparsed", "scored", "scored"]
    judgments = concluded(spec_of(SOFT), evidence, *items)
    assert [one.outcome for one in judgments] == ["truncated", "scored", "scored"]
    assert judgments[0].score is None


@pytest.mark.parametrize("method", ["sampled", "probability"])
def test_answers_alike_are_asked_about_once_and_share_what_came_of_it(method: str) -> None:
    spec = spec_of(f"judge.method={method}")
    items = [item("good"), item("bad", 1), item("good", 2), item("bad", 3), item("good", 4)]

    def says(message: str) -> str | tuple[float, ...]:
        first = shown(message)[0] == "good"
        if method == "sampled":
            return f"Verdict: {'A' if first else 'B'}"
        return (0.8, 0.1, 0.05) if first else (0.1, 0.8, 0.05)

    evidence = judged(spec, Says(says), *items)
    assert [one.candidate_ids for one in evidence] == [("c0", "c1")] * 2
    judgments = concluded(spec, evidence, *items)
    assert [one.score == judgments[0].score for one in judgments] == [True, False, True, False, True]
    assert judgments[0].raw.endswith("wins=1 of 1") or method == "probability"


def test_nothing_to_compare_with_is_no_score() -> None:
    for items in ([item("a")], [item("a"), item("a", 1)]):
        backend = Says(lambda _: "Verdict: A")
        evidence = judged(spec_of(), backend, *items)
        assert evidence == backend.asked == []
        judgments = concluded(spec_of(), evidence, *items)
        assert {(one.outcome, one.raw) for one in judgments} == {("unparsed", "nothing to compare with")}


def test_a_budget_limits_the_comparisons_and_leaves_nobody_out() -> None:
    answers = ("a", "b", "c", "d", "e", "f")
    spec = spec_of("judge.budget=7", "sample.k=6")
    items = [item(answer, index) for index, answer in enumerate(answers)]
    evidence = judged(spec, Says(prefers(*answers)), *items)
    assert len(evidence) == 14
    assert len(scores(spec, prefers(*answers), *items)) == 6
