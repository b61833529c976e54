"""The simulated loop: its update against plain sampling, its probe against exact means, its verdicts at the margins."""

import numpy as np
import pytest

from selfreward.benchmarks.alarm_rates import shifted_run, true_drops
from selfreward.benchmarks.closed_loop import run_loop
from selfreward.benchmarks.exact_loops import (
    BASELINE_DRAWS,
    DRAWS,
    UPDATE,
    diversity,
    draw,
    drawn_measures,
    make_people,
    make_world,
    updated,
)
from selfreward.monitor.controller import ControllerSpec
from selfreward.monitor.detector import DetectorSpec


def test_the_update_is_best_of_k_by_a_noisy_judge() -> None:
    rng = np.random.default_rng(0)
    world = make_world(rng, prompts=3)
    drawn = draw(rng, world.human_PK, 4 * 100_000).reshape(3, -1, 4)
    quality = np.take_along_axis(world.quality_PK[:, None, :], drawn, axis=2)
    best = (quality + rng.standard_normal(drawn.shape)).argmax(axis=2)
    kept = np.take_along_axis(drawn, best[..., None], axis=2)[..., 0]
    simulated = np.array([np.bincount(one, minlength=30) / len(one) for one in kept])
    exact = (updated(world, world.human_PK, k=4, real_share=0.0) - (1 - UPDATE) * world.human_PK) / UPDATE
    assert simulated == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(100_000))


def test_nothing_selected_changes_nothing_and_human_answers_pull_back() -> None:
    world = make_world(np.random.default_rng(0), prompts=16)
    assert updated(world, world.human_PK, k=1, real_share=0.0) == pytest.approx(world.human_PK)
    narrow = updated(world, world.human_PK, k=8, real_share=0.0)
    assert diversity(narrow) < diversity(world.human_PK)
    without, with_people = (np.abs(updated(world, narrow, 8, share) - world.human_PK).sum() for share in (0.0, 0.5))
    assert with_people < without


def test_the_probe_is_unbiased_whatever_the_number_of_answers() -> None:
    rng = np.random.default_rng(0)
    human_PK = make_people(rng, 4000, 2.0)
    policy_PK = human_PK**1.5 / (human_PK**1.5).sum(axis=1, keepdims=True)
    people_PH = draw(rng, human_PK, 8)
    margins = true_drops(human_PK, policy_PK)
    before = drawn_measures(human_PK, draw(rng, human_PK, BASELINE_DRAWS), people_PH, rng)
    now = drawn_measures(policy_PK, draw(rng, policy_PK, DRAWS), people_PH, rng)
    for family, values, base in (
        ("sem", now.sem_P, before.sem_P),
        ("lex", now.lex_P, before.lex_P),
        ("ent", now.ent_P, before.ent_P),
        ("recall", now.recall_P, before.recall_P),
    ):
        error = (values - base).std() / np.sqrt(len(values)) / base.mean()
        assert 1 - values.mean() / base.mean() == pytest.approx(margins.of(family), abs=4 * error), family


def test_drops_at_the_margin_are_neither_missed_nor_made_up() -> None:
    rng = np.random.default_rng(0)
    quiet, loud = shifted_run(rng, 0, 0), shifted_run(rng, 3, 3)
    assert quiet.alarms == 0 and not quiet.hits
    assert loud.alarms == loud.judged == 9
    at_margin = shifted_run(rng, 1, 1)
    for family in ("sem", "lex", "ent", "recall", "human"):
        found = [one for one in at_margin.findings if one.family == family]
        # The rounds of one run share their baseline: its error does not average out.
        assert np.mean([one.drop for one in found]) == pytest.approx(found[0].margin, abs=4 * found[0].se)


def test_alarm_needs_both_parts() -> None:
    rng = np.random.default_rng(0)
    assert shifted_run(rng, 3, 0).alarms == 0
    assert shifted_run(rng, 0, 3).alarms == 0


def test_a_selecting_loop_alarms_and_the_controller_answers() -> None:
    rng = np.random.default_rng(0)
    world = make_world(rng, prompts=128)
    act = ControllerSpec(mode="act")
    rounds = run_loop(rng, world, world.human_PK, 4, 8, DetectorSpec(), act)
    first = next(t for t, one in enumerate(rounds) if one.alarmed)
    assert first <= 5
    assert {one.real_share for one in rounds[:first]} == {act.floor}
    assert rounds[-1].real_share == act.ceiling


def test_a_loop_that_selects_nothing_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    world = make_world(rng, prompts=64)
    rounds = run_loop(rng, world, world.human_PK, 1, 6, DetectorSpec(), ControllerSpec(mode="act"))
    assert {one.real_share for one in rounds} == {0.1}
    assert not any(one.alarmed for one in rounds)
