"""How often a judge says what people say, by hand."""

import math
import random

import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as library_fleiss

from selfreward.benchmarks.labelled_items import SCALE
from selfreward.judge_quality.accuracy import (
    accuracy,
    calibration_error,
    kappa,
    mean_score,
    rank_correlations,
    score_kappa,
    tie_share,
)
from selfreward.judge_quality.estimate import Measure
from selfreward.judge_quality.measures import rater_measures
from selfreward.judge_quality.verdicts import Judged, Verdicts, judged, labelled
from selfreward.records import SWAPPED, GoldPair, Verdict, majority
from tests.judge_quality.planted import item, said


def pairs(*rows: tuple[list[Verdict], float | None]) -> list[Judged]:
    return [(item(votes, number=n), said(n, preference)) for n, (votes, preference) in enumerate(rows)]


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    return measure.interval.value


def test_accuracy_counts_ties_half_and_leaves_out_what_nobody_decided() -> None:
    rows = pairs(
        (["first"], 0.9),
        (["second"], 0.9),
        (["second", "second", "first"], 0.0),
        (["first"], 0.5),
        (["first"], None),
        (["tie"], 1.0),
        (["first", "second"], 1.0),
    )
    measure = accuracy(rows)
    assert value(measure) == (1 + 0 + 1 + 0.5) / 4
    assert (measure.left_out, measure.interval and measure.interval.n) == (3, 4)


@pytest.mark.parametrize("right", [50, 70, 100])
def test_kappa_on_right_and_wrong_answers_is_twice_the_accuracy_less_one(right: int) -> None:
    rows = pairs(*[(["first"], float(n < right)) for n in range(100)])
    assert value(kappa(rows, 0)) == pytest.approx(2 * right / 100 - 1)


def test_a_tie_of_the_judge_is_a_coin_where_people_cannot_tie() -> None:
    rows = pairs((["first"], 1.0), (["second"], 0.0), (["first"], 0.5), (["second"], 0.5))
    assert value(kappa(rows, 0)) == pytest.approx(2 * 0.75 - 1)


def test_kappa_of_three_classes_is_that_of_the_items_in_both_orientations() -> None:
    rng = random.Random(0)
    sides: list[Verdict] = ["first", "second", "tie"]
    people = [rng.choice(sides) for _ in range(60)]
    judge = [side if rng.random() < 0.6 else rng.choice(sides) for side in people]
    preference = {"first": 1.0, "second": 0.0, "tie": 0.5}
    rows = pairs(*[([a], preference[b]) for a, b in zip(people, judge, strict=True)])
    both_ways = cohen_kappa_score(people + [SWAPPED[a] for a in people], judge + [SWAPPED[b] for b in judge])
    assert value(kappa(rows, 0)) == pytest.approx(both_ways)


def test_scores_against_ratings() -> None:
    ratings = [(1, 5), (2, 4), (3, 3), (5, 2), (4, 1)]
    scores = [(1, 4), (2, 5), (3, 2), (5, 2), (5, 1)]
    rows = [
        (item(number=n, ratings=rated), said(n, 1.0, scores=scored))
        for n, (rated, scored) in enumerate(zip(ratings, scores, strict=True))
    ]
    rows.append((item(number=9, ratings=(3, None)), said(9, 0.5, scores=(None, 3))))
    flat = [sum(side, ()) for side in (ratings, scores)]
    measure = score_kappa(rows, SCALE, 0)
    assert value(measure) == pytest.approx(cohen_kappa_score(*flat, labels=range(1, 6), weights="quadratic"))
    assert measure.left_out == 1
    assert score_kappa(rows, (0, 1), 0).why_missing == "people rate from 1 to 5, the judge from 0 to 1"
    assert "no scale" in str(score_kappa(rows, None, 0).why_missing)
    assert score_kappa(pairs((["first"], 1.0)), SCALE, 0).why_missing == "people gave no ratings of single answers"


def test_margins_correlate_with_people_even_where_the_first_is_always_right() -> None:
    good = [(item(number=n), said(n, 1.0, scores=(4, 2))) for n in range(20)]
    bad = [(item(number=n), said(n, 0.0, scores=(2, 4))) for n in range(20)]
    assert [value(measure) for measure in rank_correlations(good, 0)] == pytest.approx([1, 1])
    assert [value(measure) for measure in rank_correlations(bad, 0)] == pytest.approx([-1, -1])
    assert {m.why_missing for m in rank_correlations(pairs((["first"], 1.0)), 0)} == {"the judge gives no scores"}
    flat = [(item(number=n), said(n, 0.5, scores=(3, 3))) for n in range(5)]
    assert {m.why_missing for m in rank_correlations(flat, 0)} == {"one side does not vary"}


def test_calibration_error_by_hand() -> None:
    # Bin of 0.8: confident 0.8, right half the time, 4 items; bin of 0.6: right throughout, 1 item, said of the second.
    rows = pairs(
        (["first"], 0.8), (["first"], 0.8), (["second"], 0.8), (["second"], 0.8), (["second"], 0.4), (["tie"], 0.9)
    )
    assert value(calibration_error(rows, 0)) == pytest.approx(4 / 5 * 0.3 + 1 / 5 * 0.4)


def test_a_calibrated_judge_stays_below_the_stated_bias() -> None:
    rng = random.Random(1)
    errors = []
    for _ in range(20):
        preferences = [rng.random() for _ in range(100)]
        rows = pairs(*[(["first" if rng.random() < p else "second"], p) for p in preferences])
        errors.append(value(calibration_error(rows, 0)))
    assert 0.04 < sum(errors) / len(errors) < 1.26 / math.sqrt(100)


def test_hard_verdicts_have_no_calibration() -> None:
    measure = calibration_error(pairs((["first"], 1.0), (["first"], 0.5)), 0)
    assert measure.why_missing == "hard verdicts carry no confidence"


def test_mean_score_averages_within_the_item_and_ties_count_answers_alone() -> None:
    rows = [(item(number=0), said(0, 1.0, scores=(5, 1))), (item(number=1), said(1, 0.5, scores=(4, None)))]
    rows.append((item(number=2), said(2)))
    assert value(mean_score(rows, 0)) == (3 + 4) / 2
    assert mean_score(rows, 0).left_out == 1
    assert value(tie_share(rows)) == 0.5


def test_jurors_who_miss_verdicts_still_have_an_alpha() -> None:
    votes: list[list[Verdict | None]] = [["first", "first", None], ["second", "second", "second"]] * 6
    votes += [["first", "second", "first"], ["second", "second", None]]
    fleiss, alpha, pairwise = rater_measures(votes, 0).values()
    assert (fleiss.left_out, alpha.left_out, pairwise.left_out) == (7, 0, 7)
    assert value(alpha) > 0.8


def test_which_answer_is_called_the_first_does_not_move_how_far_people_agree() -> None:
    """Turned so that the majority is always for the first, as in gold, raw marginals would leave kappa below 0."""
    turned: list[list[Verdict]] = [["first", "first", "first"]] * 9 + [["first", "first", "second"]] * 3
    as_asked = [[SWAPPED[vote] for vote in votes] if n % 2 else votes for n, votes in enumerate(turned)]
    both = [*turned, *([SWAPPED[vote] for vote in votes] for votes in turned)]
    counts = [[votes.count("first"), votes.count("second")] for votes in both]
    assert rater_measures(turned, 0) == rater_measures(as_asked, 0)
    fleiss, _, pairwise = rater_measures(turned, 0).values()
    assert value(fleiss) == pytest.approx(library_fleiss(counts)) == pytest.approx(2 * (1 - 3 * 2 / 3 / 12) - 1)
    assert value(pairwise) == pytest.approx(value(fleiss))
    assert fleiss.interval is not None and fleiss.interval.n == 12
    assert library_fleiss(counts[:12]) < 0


def test_the_majority_is_whoever_leads() -> None:
    assert majority(("first", "tie", "first")) == "first"
    assert majority(("first", "second")) is None
    assert majority(()) is None


def test_a_gold_pair_is_labelled_for_the_right_answer() -> None:
    one = labelled(GoldPair(id="g", messages=(), right="yes", wrong="no", source="s"))
    assert (one.first, one.second, one.verdicts) == ("yes", "no", ("first",))
    with pytest.raises(ValueError, match="most of which are not for its right answer"):
        GoldPair(id="g", messages=(), right="yes", wrong="no", source="s", verdicts=("first", "second"))


def test_verdicts_belong_to_items_one_by_one() -> None:
    assert judged([item(number=1), item(number=2)], [said(2), said(1)])[0][1].id == "1"
    with pytest.raises(ValueError, match="one by one"):
        judged([item(number=1)], [said(2)])
    with pytest.raises(ValueError, match="one by one"):
        judged([item(number=1)], [said(1), said(1)])


def test_a_preference_is_a_probability() -> None:
    with pytest.raises(ValueError, match="no probability"):
        Verdicts(
            id="x",
            preference=1.2,
            flipped=None,
            first_score=None,
            second_score=None,
            first_shown=None,
            outcome="scored",
        )
