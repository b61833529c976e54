"""Measures that take a judge's errors, or those of its labels, out."""

from statistics import fmean

import numpy as np
import pytest

from selfreward.benchmarks.labelled_items import OWN
from selfreward.judge_quality.bias import length_slope, self_preference
from selfreward.judge_quality.corrected import RATES, corrected_share, right_rates
from selfreward.judge_quality.estimate import Measure, missing, share_of
from selfreward.judge_quality.verdicts import Judged
from selfreward.records import Verdict
from tests.judge_quality.planted import item, said

SCALE = (0.0, 1.0)


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    return measure.interval.value


def labelled(rng: np.random.Generator, items: int, people: int) -> list[Judged]:
    """A judge without a fault; people are right in 75%; its own answers, and longer ones, are better in 75%."""
    rows = []
    for number in range(items):
        mine, better, longer = (int(side) for side in rng.choice([-1, 1], 3))
        if number % 2:  # between its own and another's; else between two others
            mine = better if rng.random() < 0.75 else -better
        longer = better if rng.random() < 0.75 else -better
        right = rng.random(people) < 0.75
        votes: list[Verdict] = ["first" if (better > 0) == bool(one) else "second" for one in right]
        authors = ("one", "other") if number % 2 == 0 else (OWN, "other") if mine > 0 else ("other", OWN)
        lengths = (20, 10) if longer > 0 else (10, 20)
        one = item(votes, number=number, lengths=lengths, authors=authors)
        rows.append((one, said(number, float(better > 0))))
    return rows


def test_a_judge_better_than_its_labels_does_not_rest_at_0_unless_several_people_say_so() -> None:
    rows = labelled(np.random.default_rng(0), 4000, people=3)
    for measure in (self_preference, length_slope):
        plain, corrected = measure(rows, {OWN}, 0), measure(rows, {OWN}, 0, corrected=True)
        assert value(plain) > 0.04
        assert value(corrected) == pytest.approx(0, abs=0.02)
        assert corrected.interval is not None
        assert corrected.interval.low < 0 < corrected.interval.high


def test_a_bias_stays_in_the_corrected_measure() -> None:
    """In a third of the pairs with its own the judge takes its own: whatever is better, + 1/6."""
    rng = np.random.default_rng(1)
    rows = []
    for one, verdict in labelled(rng, 8000, people=3):
        own = one.first_author == OWN or one.second_author == OWN
        if own and rng.random() < 1 / 3:
            verdict = said(int(one.id), float(one.first_author == OWN))
        rows.append((one, verdict))
    assert value(self_preference(rows, {OWN}, 0, corrected=True)) == pytest.approx(1 / 6, abs=0.04)


def test_one_verdict_an_item_corrects_nothing_and_that_is_said() -> None:
    rows = labelled(np.random.default_rng(0), 40, people=1)
    for measure in (self_preference, length_slope):
        found = measure(rows, {OWN}, 0, corrected=True)
        assert found.why_missing == "no item has the verdicts of two people, which tell how much one is worth"
        assert found.left_out == 40


def scored(right: list[float], wrong: list[float]) -> list[Judged]:
    return [(item(number=n), said(n, 1.0, scores=pair)) for n, pair in enumerate(zip(right, wrong, strict=True))]


def test_rates_by_hand() -> None:
    rows = scored([1, 1, 1, 0, 0.5], [0, 0, 1, 0, 0])
    rows.append((item(["second"], number=5), said(5, 0.0, scores=(0, 1))))
    rows += [(item(["tie"], number=6), said(6, 0.5, scores=(1, 1))), (item(number=7), said(7, scores=(None, 1)))]
    found = right_rates(rows, SCALE, 0)
    assert [*found] == [*RATES]
    assert [value(one) for one in found.values()] == pytest.approx([4.5 / 6, 5 / 6, 4.5 / 6 + 5 / 6 - 1])
    assert {one.left_out for one in found.values()} == {2}
    assert "no scale" in str(right_rates(rows, None, 0)["sensitivity"].why_missing)


def corrected(rng: np.random.Generator, true: float, right: float, wrong: float, alike: float = 0.0) -> Measure:
    """48 gold pairs, and four candidates each of 100 prompts, of which `true` are right."""
    of_prompt = rng.random(48)
    lots = [np.where(rng.random(48) < alike, of_prompt, rng.random(48)) for _ in range(2)]
    # `alike` pairs have a judge that calls both answers right or neither.
    gold = scored([float(one) for one in lots[0] < right], [float(one) for one in lots[1] < 1 - wrong])
    answers = rng.random((100, 4)) < true
    called = np.where(answers, rng.random((100, 4)) < right, rng.random((100, 4)) >= wrong)
    told = share_of(called.mean(axis=1).tolist(), range(100), "none")
    return corrected_share(told, *right_rates(gold, SCALE, 0).values())


def test_the_share_that_is_right_is_found_behind_the_judges_errors() -> None:
    """A judge that calls 90% of the right and 30% of the wrong ones right says .48 where .3 are."""
    rng = np.random.default_rng(0)
    found = [corrected(rng, 0.3, right=0.9, wrong=0.7) for _ in range(100)]
    assert fmean(value(one) for one in found) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("true", "right", "wrong", "alike"),
    [(0.3, 0.9, 0.7, 0.0), (0.5, 0.8, 0.8, 0.7), (0.1, 0.97, 0.9, 0.0), (0.8, 0.7, 0.9, 0.5), (0.6, 1.0, 1.0, 0.0)],
)
def test_its_interval_covers(true: float, right: float, wrong: float, alike: float) -> None:
    rng = np.random.default_rng(1)
    intervals = [one.interval for _ in range(200) if (one := corrected(rng, true, right, wrong, alike)).interval]
    assert len(intervals) > 190
    assert fmean(one.low <= true <= one.high for one in intervals) >= 0.92


def test_a_judge_that_may_not_tell_right_from_wrong_corrects_nothing() -> None:
    gold = scored([1.0, 0.0] * 24, [1.0, 0.0] * 24)
    told = share_of([0.5] * 20, range(20), "none")
    found = corrected_share(told, *right_rates(gold, SCALE, 0).values())
    assert "does not tell right answers from wrong ones" in str(found.why_missing)
    gone = corrected_share(missing("no candidate has a score"), *[told] * 3)
    assert gone.why_missing == "no candidate has a score"
