"""What moves a judge besides quality: hand-made regressions, and planted judges that move their own measure alone."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.gold_items import pandalm
from selfreward.benchmarks import planted_judges as judges
from selfreward.benchmarks.labelled_items import OWN, SCALE, made_items
from selfreward.benchmarks.planted_judges import JUDGES, PERFECT, Planted, moved
from selfreward.judge_quality.accuracy import accuracy, kappa
from selfreward.judge_quality.bias import (
    ScoreBin,
    flip_rate,
    length_slope,
    parse_rate,
    position_preference,
    same_position,
    score_histogram,
    self_preference,
    share_at_maximum,
)
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.measures import judge_measures
from selfreward.judge_quality.verdicts import Judged, Labelled, Verdicts, judged
from selfreward.records import SWAPPED, Verdict
from tests.judge_quality.planted import item, said

REAL = Path(__file__).parents[2].parent / "shared" / "data"
PANDALM = REAL / "pandalm-testset/testset-v1.json"
NAMED = {judge.name: judge for judge in JUDGES}
NOISY = [NAMED["random"], NAMED["wrong in 30% at random"]]


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    return measure.interval.value


def test_places_by_hand() -> None:
    rows = [
        (item(number=0), said(0, 1.0, flipped=False, shown=0.5)),  # the better one in both orders
        (item(number=1), said(1, 0.5, flipped=True, shown=1.0)),  # the first shown in both
        (item(number=2), said(2, 0.5, flipped=True, shown=0.0)),  # the second shown in both
        (item(number=3), said(3, 0.5, flipped=False, shown=0.5)),  # a tie in both
        (item(number=4), said(4)),
    ]
    assert value(flip_rate(rows)) == 2 / 4
    assert value(same_position(rows)) == pytest.approx(1 / 3)
    assert same_position(rows).left_out == 2
    assert value(position_preference(rows, 0)) == 0
    assert value(parse_rate(rows)) == pytest.approx(4 / 5)


def test_a_judge_of_single_answers_has_no_place_to_prefer() -> None:
    rows = [(item(), said(0, 1.0, scores=(4, 2)))]
    for measure in (flip_rate(rows), same_position(rows), position_preference(rows, 0)):
        assert "not asked in both orders" in str(measure.why_missing)


def test_the_top_of_the_scale_is_the_rubrics_not_the_highest_score_seen() -> None:
    rows = [(item(number=n), said(n, 0.5, scores=scores)) for n, scores in enumerate([(5, 4.97), (4, 5), (None, 3)])]
    assert value(share_at_maximum(rows, SCALE)) == pytest.approx((1 + 0.5 + 0) / 3)
    assert value(share_at_maximum(rows, (1, 10))) == 0
    assert share_at_maximum(rows, None).why_missing == "the judge's scores have no maximum"


LABELS: list[Verdict] = ["first", "second", "tie", "first", "second", "second"]
LENGTHS = [(40, 10), (20, 10), (10, 80), (10, 10), (160, 10), (10, 20)]
LOG2 = [2, 1, -3, 0, 4, -1]
SIDE = [1, -1, 0, 1, -1, -1]


def linear(length: float, label: float, own: float = 0) -> list[Judged]:
    """A judge whose preference for the first is exactly linear; the first answer is its own throughout."""
    return [
        (
            item([verdict], number=n, lengths=lengths, authors=(OWN, "x")),
            said(n, 0.5 + length * log2 + label * side + own),
        )
        for n, (verdict, lengths, log2, side) in enumerate(zip(LABELS, LENGTHS, LOG2, SIDE, strict=True))
    ]


@pytest.mark.parametrize(("length", "label", "own"), [(0.05, 0.2, 0), (0, 0.3, 0.1), (-0.03, 0, 0.2), (0.04, 0.1, 0.1)])
def test_the_regressions_find_the_planted_effects(length: float, label: float, own: float) -> None:
    rows = linear(length, label, own) * 8
    assert value(length_slope(rows, {OWN}, 0)) == pytest.approx(length, abs=1e-9)
    assert value(self_preference(rows, {OWN}, 0)) == pytest.approx(own, abs=1e-9)


def test_without_the_judges_own_a_mean_over_both_labels() -> None:
    # Takes its own in 4 of 4 where people do, in 3 of 4 where they do not: (1 + 3/4) / 2 - 1/2.
    rows = [
        (item([side], number=n, authors=(OWN, "x")), said(n, float(n != 7)))
        for n, side in enumerate(["first"] * 4 + ["second"] * 4)
    ]
    assert value(self_preference(rows, {OWN}, 0)) == pytest.approx((1 + 3 / 4) / 2 - 1 / 2)


def test_swapping_the_answers_changes_no_measure() -> None:
    items = made_items(60, seed=5)
    verdicts = judges.verdicts_on_items(NAMED["wrong in 30% at random"], items, OWN, SCALE, 5)
    rng = random.Random(0)
    turned_items, turned = [], []
    for one, verdict in zip(items, verdicts, strict=True):
        if rng.random() < 0.5:
            one = replace(
                one,
                first=one.second,
                second=one.first,
                first_author=one.second_author,
                second_author=one.first_author,
                first_rating=one.second_rating,
                second_rating=one.first_rating,
                verdicts=tuple(SWAPPED[vote] for vote in one.verdicts),
            )
            assert verdict.preference is not None
            verdict = replace(
                verdict,
                preference=1 - verdict.preference,
                first_score=verdict.second_score,
                second_score=verdict.first_score,
            )
        turned_items.append(one)
        turned.append(verdict)
    before = judge_measures(items, verdicts, own={OWN}, scale=SCALE, seed=1)
    after = judge_measures(turned_items, turned, own={OWN}, scale=SCALE, seed=1)
    for name, a in before.items():
        b = after[name]
        assert (a.left_out, a.why_missing) == (b.left_out, b.why_missing)
        if a.interval is not None and b.interval is not None:
            assert [a.interval.value, a.interval.low] == pytest.approx([b.interval.value, b.interval.low], abs=1e-9)


def test_what_does_not_exist_says_why() -> None:
    rows = [(item(number=n), said(n, 1.0)) for n in range(4)]
    assert "differs in length" in str(length_slope(rows, set(), 0).why_missing)
    assert "give chosen_author and rejected_author" in str(self_preference(rows, {OWN}, 0).why_missing)
    rows = [(item(number=n, authors=("you", "you")), said(n, 1.0)) for n in range(4)]
    assert "set judge.own=[AUTHOR]" in str(self_preference(rows, set(), 0).why_missing)
    assert "sets an answer of judge.own against" in str(self_preference(rows, {OWN}, 0).why_missing)
    longer = [(item(number=n, lengths=(20, 10), authors=(OWN, "x")), said(n, 1.0)) for n in range(4)]
    assert "throughout" in str(self_preference(longer, {OWN}, 0).why_missing)


def test_the_histogram_has_a_bin_a_score_or_twenty() -> None:
    few = [5, 0, 5, 1, 5, 0, 5, 1]
    assert score_histogram(few) == (ScoreBin(0, 0, 2), ScoreBin(1, 1, 2), ScoreBin(5, 5, 4))
    bins = score_histogram([n / 100 for n in range(100)] * 2)
    assert (len(bins), sum(one.count for one in bins), bins[0].low, bins[-1].high) == (20, 200, 0, 0.99)
    assert score_histogram([]) == ()


real = pytest.mark.skipif(not PANDALM.is_file(), reason="the folder shared/data is not beside the checkout")


@pytest.fixture(scope="module", params=["at random", pytest.param("real", marks=real)])
def gold(request: pytest.FixtureRequest) -> tuple[list[Labelled], str]:
    """Of the real items every third; people prefer llama-7b in 70 of 100, so noise would move a plain difference."""
    return (made_items(300, seed=1), OWN) if request.param == "at random" else (list(pandalm(PANDALM))[::3], "llama-7b")


def asked(judge: Planted, gold: tuple[list[Labelled], str], seed: int = 1) -> list[Verdicts]:
    items, own = gold
    return judges.verdicts_on_items(judge, items, own, SCALE, seed)


def measured(judge: Planted, gold: tuple[list[Labelled], str]) -> dict[str, Measure]:
    items, own = gold
    return judge_measures(items, asked(judge, gold), own={own}, scale=SCALE, seed=0)


@pytest.mark.parametrize("judge", [one for one in JUDGES if one not in NOISY], ids=lambda judge: judge.name)
def test_a_planted_bias_moves_its_own_measure_alone(judge: Planted, gold: tuple[list[Labelled], str]) -> None:
    assert moved(measured(judge, gold), measured(PERFECT, gold)) == judge.moves


@pytest.mark.parametrize("judge", NOISY, ids=lambda judge: judge.name)
def test_a_judge_that_errs_at_random_is_not_taken_for_a_biased_one(
    judge: Planted, gold: tuple[list[Labelled], str]
) -> None:
    assert moved(measured(judge, gold), measured(PERFECT, gold)) <= {"length_slope", "self_preference"}
    # A perfect judge's interval has no width here, so a 95% interval beside it leaves it 5 times in 100.
    items, own = gold
    left = {"length_slope": 0, "self_preference": 0}
    for seed in range(25):
        pairs = judged(items, asked(judge, gold, seed))
        for name, measure in zip(left, (length_slope(pairs, {own}, 0), self_preference(pairs, {own}, 0)), strict=True):
            assert measure.interval is not None
            left[name] += not measure.interval.low <= 0 <= measure.interval.high
    # 1.25 of 25 expected, standard deviation 1.1.
    assert max(left.values()) <= 5


def test_quality_falls_with_noise(gold: tuple[list[Labelled], str]) -> None:
    perfect, random_, noisy_ = (judged(gold[0], asked(judge, gold)) for judge in (PERFECT, *NOISY))
    assert [value(accuracy(perfect)), value(kappa(perfect, 0))] == [1, 1]
    noisy, chance = accuracy(noisy_).interval, kappa(random_, 0).interval
    assert noisy is not None and noisy.low < 0.7 < noisy.high
    assert chance is not None and chance.low < 0 < chance.high


def test_a_coin_at_every_call_flips_but_prefers_no_place(gold: tuple[list[Labelled], str]) -> None:
    rng = random.Random(2)
    items, own = gold
    verdicts = []
    for one in items:
        straight, swapped = float(rng.random() < 0.5), float(rng.random() < 0.5)
        preference = straight if straight == swapped else 0.5
        shown = (straight + 1 - swapped) / 2
        verdicts.append(replace(said(0, preference, flipped=straight != swapped, shown=shown), id=one.id))
    found = judge_measures(items, verdicts, own={own}, scale=SCALE, seed=0)
    assert moved(found, measured(PERFECT, gold)) == {"flip_rate", "same_position"}
