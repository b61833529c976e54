"""scripts/pairs.py: ratios of two ways, the interval of their median and what is said of it, by hand."""

import pytest

from scripts.pairs import Done, Wanted, in_turn, interval, row


def test_the_interval_of_few_pairs_is_their_range_and_of_more_leaves_the_ends_out() -> None:
    assert interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (1.0, 5.0)
    # 1 - 2 (1 + 8) / 256 = .93 lies between the second and the last but one of eight.
    assert interval([float(one) for one in range(8)]) == (1.0, 6.0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(1.5), "| ≥ 1.5 | met |"),
        (Wanted(2.5), "| ≥ 2.5 | undecided |"),
        (Wanted(7), "| ≥ 7 | missed |"),
        (Wanted(2, least=False), "| ≤ 2 | undecided |"),
        (Wanted(6, least=False), "| ≤ 6 | met |"),
    ],
)
def test_a_bound_is_judged_by_the_whole_interval(wanted: Wanted, said: str) -> None:
    pairs = [(Done(units, 1.0), Done(1.0, 1.0)) for units in (2.0, 3.0, 4.0, 5.0, 6.0)]
    assert row("it", pairs, "token", wanted, of_time=False).endswith(f"| 4 | 2 to 6 (5 pairs) {said}")


def test_four_pairs_decide_nothing() -> None:
    pairs = [(Done(4.0, 1.0), Done(1.0, 1.0))] * 4
    assert row("it", pairs, "token", Wanted(1), of_time=False).endswith("| ≥ 1 | too few pairs |")


def test_a_ratio_of_time_is_that_of_seconds_a_unit() -> None:
    pairs = [(Done(1.0, 3.0), Done(1.0, 2.0))] * 5
    assert "| 3 s each update | 2 s each update | 1.5 |" in row("it", pairs, "update", None, of_time=True)


def test_ways_take_turns_and_so_does_who_begins() -> None:
    order: list[str] = []

    def way(name: str, number: int) -> Done:
        order.append(f"{name}{number}")
        return Done(1.0, 1.0)

    in_turn(lambda number: way("a", number), lambda number: way("b", number), 3)
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]
