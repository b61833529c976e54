"""Meaning: every estimator against a closed form, and the laws it must keep."""

import time
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfreward.metrics.semantic import cluster_labels, distinct_clusters, vendi2

vectors = arrays(np.float64, st.tuples(st.integers(0, 7), st.integers(1, 4)), elements=st.integers(-4, 4).map(float))


def plane(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_vendi2_of_a_hand_computed_case() -> None:
    # Ordered pairs: 0 and 60 degrees, 0 and 90, 60 and 90: cos^2 of 1/4, 0 and 3/4, twice each.
    assert vendi2(plane(0, 60, 90)) == pytest.approx(6 / 2)


def test_vendi2_of_equal_opposite_and_orthogonal_rows() -> None:
    assert vendi2(np.ones((5, 3))) == 1
    assert vendi2(np.array([[1.0, 2.0], [-2.0, -4.0]])) == pytest.approx(1)
    assert vendi2(np.eye(4)) is None


@pytest.mark.parametrize("copies", [2, 5, 40])
def test_vendi2_counts_orthogonal_kinds_without_the_diagonal(copies: int) -> None:
    # c copies of each of d kinds: n (n - 1) / (n (c - 1)), which tends to d.
    kinds = 4
    rows = np.repeat(np.eye(kinds), copies, axis=0)
    assert vendi2(rows) == pytest.approx((kinds * copies - 1) / (copies - 1))


def test_vendi2_of_turned_orthogonal_rows_is_none_and_no_huge_number() -> None:
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))
    assert vendi2(turned) is None
    assert vendi2(turned.astype(np.float32)) is None


@pytest.mark.parametrize("count", [0, 1])
def test_vendi2_needs_two_rows(count: int) -> None:
    assert vendi2(np.ones((count, 3))) is None


def test_empty_texts_are_alike() -> None:
    zero, one = [0.0, 0.0], [3.0, 4.0]
    assert vendi2(np.array([zero, zero])) == 1
    assert vendi2(np.array([zero, one])) is None
    assert vendi2(np.array([zero, zero, one, one])) == pytest.approx(12 / 4)
    assert distinct_clusters(np.array([zero, one, zero]), 0.1) == 2


@given(vectors, st.randoms())
def test_vendi2_is_the_formula_whichever_gram_matrix_is_made(rows: np.ndarray, random: Random) -> None:
    number = vendi2(rows)
    shuffled = vendi2(rows[random.sample(range(len(rows)), len(rows))])
    assert number == (None if shuffled is None else pytest.approx(shuffled))
    # More dims than rows change no cosine, only the matrix that is made.
    wide = vendi2(np.pad(rows, [(0, 0), (0, 9)]))
    assert number == (None if wide is None else pytest.approx(wide))
    if number is None:
        return
    assert number >= 1
    norms = np.linalg.norm(rows, axis=1)
    cosines = (rows @ rows.T) / np.maximum(np.outer(norms, norms), 1e-9) + np.outer(norms == 0, norms == 0)
    off = ~np.eye(len(rows), dtype=bool)
    assert number == pytest.approx(1 / np.square(cosines[off]).mean())


def test_the_inverse_of_vendi2_is_unbiased_and_itself_is_too_high_for_few_rows() -> None:
    rng = np.random.default_rng(0)
    # Uniform directions: the mean squared cosine of two is 1 / D.
    dims = 10
    for count in (3, 8, 64):
        drawn = [vendi2(rng.normal(size=(count, dims))) for _ in range(6000 // count)]
        inverses = np.array([1 / number for number in drawn if number is not None])
        spread = inverses.std() / np.sqrt(len(inverses))
        assert inverses.mean() == pytest.approx(1 / dims, abs=4 * spread)
        if count < 64:
            assert np.mean([number for number in drawn if number is not None]) > 1.02 * dims


def test_clusters_are_joined_by_chains() -> None:
    near = 1 - np.cos(np.radians(21))
    assert cluster_labels(plane(0, 90, 20, 110, 40, 200), near).tolist() == [0, 1, 0, 1, 0, 2]
    assert distinct_clusters(plane(0, 90, 20, 110, 40, 200), near) == 3
    # Without its middle the chain falls apart.
    assert distinct_clusters(plane(0, 40), near) == 2


def test_clusters_of_equal_rows_need_no_threshold() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 30))
    scaled = np.concatenate([rows, 3 * rows])
    assert cluster_labels(scaled, 0.0).tolist() == [0, 1, 2, 3, 4] * 2
    assert distinct_clusters(scaled, 2.0) == 1


def test_clusters_of_nothing() -> None:
    assert distinct_clusters(np.zeros((0, 3)), 0.1) == 0
    assert cluster_labels(np.zeros((0, 3)), 0.1).shape == (0,)


@given(vectors, st.sampled_from([0.0, 0.05, 0.3, 1.0]), st.randoms())
def test_clusters_do_not_depend_on_order_and_only_join_as_the_threshold_rises(
    rows: np.ndarray, threshold: float, random: Random
) -> None:
    labels = cluster_labels(rows, threshold)
    order = random.sample(range(len(rows)), len(rows))
    moved = cluster_labels(rows[order], threshold)
    assert np.array_equal(labels[order][:, None] == labels[order], moved[:, None] == moved)
    # Numbers are given in order of appearance.
    assert list(dict.fromkeys(labels.tolist())) == list(range(distinct_clusters(rows, threshold)))
    together, wider = labels[:, None] == labels, cluster_labels(rows, threshold + 0.2)
    assert (wider[:, None] == wider)[together].all()


def test_two_thousand_rows_take_well_under_a_second() -> None:
    rows = np.random.default_rng(0).normal(size=(2000, 384))
    began = time.process_time()
    cluster_labels(rows, 0.85)
    assert time.process_time() - began < 2  # about .1 s on an idle core


def test_distinct_clusters_falls_as_answers_become_alike() -> None:
    rng = np.random.default_rng(1)
    modes = rng.normal(size=(8, 50))
    counts = []
    for kept in (8, 4, 1):
        answers = modes[rng.integers(kept, size=64)] + 0.1 * rng.normal(size=(64, 50))
        counts.append(distinct_clusters(answers, 0.2))
    assert counts == [8, 4, 1]
