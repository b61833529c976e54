"""What the two orders of a comparison say together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.judges.both_orders import BothOrders, agreed, comparisons
from selfreward.records import Judgment, Verdict
from tests.judges.made import compared

VERDICTS: list[Verdict] = ["first", "second", "tie"]


def together(one: Verdict | float | None, other: Verdict | float | None) -> BothOrders:
    return agreed(compared("a", "b", one), compared("a", "b", other, swapped=True))


@pytest.mark.parametrize("one", VERDICTS)
@pytest.mark.parametrize("other", VERDICTS)
def test_verdicts_that_differ_are_a_tie_and_a_flip(one: Verdict, other: Verdict) -> None:
    found = together(one, other)
    assert (found.first_id, found.second_id) == ("a", "b")
    if one == other:
        assert (found.preference, found.flipped) == ({"first": 1.0, "second": 0.0, "tie": 0.5}[one], False)
    else:
        assert (found.preference, found.flipped) == (0.5, True)


@pytest.mark.parametrize("verdict", [*VERDICTS, 0.5, 0.9])
def test_a_missing_verdict_is_never_a_tie(verdict: Verdict | float) -> None:
    for found in (together(None, verdict), together(verdict, None), together(None, None)):
        assert found.preference is None
        assert found.flipped is None


@given(st.floats(0, 1), st.floats(0, 1))
def test_probabilities_are_averaged_and_flip_across_one_half(one: float, other: float) -> None:
    found = together(one, other)
    assert found.preference == pytest.approx((one + other) / 2)
    assert found.flipped == (min(one, other) < 0.5 < max(one, other))


def test_comparisons_of_several_judges_are_told_apart_and_judgments_of_one_candidate_passed_over() -> None:
    judgments: list[Judgment] = []
    for judge, verdict in (("x", "first"), ("y", "second")):
        judgments += [compared("a", "b", verdict, judge=judge), compared("a", "b", verdict, judge=judge, swapped=True)]  # type: ignore[arg-type]
    judgments.append(compared("a", None, 0.3))
    assert [one.preference for one in comparisons(judgments)] == [1.0, 0.0]


def test_degrees_of_one_verdict_are_averaged_and_sides_that_differ_are_a_tie() -> None:
    def by(verdict: Verdict, degree: float | None, *, swapped: bool) -> Judgment:
        return replace(compared("a", "b", verdict, swapped=swapped), score=degree)

    found = agreed(by("first", 0.75, swapped=False), by("first", None, swapped=True))
    assert (found.preference, found.flipped) == (0.875, False)
    found = agreed(by("first", 0.75, swapped=False), by("second", 0.25, swapped=True))
    assert (found.preference, found.flipped) == (0.5, True)
