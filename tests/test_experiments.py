"""Every experiment runs on the real embedded model, at debug size, to its end."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.manifest import read_manifest
from selfreward.artifacts.runs import read_run
from selfreward.commands.gc import empty
from selfreward.commands.run import run
from selfreward.console import ConsoleReporter
from selfreward.data.wheels import asset_model, cache_folder
from selfreward.errors import AssetError, StarvedLoop
from selfreward.records import PreferencePair
from selfreward.stages.evaluate import evaluation_of
from selfreward.stages.update import training_of
from tests.test_config import EXPERIMENTS

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        asset_model("smollm2-135m-instruct")
    except AssetError as error:
        pytest.skip(f"{error} (looked in {cache_folder()})")
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(autouse=True)
def no_weights_left(runs: Path) -> Iterator[None]:
    """Half a gigabyte for each model that was trained: rows stay for the next experiment, weights do not."""
    yield
    store = Store(runs / "store", ConsoleReporter())
    for folder in (store.root / "update").glob("*"):
        manifest = read_manifest(folder)
        if manifest is None:  # the training that failed
            shutil.rmtree(folder)
        elif not manifest.collected:
            empty(Artifact(folder, manifest), store)


SHORT = ["evaluate.ladder=[]", "evaluate.k=2", "data.held_out_closed=8"]
DRAWS = [*SHORT, "update.steps=2", "update.prompts_per_step=2"]
# Three replies a candidate, each to a long prompt: a minute for every ten candidates. Two conversations for each pair.
FEWER = {
    "constitutional_sl": [*SHORT, "data.train_closed=4", "data.train_open=4"],
    "constitutional_rl": [*SHORT, "data.train_closed=4", "data.train_open=4", "prompts.human=2"],
    "direct_rlaif": [*DRAWS, "data.train_closed=8", "data.train_open=2"],
    "rlaif": [*DRAWS, "data.train_closed=8", "data.train_open=2", "data.human_pairs=24", "reward.min_pairs=2"],
    "four_updates_direct": DRAWS,
    "four_updates_reward_model": [*DRAWS, "reward.min_pairs=1"],
    "self_rewarding": ["data.train_closed=5", "data.train_open=1", "prompts.budget=2", "prompts.max_draws=4"],
    "meta_rewarding": [*SHORT, "data.train_closed=5", "data.train_open=1", "meta.answers=4"],
    "rft_reward_model": ["data.human_pairs=110"],
    "online_dpo_reward_model": ["data.human_pairs=110"],
}
# RFT and DPO as in the experiments before them.
COMPOSED = {"scripted", "four_updates", "four_updates_rft", "four_updates_dpo"}


@pytest.mark.parametrize("name", sorted(set(EXPERIMENTS) - COMPOSED))
def test_it_runs_at_debug_size(name: str, runs: Path) -> None:
    run(compose([f"experiment={name}", "size=debug", f"store.runs={runs}", *FEWER.get(name, [])]))
    first, last = read_run(runs / name).iterations
    assert training_of(first["update"]).rows_trained >= 1
    assert "update" not in last
    greedy = evaluation_of(last["evaluate"]).greedy
    assert greedy is not None and greedy.n > 0


def test_preference_training_says_what_it_did_to_the_chosen_answers(runs: Path) -> None:
    run(compose(["experiment=dpo_self", "size=debug", f"store.runs={runs}"]))
    (first, _) = read_run(runs / "dpo_self").iterations
    training = training_of(first["update"])
    pairs = list(first["mix"].records(PreferencePair, "pairs"))
    assert training.rows_trained == len(pairs)
    assert {pair.origin for pair in pairs} == {"self", "human"}
    assert training.margin_growth is not None and training.margin_growth > 0
    assert training.displaced_share is not None and 0 <= training.displaced_share <= 1


def test_a_judge_that_states_no_score_starves_the_loop_with_the_counts(runs: Path) -> None:
    rubric = "rubric@judge.rubric=additive_five_point"
    settings = ["experiment=self_rewarding", "size=debug", "judge.repeats=1", *FEWER["self_rewarding"], rubric]
    with pytest.raises(StarvedLoop, match=r"unscored:"):
        run(compose([*settings, f"store.runs={runs}"]))
