"""The weights that members of a jury earn on labelled pairs."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.judge_quality.opinions import learned
from selfreward.judge_quality.verdicts import Labelled, Verdicts
from tests.judge_quality.planted import item, said

RIGHT, TIE, WRONG, SILENT = 1.0, 0.5, 0.0, None
SEEN = st.lists(st.sampled_from([RIGHT, TIE, WRONG, SILENT]), min_size=6, max_size=6)


def items(count: int) -> list[Labelled]:
    return [item(number=number) for number in range(count)]


def told(*preferences: float | None) -> list[Verdicts]:
    """What a member says of items on which people all took the first answer."""
    return [said(number, preference) for number, preference in enumerate(preferences)]


def test_the_weight_is_the_log_odds_of_hits_with_one_hit_and_one_miss_added() -> None:
    members = {
        "good": told(RIGHT, RIGHT, RIGHT, WRONG),
        "torn": told(RIGHT, TIE, TIE, WRONG),
        "tied": told(RIGHT, RIGHT, RIGHT, TIE),
        "soft": told(0.6, 0.9, 0.51, 0.2),
        "rare": told(RIGHT, SILENT, SILENT, SILENT),
        "mute": told(SILENT, SILENT, SILENT, SILENT),
        "bad": told(WRONG, WRONG, WRONG, RIGHT),
    }
    assert learned(items(4), members)[0] == pytest.approx(
        {
            "good": math.log(4 / 2),
            "torn": 0,
            "tied": math.log(4.5 / 1.5),
            "soft": math.log(4 / 2),
            "rare": math.log(2 / 1),
            "mute": 0,
            "bad": 0,
        }
    )


def test_pairs_on_which_most_people_took_no_side_teach_nothing() -> None:
    pairs = [item(["second"], number=0), item(["tie"], number=1), item(["first", "second"], number=2), item(number=3)]
    assert learned(pairs, {"a": told(WRONG, RIGHT, RIGHT, RIGHT)})[0] == {"a": pytest.approx(math.log(3))}


def test_no_pair_is_judged_by_its_own_label() -> None:
    members = {"a": told(RIGHT, RIGHT, WRONG), "b": told(TIE, SILENT, RIGHT)}
    assert learned(items(3), members)[1] == {
        "0": {"a": 0, "b": pytest.approx(math.log(2))},
        "1": {"a": 0, "b": pytest.approx(math.log(2.5 / 1.5))},
        "2": {"a": pytest.approx(math.log(3)), "b": 0},
    }


@given(seen=st.fixed_dictionaries(dict.fromkeys("abc", SEEN)), seed=st.integers(0, 99))
def test_weights_go_with_the_members_and_not_with_the_order_of_the_pairs(
    seen: dict[str, list[float | None]], seed: int
) -> None:
    members = {name: told(*preferences) for name, preferences in seen.items()}
    moved = dict(zip("bca", members.values(), strict=True))
    weights, _ = learned(items(6), members)
    assert learned(items(6), moved)[0] == dict(zip("bca", weights.values(), strict=True))
    order = random.Random(seed).sample(range(6), 6)
    mixed = {name: [verdicts[at] for at in order] for name, verdicts in members.items()}
    assert learned([items(6)[at] for at in order], mixed)[0] == weights


@given(seen=SEEN, at=st.integers(0, 5))
def test_one_more_hit_never_lowers_a_weight_and_who_is_always_wrong_has_none(seen: list[float | None], at: int) -> None:
    better = [*seen[:at], RIGHT, *seen[at + 1 :]]
    found, _ = learned(items(6), {"before": told(*seen), "after": told(*better), "wrong": told(*[WRONG] * 6)})
    assert found["after"] >= found["before"] >= found["wrong"] == 0


@given(seen=SEEN)
def test_without_a_pair_the_weights_are_those_of_a_set_that_lacks_it(seen: list[float | None]) -> None:
    others = learned(items(6), {"a": told(*seen)})[1]
    for at in range(6):
        left = [one for one in range(6) if one != at]
        assert others[str(at)] == learned([items(6)[one] for one in left], {"a": [told(*seen)[one] for one in left]})[0]
