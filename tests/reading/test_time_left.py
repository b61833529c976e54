"""The time that a run still takes: from its own stages, nothing before there are any to go by."""

import pytest

from selfreward.reading.time_left import Ahead, about, after_iteration, ahead

START = {"measure": 90.0, "diagnose": 1.0, "evaluate": 60.0, "sample": 30.0, "judge": 5.0, "update": 100.0}
SECOND = {"measure": 20.0, "diagnose": 1.0, "evaluate": 10.0, "duel": 4.0, "sample": 40.0, "judge": 6.0, "update": 80.0}
MEASURED = {name: SECOND[name] for name in ("measure", "diagnose", "evaluate", "duel")}


@pytest.mark.parametrize("made", [[], [START], [START, {}], [START, MEASURED]])
def test_nothing_is_told_before_a_trained_policy_is_measured(made: list[dict[str, float]]) -> None:
    assert ahead(made, 3) is None


def test_a_stage_takes_what_it_took_last_and_the_last_policy_is_only_measured() -> None:
    sampled = MEASURED | {"sample": 40.0}
    assert ahead([START, sampled], 2) == Ahead(5.0, 100.0 + 35.0)
    assert ahead([START, sampled], 3) == Ahead(5.0, 100.0 + (35.0 + 40.0 + 5.0 + 100.0) + 35.0)
    assert ahead([START, SECOND], 2) == Ahead(20.0, 15.0)
    assert ahead([START, SECOND, {"measure": 30.0}], 2) == Ahead(1.0, 14.0)
    assert ahead([START, SECOND, MEASURED], 2) == Ahead(0.0, 0.0)


def test_the_line_after_an_iteration() -> None:
    assert after_iteration([START], 3) == "iteration 0 done, 1 of 3 updates"
    assert after_iteration([START, SECOND], 3) == "iteration 1 done, 2 of 3 updates; about 3 min left"
    assert after_iteration([START, SECOND], 2) == "iteration 1 done, 2 of 2 updates; under a minute left"


def test_lengths_of_time() -> None:
    assert [about(one) for one in (3.0, 90.0, 250.0, 5399.0, 7000.0)] == [
        "under a minute",
        "about 2 min",
        "about 4 min",
        "about 90 min",
        "about 1.9 h",
    ]
