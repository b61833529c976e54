"""How far one answer is preferred in what a judge was asked: by both orders, by members, by models; by no order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfreward.judges.base import Weights
from selfreward.judges.jury import weights_by_hand
from selfreward.judges.votes import preference_between
from selfreward.records import Judgment, Verdict
from selfreward.spec import identity
from tests.judges.made import compared
from tests.support import scripted_config


def said(first: Verdict | float | None, second: Verdict | float | None, judge: str = "j") -> list[Judgment]:
    """What is said of a and b, shown in that order and in the other; both are about a."""
    return [compared("a", "b", first, judge=judge), compared("a", "b", second, swapped=True, judge=judge)]


def scored(member: str, dimension: str | None = None, **scores: float | None) -> list[Judgment]:
    """What a member gave each candidate."""
    return [
        replace(compared(id_, None, score, judge=f"{member}:x"), dimension=dimension) for id_, score in scores.items()
    ]


@pytest.mark.parametrize(
    ("both", "preference"),
    [
        (said(0.9, 0.6), 0.75),
        (said(0.9, 0.4), 0.65),
        (said(0.2, 0.3), 0.25),
        (said("first", "first"), 1.0),
        (said("first", "second"), 0.5),
        (said("tie", "tie"), 0.5),
        (said("tie", "first"), 0.5),
        (said(0.9, None), None),
        ([], None),
    ],
)
def test_comparisons_prefer_as_both_orders_say_together(both: list[Judgment], preference: float | None) -> None:
    assert preference_between("a", "b", both) == preference
    assert preference_between("b", "a", both) == (None if preference is None else pytest.approx(1 - preference))
    assert preference_between("a", "c", both) is None, "no such two were compared"


JURY = [
    *scored("kind", a=4.0, b=2.0, c=5.0),
    *scored("strict", a=1.0, b=1.0),
    *scored("odd", a=-3.0, b=0.5),
    *scored("mute", a=9.0, b=None),
]


def test_a_member_votes_for_the_higher_score_a_tie_is_half_and_a_missing_score_no_vote() -> None:
    assert preference_between("a", "b", JURY) == (1 + 0.5 + 0) / 3
    assert preference_between("b", "a", JURY) == (0 + 0.5 + 1) / 3
    assert preference_between("a", "c", JURY) == 0, "one member scored both"
    assert preference_between("b", "d", JURY) is None
    assert preference_between("a", "b", scored("kind", a=1.0)) is None


def test_members_count_by_their_weights_and_not_at_all_by_0() -> None:
    weights = {"kind": 2.0, "strict": 1.0, "odd": 1.0, "mute": 7.0}
    assert preference_between("a", "b", JURY, weights) == (2 * 1 + 0.5 + 0) / 4
    assert preference_between("a", "b", JURY, {**weights, "odd": 0.0, "strict": 0.0}) == 1
    assert preference_between("a", "b", JURY, dict.fromkeys(weights, 0.0)) is None


def test_repeats_are_one_vote_by_their_mean() -> None:
    repeated = [*scored("kind", a=1.0, b=4.0), *scored("kind", a=9.0, b=4.0), *scored("odd", a=0.0, b=1.0)]
    assert preference_between("a", "b", repeated) == 0.5


def test_the_models_of_an_ensemble_vote_and_as_a_member_share_one_vote() -> None:
    ensemble = [
        *scored("reward", "model_1", a=0.3, b=0.1),
        *scored("reward", "model_2", a=2.0, b=1.0),
        *scored("reward", "model_3", a=0.0, b=5.0),
        *scored("reward", "model_4", a=0.7, b=0.7),
    ]
    assert preference_between("a", "b", ensemble) == 2.5 / 4
    assert preference_between("a", "b", [*ensemble, *scored("kind", a=0.0, b=1.0)]) == (2.5 / 4 + 0) / 2


def test_a_member_that_compares_votes_as_it_compared() -> None:
    assert preference_between("a", "b", [*said(0.9, 0.7, "pairs:x"), *scored("odd", a=0.0, b=1.0)]) == 0.4
    assert preference_between("a", "b", [*said(None, 0.7, "pairs:x"), *scored("odd", a=0.0, b=1.0)]) == 0


SCORES = st.fixed_dictionaries({one: st.none() | st.sampled_from([0.0, 0.1, 1.0, 2.5]) for one in "abc"})
MEMBERS = st.dictionaries(st.sampled_from(["kind", "strict", "odd", "mute"]), SCORES, min_size=1)


@given(
    members=MEMBERS, weights=st.none() | st.just({"kind": 0.3, "strict": 1.7, "odd": 0.1, "mute": 0.0}), data=st.data()
)
def test_neither_the_order_of_members_nor_that_of_candidates_matters(
    members: dict[str, dict[str, float | None]], weights: Weights | None, data: st.DataObject
) -> None:
    evidence = [one for name, scores in members.items() for one in scored(name, **scores)]
    preference = preference_between("a", "b", evidence, weights)
    shuffled = data.draw(st.permutations(evidence))
    assert preference_between("a", "b", shuffled, weights) == preference
    turned = preference_between("b", "a", shuffled, weights)
    assert turned == (None if preference is None else pytest.approx(1 - preference))
    assert preference is None or 0 <= preference <= 1


def test_weights_by_hand_are_read_from_the_settings_of_a_jury() -> None:
    by_hand = {"likelihood": 1, "pairwise": 2, "rubric": 2.5}
    given = ("judge=jury", "judge.rule=weighted", "judge.weights={likelihood:1,pairwise:2,rubric:2.5}")
    assert weights_by_hand(identity(scripted_config(*given).judge)) == by_hand
    for others in (
        ("judge=jury",),
        ("judge=pairwise",),
        ("judge=jury", "judge.rule=weighted", "judge.weights=learned"),
    ):
        assert weights_by_hand(identity(scripted_config(*others).judge)) is None
