"""Duels of policies over held-out answers, by a judge that never changes."""

from pathlib import Path

import pytest

from selfreward.artifacts.runs import RunView
from selfreward.judge_quality.verdicts import Verdicts
from selfreward.stages.duel import duel_of
from selfreward.tracking import metrics_of_run
from tests.rewarding import make_tiny_reward_model
from tests.support import run_scripted

# A start model whose likeliest answer is wrong, and training that rights it.
LEARNS = ("model.skill=0.1", "judge=verifier", "select.threshold=1", "mix.real_share=0", "update.rate=1")


@pytest.fixture(scope="module")
def fought(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_scripted(tmp_path_factory.mktemp("duel"), *LEARNS, "duel=pairwise", "loop.iterations=2")


def test_every_policy_but_the_first_meets_the_start_model_and_the_one_before(fought: RunView) -> None:
    assert ["duel" in stages for stages in fought.iterations] == [False, True, True]
    start = fought.iterations[0]["sample"].manifest.inputs["policy"].digest
    assert {stages["duel"].manifest.inputs["policy"].digest for stages in fought.iterations[1:]} == {start}
    assert not fought.iterations[1]["duel"].has("previous")
    first = fought.iterations[1]["duel"].json("duel")
    assert first["start"] == first["previous"]


def test_right_answers_win_and_equal_ones_tie_unasked(fought: RunView) -> None:
    row = metrics_of_run(fought)[2]
    asked = fought.iterations[2]["duel"].rows("start")
    assert asked == row["duel/start/prompts"] - row["duel/start/identical"] > 0
    said = list(fought.iterations[2]["duel"].records(Verdicts, "start"))
    assert {one.preference for one in said if one.flipped is False} >= {1.0}
    assert row["duel/start/win_rate_low"] > 0.5
    assert row["duel/start/lc_win_rate_low"] > 0.5
    assert row["duel/start/flip_rate"] == 0
    assert row["duel/previous/win_rate"] == 0.5


def test_the_length_controlled_win_rate_is_watched_beside_the_score(fought: RunView) -> None:
    names = [one["name"] for one in fought.iterations[1]["gate"].json("gate")["findings"]]
    assert "over_optimised/lc_win_rate" in names
    watched = fought.iterations[1]["gate"].json("gate")["rounds"]
    assert [one["lc_win_rate"]["value"] is None for one in watched] == [True, False]


def test_a_reward_model_can_be_the_judge_of_duels(tmp_path: Path) -> None:
    model = make_tiny_reward_model(tmp_path / "model", context=512)
    engine = ("duel.judge.device=cpu", "duel.judge.dtype=float32")
    small = ("data.held_out_closed=12", "data.held_out_open=4", "loop.iterations=1")
    view = run_scripted(tmp_path, *LEARNS, "duel=reward_model", f"duel.judge.models=[{model}]", *engine, *small)
    met = duel_of(view.iterations[1]["duel"]).start
    assert met.measures["win_rate"].interval is not None
    assert met.measures["lc_win_rate"].interval is not None
    assert view.iterations[1]["duel"].manifest.inputs["policy"].digest
    assert "engine" not in view.iterations[1]["duel"].manifest.identity
    assert view.iterations[1]["duel"].rows("start") == met.prompts - met.identical > 0
