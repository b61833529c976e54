"""What a sweep says its cells share is what they share."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.commands.sharing import READS, made_for_each, sharing_lines
from selfreward.config import RunConfig
from tests.support import run_scripted

SMALL = ("data.train_closed=16", "data.train_open=8", "data.held_out_closed=8", "mix.min_rows=1", "loop.iterations=1")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("plain"), *SMALL)


def shared(one: RunView, other: RunView, iteration: int) -> set[str]:
    mine, others = one.iterations[iteration], other.iterations[iteration]
    return {stage for stage in mine if stage in others and mine[stage].key == others[stage].key}


@pytest.mark.parametrize(
    "setting",
    [
        "update.rate=0.6",
        "select.k=2",
        "select=random_pick",
        "judge=rubric",
        "evaluate.k=5",
        "gate.fewest_items=9",
        "measure.k=3",
        "monitor.horizon=5",
        "monitor.warmup=2",
        "sample.temperature=0.8",
        "mix.real_share=0.3",
        "mix.max_uses=2",
        "loop.iterations=2",
    ],
)
def test_stages_that_are_said_to_be_shared_are(plain: RunView, setting: str, tmp_path: Path) -> None:
    made = made_for_each(setting.partition("=")[0])
    assert made is not None
    other = run_scripted(tmp_path, *SMALL, setting)
    stages = {*plain.iterations[0]}
    assert stages == READS.keys() - {"meta", "duel", "red_team", "overoptimisation", "revise", "reward"}
    assert shared(plain, other, 0) >= stages - set(made)
    assert shared(plain, other, 0).isdisjoint(made[:1]), "the stage that reads the setting is made for each"
    if "update" not in made:
        assert shared(plain, other, 1) >= {*plain.iterations[1]} - set(made)


def test_who_draws_changes_nothing_before_there_is_a_second_policy(plain: RunView, tmp_path: Path) -> None:
    (line,) = sharing_lines(["sample.from"])
    assert "all of iteration 0" in line
    other = run_scripted(tmp_path, *SMALL, "loop.iterations=2", "sample.from={live:.5,initial:.5}")
    assert shared(plain, other, 0) == {*plain.iterations[0]}
    assert shared(plain, other, 1) == {*plain.iterations[1]}, "the policy that follows is the same too"


def test_seeds_share_what_draws_nothing(plain: RunView, tmp_path: Path) -> None:
    other = run_scripted(tmp_path, *SMALL, "seed=1")
    assert {name: one.key for name, one in plain.sources.items()} == {
        name: one.key for name, one in other.sources.items()
    }
    assert shared(plain, other, 0) == {"prompts", "health"}
    drawing = run_scripted(tmp_path / "drawing", *SMALL, "judge=rubric", "seed=1")
    assert drawing.iterations[0]["health"].seed is not None
    assert other.iterations[0]["health"].seed is None


def test_a_judge_that_stays_and_draws_nothing_is_asked_about_gold_once(tmp_path: Path) -> None:
    view = run_scripted(tmp_path, *SMALL, "judge.policy=initial", "loop.iterations=2")
    first, second = (view.iterations[t] for t in (0, 1))
    assert first["health"].key == second["health"].key
    assert first["judge"].key != second["judge"].key


def test_every_group_of_settings_has_a_line() -> None:
    for name in ("seed", "update.learning_rate", "data.train_closed", "model", "rubric@judge.rubric", "experiment"):
        (line,) = sharing_lines([name])
        assert line.startswith(f"shared by all values of {name}: ")
    known = {name for name in RunConfig.model_fields if made_for_each(name) is not None}
    whole = {"run", "sweep", "seed", "model", "backend", "data"}
    assert known == RunConfig.model_fields.keys() - whole


def test_a_sweep_of_a_learning_rate_says_what_it_shares() -> None:
    (line,) = sharing_lines(["update.learning_rate"])
    assert "of iteration 0, measure, diagnose, evaluate, prompts, sample" in line
    assert "made for each: update, and all of the later iterations" in line


def test_a_constitution_is_read_by_the_part_that_it_is_of() -> None:
    assert made_for_each("constitution@revise.constitution") == made_for_each("revise.rounds")
    assert made_for_each("constitution@judge.constitution") == made_for_each("judge")
    (line,) = sharing_lines(["revise.rounds"])
    assert "prompts, sample, health; made for each: revise, judge" in line
