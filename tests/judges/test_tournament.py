"""Schedules that leave nobody out, and strengths that are what Bradley and Terry say."""

import math
import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.differentiate import hessian
from scipy.optimize import minimize
from scipy.special import expit

from selfreward.judges.tournament import Bout, bradley_terry, schedule

PRIOR = 0.1


@st.composite
def tournaments(draw: st.DrawFn) -> tuple[int, list[Bout]]:
    k = draw(st.integers(2, 7))
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(k), 2))), min_size=1, unique=True))
    values = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1).map(lambda chance: round(chance, 6))
    return k, [(one, other, draw(values)) for one, other in pairs]


def scores(k: int, bouts: list[Bout]) -> list[float]:
    found = [strength.score for strength in bradley_terry(k, bouts) if strength is not None]
    assert len(found) == k
    return found


@pytest.mark.parametrize("k", range(2, 14))
def test_every_budget_connects_everybody_and_shares_the_comparisons_out(k: int) -> None:
    for budget in range(k - 1, k * (k - 1) // 2 + 1):
        for seed in range(3):
            pairs = schedule(k, budget, seed)
            assert len(set(pairs)) == len(pairs) == budget
            assert all(0 <= one < other < k for one, other in pairs)
            met = [sum(player in pair for pair in pairs) for player in range(k)]
            assert max(met) - min(met) <= 1
            reached = {0}
            for _ in range(k):
                reached |= {player for pair in pairs if reached & set(pair) for player in pair}
            assert len(reached) == k


def test_without_a_budget_or_with_enough_everybody_meets_everybody() -> None:
    assert schedule(4, None, 0) == schedule(4, 6, 1) == schedule(4, 99, 2) == list(combinations(range(4), 2))
    assert schedule(1, None, 0) == schedule(0, None, 0) == schedule(1, 3, 0) == []


def test_who_meets_whom_under_a_budget_is_by_lot() -> None:
    drawn = {tuple(schedule(6, 6, seed)) for seed in range(40)}
    assert len(drawn) > 20
    assert schedule(6, 6, 1) == schedule(6, 6, 1)


@pytest.mark.parametrize("preference", [1.0, 0.75, 0.5, 0.1, 0.0])
def test_two_candidates_have_a_closed_form(preference: float) -> None:
    one, other = bradley_terry(2, [(0, 1, preference)])
    assert one is not None and other is not None
    won, games = preference + PRIOR, 1 + 2 * PRIOR
    assert one.score == pytest.approx(math.log(won / (games - won)) / 2)
    assert other.score == pytest.approx(-one.score)
    coin = pytest.approx(math.sqrt(games / (won * (games - won))) / 2) if preference in (0, 0.5, 1) else None
    assert one.se == other.se == coin, "a probability is no toss of a coin, and has no error of one"


@settings(max_examples=25)
@given(tournaments())
def test_strengths_are_those_of_a_logistic_regression(given_: tuple[int, list[Bout]]) -> None:
    k, bouts = given_
    found = bradley_terry(k, bouts)
    players = [player for player in range(k) if found[player] is not None]
    assert players == sorted({player for bout in bouts for player in bout[:2]})
    rows, won = [], []
    for (at, one), (to, other) in combinations(enumerate(players), 2):
        played = [preference for first, second, preference in bouts if (first, second) == (one, other)]
        row = np.zeros(len(players))
        row[at], row[to] = 1, -1
        rows += [row, -row]
        won += [sum(played) + PRIOR, len(played) - sum(played) + PRIOR]
    # The last player is the reference; the mean is taken out afterwards.
    design, weights = np.array(rows)[:, :-1], np.array(won)

    def loss(beta: np.ndarray) -> float:
        return np.tensordot(weights, np.logaddexp(0, -np.tensordot(design, beta, 1)), 1)

    def slope(beta: np.ndarray) -> np.ndarray:
        return -design.T @ (weights * expit(-design @ beta))

    fit = minimize(loss, np.zeros(len(players) - 1), jac=slope, method="BFGS", options={"gtol": 1e-9})
    reference = np.append(fit.x, 0.0)
    centre = (np.eye(len(players)) - 1 / len(players))[:, :-1]
    errors = np.sqrt(np.diag(centre @ np.linalg.inv(hessian(loss, fit.x).ddf) @ centre.T))
    strengths = [strength for strength in found if strength is not None]
    assert [one.score for one in strengths] == pytest.approx(list(reference - reference.mean()), abs=1e-6)
    if all(preference in (0, 0.5, 1) for _, _, preference in bouts):
        assert [one.se for one in strengths] == pytest.approx(list(errors), rel=1e-5)
    else:
        assert {one.se for one in strengths} == {None}


def test_rounding_does_not_move_the_mean_of_a_field() -> None:
    # The information is singular: a pseudo-inverse took rounding in this field for something, and moved it by .08.
    bouts = [
        (5, 4, 0.3593034918743151), (5, 2, 1.0), (5, 1, 0.8782397848242232), (3, 4, 0.0), (0, 1, 0.14727643093940282),
        (2, 3, 0.0), (1, 4, 1.0), (3, 5, 0.04324613166830438), (0, 4, 0.7737073367255214), (5, 0, 0.8518570961735703),
        (2, 0, 1.0), (4, 2, 0.24885498891237262), (1, 2, 1.0), (3, 0, 0.85), (1, 3, 0.7724978542529),
    ]  # fmt: skip
    strengths = [one for one in bradley_terry(6, bouts) if one is not None]
    assert sum(one.score for one in strengths) == pytest.approx(0, abs=1e-8)


@given(tournaments(), st.randoms())
def test_permuting_the_players_permutes_their_strengths(given_: tuple[int, list[Bout]], lot: random.Random) -> None:
    k, bouts = given_
    names = lot.sample(range(k), k)
    renamed = [
        (names[one], names[other], preference) if lot.random() < 0.5 else (names[other], names[one], 1 - preference)
        for one, other, preference in lot.sample(bouts, len(bouts))
    ]
    before, after = bradley_terry(k, bouts), bradley_terry(k, renamed)
    for player in range(k):
        one, other = before[player], after[names[player]]
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.score == pytest.approx(other.score, abs=1e-8)
            assert one.se == pytest.approx(other.se, abs=1e-8)


@given(st.integers(2, 7), st.data())
def test_who_beats_everybody_is_the_strongest_and_their_mean_is_zero(k: int, data: st.DataObject) -> None:
    best = data.draw(st.integers(0, k - 1))
    bouts = [
        (one, other, 1.0 if one == best else 0.0 if other == best else data.draw(st.sampled_from([0.0, 0.5, 1.0])))
        for one, other in combinations(range(k), 2)
    ]
    found = scores(k, bouts)
    assert all(found[best] > score for player, score in enumerate(found) if player != best)
    assert math.fsum(found) == pytest.approx(0, abs=1e-7)


def test_in_a_full_round_equal_records_are_equal_to_the_last_bit() -> None:
    lot = random.Random(4)
    for _ in range(300):
        k = lot.randint(3, 8)
        bouts = [(one, other, lot.choice([0.0, 0.5, 1.0])) for one, other in combinations(range(k), 2)]
        won = [
            sum(p if player == one else 1 - p for one, other, p in bouts if player in (one, other))
            for player in range(k)
        ]
        found = scores(k, bouts)
        for one, other in combinations(range(k), 2):
            assert (found[one] > found[other]) == (won[one] > won[other])
            assert (found[one] == found[other]) == (won[one] == won[other])


def test_a_player_in_no_bout_has_no_strength_and_the_others_are_not_moved_by_it() -> None:
    found = bradley_terry(4, [(0, 2, 1.0)])
    assert found[1] is found[3] is None
    assert [found[0], found[2]] == bradley_terry(2, [(0, 1, 1.0)])
    assert bradley_terry(3, []) == [None, None, None]
    assert bradley_terry(0, []) == []


def test_more_comparisons_make_it_surer() -> None:
    ring = bradley_terry(6, [(one, other, 0.5) for one, other in schedule(6, 6, 0)])
    full = bradley_terry(6, [(one, other, 0.5) for one, other in schedule(6, None, 0)])
    assert all(few is not None and many is not None and few.se > many.se for few, many in zip(ring, full, strict=True))
