"""What is done about an alarm: every rung, every limit, and laws that hold for any history."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from selfreward.monitor.controller import ControllerSpec, Evidence, Intervention, Orders, steer

ACT = ControllerSpec(mode="act")
OK = Evidence(
    round=1,
    state="OK",
    loss=0.0,
    alarms=0,
    calm=2,
    pairs=True,
    select_k=8,
    human_left=1000,
    human_wanted_short=False,
    human_nll=2.5,
)
ALARM = replace(OK, state="ALARM", loss=1.0, alarms=1, calm=0)
SEVERE = replace(ALARM, state="SEVERE")
HELD = replace(OK, state="ALARM", calm=1)


def at(rung: int, share: float = 0.1, spec: ControllerSpec = ACT) -> Intervention:
    """A course that stands at `rung` and `share`."""
    return replace(steer(spec, replace(OK, round=0), None), rung=rung, shadow_share=share, real_share=share)


def follow(spec: ControllerSpec, history: Sequence[Evidence], start: Intervention | None = None) -> list[Intervention]:
    courses, course = [], start
    for number, evidence in enumerate(history):
        course = steer(spec, replace(evidence, round=number), course)
        courses.append(course)
    return courses


def test_a_run_starts_at_the_floor_without_orders() -> None:
    course = steer(ACT, replace(OK, round=0, state="WARMUP", calm=0), None)
    assert (course.real_share, course.rung, course.action, course.orders) == (0.1, 0, "hold", Orders())


def test_an_alarm_is_answered_with_human_data_first() -> None:
    course = steer(ACT, replace(ALARM, loss=2.0, alarms=1), at(0))
    assert course.real_share == pytest.approx(0.1 + 0.05 * 2 + 0.05 * 1)
    assert (course.action, course.rung, course.orders) == ("raise", 1, Orders())


def test_one_round_raises_the_share_by_one_step_at_most() -> None:
    assert steer(ACT, replace(ALARM, loss=50.0), at(0)).real_share == pytest.approx(0.3)


def test_at_the_ceiling_the_ladder_is_climbed_one_rung_an_alarm() -> None:
    courses = follow(ACT, [replace(ALARM, loss=9.0)] * 7)
    assert [round(course.real_share, 2) for course in courses] == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert [course.rung for course in courses] == [1, 1, 2, 3, 4, 4, 4]
    assert [course.action for course in courses] == ["raise"] * 2 + ["escalate"] * 3 + ["hold"] * 2
    assert "allow_stop is off" in courses[-1].why


def test_each_rung_keeps_the_orders_below_it() -> None:
    spec = ControllerSpec(mode="act", cluster_cap=3, novelty_quantile=0.6, sft_weight=0.7)
    orders = [steer(spec, HELD, at(rung)).orders for rung in range(5)]
    pairs = Orders(anchored=True, sft_weight=0.7)
    novelty = replace(pairs, novelty=True, cluster_cap=3, novelty_quantile=0.6)
    assert orders == [Orders(), Orders(), pairs, novelty, replace(novelty, select_k=4)]


def test_nothing_accumulates_beyond_the_ceiling() -> None:
    # However long the alarm lasted, the first calm round brings the share down by the same factor.
    for alarms in (5, 50):
        *_, last = follow(ACT, [replace(ALARM, loss=9.0, alarms=n) for n in range(1, alarms + 1)])
        assert steer(ACT, OK, last).real_share == pytest.approx(0.7 * 0.5)


@pytest.mark.parametrize(
    "exhausted", [replace(ALARM, human_left=0), replace(ALARM, human_wanted_short=True, human_left=None)]
)
def test_without_human_data_left_the_ladder_is_climbed_instead(exhausted: Evidence) -> None:
    courses = follow(ACT, [exhausted] * 4, at(1, share=0.2))
    assert [course.rung for course in courses] == [2, 3, 4, 4]
    assert {course.real_share for course in courses} == {0.2}
    assert {course.state for course in courses} == {"BUDGET_EXHAUSTED"}
    # The first rung is human data: with none, an alarm goes straight to the first that can do something.
    assert steer(ACT, exhausted, at(0)).rung == 2


def test_used_up_human_data_is_no_state_of_its_own_while_nobody_asks_for_it() -> None:
    assert steer(ACT, replace(OK, human_left=0), at(1, 0.2)).state == "OK"
    assert steer(ACT, replace(HELD, human_left=0), at(1, 0.2)).state == "ALARM"


def test_a_severe_alarm_jumps_to_the_third_rung() -> None:
    assert [steer(ACT, SEVERE, at(rung)).rung for rung in (0, 1, 2)] == [3, 3, 3]
    course = steer(ACT, SEVERE, at(0))
    assert course.action == "escalate" and course.real_share == pytest.approx(0.2)
    # From there it is an alarm like any other: human data first.
    assert [steer(ACT, SEVERE, at(3, share)).rung for share in (0.3, 0.5)] == [3, 4]
    assert steer(ControllerSpec(mode="act", max_rung=2), SEVERE, at(0)).rung == 2


def test_without_pairs_the_rung_of_pairs_is_skipped_both_ways() -> None:
    alone = replace(ALARM, pairs=False)
    assert steer(ACT, alone, at(1, share=0.5)).rung == 3
    assert steer(ACT, replace(OK, pairs=False), at(3)).rung == 1
    orders = steer(ACT, replace(HELD, pairs=False), at(4)).orders
    assert (orders.anchored, orders.sft_weight, orders.novelty) == (False, 0.0, True)


@pytest.mark.parametrize(
    ("pairs", "select_k", "ordered"),
    [(True, 8, 4), (True, 5, 2), (True, 3, 2), (True, 2, 2), (False, 3, 1), (False, 2, 1), (False, 1, 1)],
)
def test_half_the_candidates_but_enough_to_choose(pairs: bool, select_k: int, ordered: int) -> None:
    held = replace(HELD, pairs=pairs, select_k=select_k)
    assert steer(ACT, held, at(4)).orders.select_k == ordered


def test_calm_lets_go_slowly_down_to_the_floor() -> None:
    courses = follow(ACT, [OK] * 6, at(4, share=0.5))
    assert [round(course.real_share, 3) for course in courses] == [0.35, 0.245, 0.171, 0.12, 0.1, 0.1]
    assert [course.rung for course in courses] == [3, 2, 1, 0, 0, 0]
    assert [course.action for course in courses] == ["decay"] * 5 + ["hold"]


def test_calm_lets_go_of_a_policy_that_stays_contracted_too() -> None:
    # It answers to the point, as people do: contraction goes on for ever, and nothing human is lost.
    contracted = replace(OK, state="WARN")
    courses = follow(ACT, [replace(contracted, calm=calm) for calm in (0, 1, 2, 3, 4)], at(1, share=0.5))
    assert [round(course.real_share, 3) for course in courses] == [0.5, 0.5, 0.35, 0.245, 0.171]
    assert [course.rung for course in courses] == [1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    "evidence",
    [
        HELD,
        replace(OK, calm=1),
        replace(OK, state="WARN", calm=1),
        replace(ALARM, state="INVALID"),
        replace(ALARM, state="INCONCLUSIVE"),
        replace(ALARM, state="WARMUP"),
    ],
)
def test_all_else_holds(evidence: Evidence) -> None:
    course = steer(ACT, evidence, at(3, share=0.3))
    assert (course.action, course.real_share, course.rung) == ("hold", 0.3, 3)
    assert course.orders.novelty


def test_observing_says_what_acting_would_do_and_does_nothing() -> None:
    watch = ControllerSpec(mode="observe", real_share=0.25)
    history = [replace(ALARM, loss=9.0)] * 4 + [OK]
    watched, acted = follow(watch, history), follow(ACT, history)
    assert {course.real_share for course in watched} == {0.25}
    assert {course.orders for course in watched} == {Orders()}
    assert {course.action for course in watched} == {"hold"}
    assert [(c.shadow_share, c.rung) for c in watched] == [(c.real_share, c.rung) for c in acted]
    assert "share 0.100 to 0.300" in watched[0].why and "only observing" in watched[0].why


HEALTHY = [
    replace(OK, state="WARMUP", human_nll=3.3),
    replace(OK, state="WARN", human_nll=2.8),
    replace(OK, state="OK", human_nll=2.8),
    replace(OK, state="INVALID", human_nll=1.0),
    replace(HELD, human_nll=2.0),
    replace(OK, state="OK", human_nll=None),
]


def test_the_round_to_go_back_to_is_the_healthy_one_with_the_likeliest_human_answers() -> None:
    courses = follow(ACT, HEALTHY)
    assert [course.best_healthy for course in courses] == [0, 1, 1, 1, 1, 1]
    assert courses[-1].healthy_nll == 2.8


def test_it_stops_only_where_that_is_allowed_and_nothing_else_is_left() -> None:
    stopping = ControllerSpec(mode="act", allow_stop=True)
    healthy = replace(at(4, share=0.5), best_healthy=2, healthy_nll=2.7)
    course = steer(stopping, ALARM, healthy)
    assert course.action == "stop" and course.stop is not None and "go back to round 2" in course.stop
    assert (course.best_healthy, course.rung, course.real_share) == (2, 4, 0.5)
    assert steer(ACT, ALARM, healthy).stop is None
    assert steer(stopping, HELD, healthy).stop is None
    assert steer(stopping, ALARM, replace(healthy, rung=3)).stop is None
    assert steer(stopping, ALARM, replace(healthy, shadow_share=0.4)).action == "raise"
    observing = steer(ControllerSpec(allow_stop=True), ALARM, healthy)
    assert (observing.stop, observing.action) == (None, "hold")
    lost = steer(stopping, ALARM, replace(healthy, best_healthy=None, healthy_nll=None))
    assert lost.stop is not None and "no healthy round was measured" in lost.stop


def test_a_lower_ladder_ends_earlier() -> None:
    spec = ControllerSpec(mode="act", max_rung=1, allow_stop=True)
    assert steer(spec, ALARM, at(1, share=0.5)).action == "stop"


def test_a_floor_above_the_ceiling_is_refused() -> None:
    with pytest.raises(ValidationError, match="lower the floor"):
        ControllerSpec(floor=0.6, ceiling=0.5)


specs = st.builds(
    ControllerSpec,
    mode=st.just("act"),
    floor=st.floats(0, 0.3),
    ceiling=st.floats(0.3, 0.9),
    step=st.floats(0.01, 0.5),
    gain=st.floats(0, 1),
    rise=st.floats(0, 1),
    decay=st.floats(0.1, 1),
    max_rung=st.integers(1, 4),
    allow_stop=st.booleans(),
)
evidences = st.builds(
    Evidence,
    round=st.just(0),
    state=st.sampled_from(["INVALID", "INCONCLUSIVE", "WARMUP", "OK", "WARN", "ALARM", "ALARM", "SEVERE"]),
    loss=st.floats(0, 100),
    alarms=st.integers(0, 5),
    calm=st.integers(0, 3),
    pairs=st.shared(st.booleans(), key="pairs"),
    select_k=st.shared(st.integers(2, 16), key="k"),
    human_left=st.none() | st.integers(0, 2),
    human_wanted_short=st.booleans(),
    human_nll=st.none() | st.floats(0, 10),
)
histories = st.lists(evidences, min_size=1, max_size=12)


@given(specs, histories)
def test_laws_of_acting(spec: ControllerSpec, history: list[Evidence]) -> None:
    share, rung = spec.floor, 0
    rungs = [step for step in range(5) if step != 2 or history[0].pairs]
    for evidence, course in zip(history, follow(spec, history), strict=True):
        assert spec.floor <= course.real_share <= spec.ceiling
        assert course.real_share - share <= spec.step + 1e-12
        assert course.rung in rungs and course.rung <= max(spec.max_rung, 0)
        alarmed = evidence.state in ("ALARM", "SEVERE")
        if alarmed:
            assert course.real_share >= share and course.rung >= rung
        else:
            assert course.real_share <= share and course.rung <= rung
        climbed = rungs.index(course.rung) - rungs.index(rung)
        if evidence.state != "SEVERE" and not (rung == 0 and course.real_share == share):
            assert climbed <= 1
        assert climbed >= -1
        assert (course.stop is None) == (course.action != "stop")
        share, rung = course.real_share, course.rung


@given(specs, histories)
def test_replaying_what_was_stored_gives_the_same_course(spec: ControllerSpec, history: list[Evidence]) -> None:
    courses = follow(spec, history)
    stored = [json.dumps(asdict(course), allow_nan=False) for course in courses]
    read = TypeAdapter(Intervention).validate_json
    assert [read(text) for text in stored] == courses
    for number, (evidence, before) in enumerate(zip(history, [None, *map(read, stored)], strict=False)):
        told = TypeAdapter(Evidence).validate_json(json.dumps(asdict(replace(evidence, round=number))))
        assert steer(spec, told, before) == courses[number]
