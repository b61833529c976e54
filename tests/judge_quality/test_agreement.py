"""Agreement beyond chance: textbook values, and draws that are what the libraries say of each resample."""

import random
import time
from collections.abc import Callable

import numpy as np
import pytest
from krippendorff import alpha
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as library_fleiss

from selfreward.judge_quality import agreement
from selfreward.judge_quality.agreement import (
    fleiss_kappa,
    kendall,
    krippendorff_alpha,
    mean_pairwise_kappa,
    quadratic_kappa,
    spearman,
)
from selfreward.judge_quality.estimate import Measure, Statistic, weights_of
from selfreward.metrics.intervals import resamples

# Krippendorff 2011, "Computing Krippendorff's alpha-reliability": 4 observers, 12 units.
UNITS = [
    [1, 1, None, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [None, 5, 5, 5],
    [None, None, 1, 1],
    [None, None, 3, None],
]
# Fleiss 1971 as told in many places: 10 subjects, 14 raters, 5 categories.
SUBJECTS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def value(measure: Measure) -> float:
    assert measure.interval is not None, measure.why_missing
    assert measure.interval.low <= measure.interval.value <= measure.interval.high
    return measure.interval.value


def test_the_kappa_of_two_is_cohens_by_hand() -> None:
    # 20 and 15 of 50 agreed: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa = 0.4.
    a = ["yes"] * 25 + ["no"] * 25
    b = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert value(mean_pairwise_kappa(list(zip(a, b, strict=True)), 0)) == pytest.approx(0.4)


def test_fleiss_of_the_textbook() -> None:
    votes = [[name for name, count in zip("abcde", row, strict=True) for _ in range(count)] for row in SUBJECTS]
    assert value(fleiss_kappa(votes, 0)) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_krippendorff_of_the_textbook(level: agreement.Level, expected: float) -> None:
    measure = krippendorff_alpha(UNITS, level, 0)
    assert value(measure) == pytest.approx(expected, abs=5e-4)
    assert measure.left_out == 1


def test_mean_pairwise_is_the_mean_of_the_pairs() -> None:
    votes = [["a", "a", "b"], ["b", "b", "b"], ["a", "b", "a"], ["a", "a", "a"], ["b", None, "b"], ["b", "b", "a"]]
    measure = mean_pairwise_kappa(votes * 5, 0)
    one, two, three = zip(*[row for row in votes if None not in row] * 5, strict=True)
    pairs = [cohen_kappa_score(one, two), cohen_kappa_score(one, three), cohen_kappa_score(two, three)]
    assert value(measure) == pytest.approx(np.mean(pairs))
    assert measure.left_out == 5


def captured(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> Statistic:
    """The statistic of item weights that `call` hands to the bootstrap."""
    seen: list[Statistic] = []
    monkeypatch.setattr(agreement, "measure_of", lambda statistic, *args, **kwargs: seen.append(statistic))
    call()
    return seen[0]


RNG = random.Random(4)
VOTES = [[RNG.choice("abc") if RNG.random() < 0.5 else "a" for _ in range(3)] for _ in range(40)]
GRADES = [[RNG.randint(1, 5) for _ in range(RNG.randint(2, 4))] for _ in range(40)]
A, B = np.array([RNG.randint(1, 5) for _ in range(80)], float), np.array([RNG.randint(1, 5) for _ in range(80)], float)
ITEM = np.repeat(np.arange(40), 2)


def expand(rows: list, drawn: np.ndarray) -> list:
    return [row for row, count in zip(rows, drawn, strict=True) for _ in range(int(count))]


def observations(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times = drawn[ITEM].astype(int)
    return np.repeat(A, times), np.repeat(B, times)


def nominal(rows: list) -> float:
    table, _ = aggregate_raters(np.array([[ord(vote) for vote in row] for row in rows]))
    return float(library_fleiss(table))


def grades_alpha(rows: list, level: str) -> float:
    counts = np.array([[row.count(grade) for grade in range(1, 6)] for row in rows])
    return float(alpha(value_counts=counts, level_of_measurement=level))


LIBRARY: dict[str, tuple[Callable[[], object], Callable[[np.ndarray], float]]] = {
    "cohen": (
        lambda: mean_pairwise_kappa([row[:2] for row in VOTES], 0),
        lambda drawn: cohen_kappa_score(*zip(*[row[:2] for row in expand(VOTES, drawn)], strict=True)),
    ),
    "fleiss": (lambda: fleiss_kappa(VOTES, 0), lambda drawn: nominal(expand(VOTES, drawn))),
    "alpha nominal": (
        lambda: krippendorff_alpha(GRADES, "nominal", 0),
        lambda drawn: grades_alpha(expand(GRADES, drawn), "nominal"),
    ),
    "alpha ordinal": (
        lambda: krippendorff_alpha(GRADES, "ordinal", 0),
        lambda drawn: grades_alpha(expand(GRADES, drawn), "ordinal"),
    ),
    "quadratic": (
        lambda: quadratic_kappa(A, B, ITEM, range(40), 0),
        lambda drawn: cohen_kappa_score(*observations(drawn), labels=range(1, 6), weights="quadratic"),
    ),
    "spearman": (lambda: spearman(A, B, ITEM, range(40), 0), lambda drawn: spearmanr(*observations(drawn)).statistic),
    "kendall": (lambda: kendall(A, B, ITEM, range(40), 0), lambda drawn: kendalltau(*observations(drawn)).statistic),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_each_draw_is_what_the_library_says_of_the_resample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, library = LIBRARY[name]
    statistic = captured(monkeypatch, call)
    weights_BP = np.concatenate([np.ones((1, 40)), weights_of(next(resamples(40, 0)))])[:26]
    assert statistic(weights_BP) == pytest.approx([library(drawn) for drawn in weights_BP], abs=1e-12)


def test_a_kappa_of_a_thousand_items_takes_well_under_a_second() -> None:
    votes = [RNG.choices("abc", k=2) for _ in range(1000)]
    mean_pairwise_kappa(votes, 0)
    start = time.process_time()
    mean_pairwise_kappa(votes, 0)
    fleiss_kappa(votes, 0)
    assert time.process_time() - start < 1


def test_a_95_percent_interval_of_kappa_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        a = rng.random(80) < 0.5
        b = np.where(rng.random(80) < 0.8, a, ~a)
        interval = mean_pairwise_kappa(list(zip(map(str, a), map(str, b), strict=True)), 0).interval
        covered += interval is not None and interval.low <= 0.6 <= interval.high
    # 190 expected, standard deviation 3.1; the percentile interval is slightly narrow at 80 items.
    assert 178 <= covered <= 198


SAME = np.ones(4)
MISSING = [
    (lambda: mean_pairwise_kappa([["a", "a"]] * 3, 0), "two raters use one class alone"),
    (lambda: fleiss_kappa([["a", "a"]] * 3, 0), "all raters use one class alone"),
    (lambda: fleiss_kappa([["a"]] * 3, 0), "fewer than two raters an item"),
    (lambda: mean_pairwise_kappa([["a"], ["b"]], 0), "fewer than two raters an item"),
    (lambda: mean_pairwise_kappa([], 0), "fewer than two raters an item"),
    (lambda: krippendorff_alpha([["a", "a"], ["a", "a"]], "nominal", 0), "all ratings are the same"),
    (lambda: krippendorff_alpha([[1], [None, 2]], "ordinal", 0), "fewer than two raters an item"),
    (lambda: quadratic_kappa(SAME, SAME, np.arange(4), range(4), 0), "both raters give one grade alone"),
    (lambda: spearman(SAME, np.arange(4.0), np.arange(4), range(4), 0), "one side does not vary"),
    (lambda: kendall(np.arange(4.0), SAME, np.arange(4), range(4), 0), "one side does not vary"),
]


@pytest.mark.parametrize(("call", "why"), MISSING)
def test_what_does_not_exist_says_why(call: Callable[[], Measure], why: str) -> None:
    measure = call()
    assert measure.interval is None
    assert measure.why_missing == why
