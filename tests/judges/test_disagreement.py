"""How far a jury disagrees: Kendall's W by hand, and which prompts come first."""

import pytest

from selfreward.judges.disagreement import Dispute, disagreement, most_disputed


def test_disagreement_is_that_of_kendall() -> None:
    def of(*members: list[float | None]) -> float | None:
        return disagreement([{str(at): one for at, one in enumerate(scores) if one is not None} for scores in members])

    assert of([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]) == 0
    assert of([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == 1
    # Kendall 1948: ranks 1 4 2 3 / 1 3 2 4 / 2 4 1 3 have sums 4 11 5 10, S = 37 and W = 12 * 37 / (9 * 60).
    assert of([1.0, 4.0, 2.0, 3.0], [1.0, 3.0, 2.0, 4.0], [2.0, 4.0, 1.0, 3.0]) == pytest.approx(1 - 37 / 45)
    assert of([1.0, 1.0, 2.0], [1.0, 1.0, 2.0]) == 0
    assert of([1.0, 2.0, None, 3.0], [1.0, 2.0, 5.0, 3.0]) == 0
    assert of([1.0, 2.0], [None, 2.0]) is None
    assert of([1.0, 1.0], [2.0, 2.0]) is None
    assert of([1.0], [2.0]) is None


def test_the_most_disputed_prompts_come_first_and_those_without_disagreement_not_at_all() -> None:
    given = [Dispute(id=id_, disagreement=value) for id_, value in (("p", 0.25), ("q", 1.0), ("s", 0.25), ("t", 0.0))]
    assert most_disputed(given, 2) == [given[1], given[0]]
    assert [one.id for one in most_disputed(given, 9)] == ["q", "p", "s"]
