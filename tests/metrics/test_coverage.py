"""Nearest-neighbour balls: exact values for samples of one distribution, hand cases, and what each number misses."""

from collections.abc import Callable
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfreward.metrics import coverage as module
from selfreward.metrics.coverage import inside, neighbour_radii, precision_and_coverage

LINE = np.array([[0.0], [1.0], [3.0], [7.0]])
points = arrays(np.float64, st.tuples(st.integers(3, 7), st.just(2)), elements=st.integers(-4, 4).map(float))


def precision(human, drawn, k: int) -> float | None:  # type: ignore[no-untyped-def]
    found = precision_and_coverage(human, drawn, k)
    return None if found is None else found[0]


def coverage(human, drawn, k: int) -> float | None:  # type: ignore[no-untyped-def]
    found = precision_and_coverage(human, drawn, k)
    return None if found is None else found[1]


def recall(human, drawn, k: int) -> float | None:  # type: ignore[no-untyped-def]
    """The share of human points that lie in a ball around a drawn one: precision with the sets swapped."""
    return precision(drawn, human, k)


def held(share: float | None) -> float:
    assert share is not None
    return share


def test_radii_by_hand() -> None:
    assert neighbour_radii(LINE, 1).tolist() == [1, 1, 2, 4]
    assert neighbour_radii(LINE, 2).tolist() == [3, 2, 3, 6]
    assert neighbour_radii(LINE, 3).tolist() == [7, 6, 4, 7]


def test_a_copy_is_another_point() -> None:
    far = 1e3 + np.random.default_rng(0).normal(size=(1, 384))
    assert neighbour_radii(np.concatenate([far, far, far + 1]), 1)[:2].tolist() == [0, 0]


@pytest.mark.parametrize("k", [0, 4])
def test_radii_need_more_points_than_neighbours(k: int) -> None:
    with pytest.raises(ValueError, match="at least k \\+ 1 points"):
        neighbour_radii(LINE, k)


def test_inside_by_hand_with_closed_balls() -> None:
    # Balls [-1, 1], [0, 2], [1, 5] and [3, 11].
    asked = np.array([[-1.5], [-1.0], [2.5], [11.0], [11.5]])
    assert inside(asked, LINE, neighbour_radii(LINE, 1)).tolist() == [False, True, True, True, False]
    assert inside(asked[:0], LINE, neighbour_radii(LINE, 1)).shape == (0,)


def test_shares_by_hand() -> None:
    drawn = np.array([[0.5], [0.6], [2.5], [40.0]])
    # Radii of the drawn: .1, .1, 1.9, 37.5. Balls [.4, .6], [.5, .7], [.6, 4.4], [2.5, 77.5] hold 1, 3 and 7.
    assert recall(LINE, drawn, 1) == 3 / 4
    # Human balls: [-1, 1], [0, 2], [1, 5], [3, 11]. All of the drawn but 40 lie in one; the last one holds none.
    assert precision(LINE, drawn, 1) == 3 / 4
    assert coverage(LINE, drawn, 1) == 3 / 4
    assert coverage(LINE, drawn[3:], 1) == 0


def test_too_few_points_give_none() -> None:
    none, two = LINE[:0], LINE[:2]
    assert recall(LINE, two, 2) is None and recall(none, LINE, 1) is None
    assert precision(two, LINE, 2) is None and precision(LINE, none, 1) is None
    assert coverage(two, LINE, 2) is None and coverage(LINE, none, 1) is None
    assert coverage(LINE, LINE[:1], 1) is not None


@pytest.mark.parametrize(("human", "drawn", "k"), [(40, 40, 5), (40, 80, 3), (60, 20, 2)])
@pytest.mark.parametrize("dims", [1, 12])
def test_coverage_of_one_distribution_has_its_closed_form(human: int, drawn: int, k: int, dims: int) -> None:
    rng = np.random.default_rng(human + dims)
    values = [held(coverage(rng.normal(size=(human, dims)), rng.normal(size=(drawn, dims)), k)) for _ in range(300)]
    expected = 1 - comb(human - 1, k) / comb(human + drawn - 1, k)
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / np.sqrt(300))


def test_recall_of_one_distribution_on_a_line_is_three_quarters() -> None:
    # A point is missed if both neighbours are nearer to their own other neighbour than to it: 1/2 times 1/2.
    rng = np.random.default_rng(0)
    values = [held(recall(*rng.uniform(size=(2, 500, 1)), 1)) for _ in range(40)]
    assert np.mean(values) == pytest.approx(0.75, abs=4 * np.std(values) / np.sqrt(40) + 1 / 500)


@pytest.mark.parametrize(("dims", "level"), [(2, 0.997), (16, 0.875), (64, 0.76)])
def test_recall_and_precision_of_one_distribution_fall_with_dims(dims: int, level: float) -> None:
    rng = np.random.default_rng(dims)
    human, drawn = rng.normal(size=(2, 512, dims))
    assert recall(human, drawn, 5) == pytest.approx(level, abs=0.06)
    assert precision(human, drawn, 5) == pytest.approx(level, abs=0.06)


@pytest.mark.parametrize("dims", [16, 64])
def test_a_contraction_of_scale_lowers_recall_and_not_coverage(dims: int) -> None:
    rng = np.random.default_rng(0)
    human, drawn = rng.normal(size=(2, 512, dims))
    before, after = held(recall(human, drawn, 5)), held(recall(human, 0.8 * drawn, 5))
    assert after < 0.7 * before
    assert held(coverage(human, 0.8 * drawn, 5)) >= held(coverage(human, drawn, 5))
    assert held(precision(human, 0.8 * drawn, 5)) >= held(precision(human, drawn, 5))


def test_missing_modes_lower_recall_and_coverage() -> None:
    rng = np.random.default_rng(0)
    modes = 8 * rng.normal(size=(8, 16))
    human, drawn = (modes[rng.integers(8, size=400)] + rng.normal(size=(400, 16)) for _ in range(2))
    narrowed = modes[rng.integers(4, size=400)] + rng.normal(size=(400, 16))
    for share in (recall, coverage):
        assert held(share(human, narrowed, 5)) < 0.65 * held(share(human, drawn, 5))
    assert held(precision(human, narrowed, 5)) > 0.9 * held(precision(human, drawn, 5))


@given(points, points, st.integers(1, 2), st.randoms())
def test_shares_stay_in_range_and_ignore_order(human, drawn, k: int, random) -> None:  # type: ignore[no-untyped-def]
    for share in (precision, recall, coverage):
        value = held(share(human, drawn, k))
        assert 0 <= value <= 1
        mixed = drawn[random.sample(range(len(drawn)), len(drawn))]
        assert share(human, mixed, k) == value
        assert share(human, human, k) == 1


@given(st.integers(2, 30), st.integers(1, 40))
def test_copies_are_inside_whatever_their_scale(count: int, dims: int) -> None:
    rows = np.random.default_rng(count * dims).normal(size=(count, dims)) * 1e6 + 1e6
    assert inside(rows, rows, np.zeros(count)).all()
    # A copy of the very point that set the radius lies on the edge, which belongs to the ball.
    radii = neighbour_radii(rows, 1)
    nearest = np.square(rows[:, None] - rows).sum(axis=2) + np.diag(np.full(count, np.inf))
    for row in range(count):
        assert inside(rows[nearest[row].argmin()][None], rows[row][None], radii[row : row + 1]).all()


@pytest.mark.parametrize("share", [precision, coverage])
def test_blocks_do_not_change_a_share(share: Callable[..., float | None], monkeypatch: pytest.MonkeyPatch) -> None:
    human, drawn = np.random.default_rng(0).normal(size=(2, 50, 3))
    whole = share(human, drawn, 3)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert share(human, drawn, 3) == whole
