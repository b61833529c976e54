"""Reinforcement learning in the loop: on prompts alone, and on a reward model that the pairs of the round trained."""

from pathlib import Path

import pytest

from selfreward.records import Example, PreferencePair, RowPrompt
from selfreward.row_kinds import EXAMPLES, PAIRS, PROMPTS
from selfreward.selection.choice import selection_counts
from selfreward.stages.mix import mixing_of
from selfreward.stages.update import training_of
from selfreward.tracking import metrics_of_run
from selfreward.updates.rl_steps import RlStep
from tests.test_rewarding import REWARD, Ran, ran

STEPS = (
    *("update=grpo", "update.steps=2", "update.prompts_per_step=2", "update.group_size=4", "update.batch_size=8"),
    *("update.max_new_tokens=6", "update.learning_rate=1e-3", "data.train_closed=10", "judge=function"),
)
REWARDS = "~update.rewards.verifier"
LENGTH = "+update.rewards.length={kind:length,above:2}"
MODEL = "+update.rewards.model={kind:reward_model}"
SCORE = """def score(prompts, completions):
    return [float(sum(map(ord, turns[0]["content"]))) for turns in completions]
"""


def reinforced(folder: Path, *overrides: str) -> Ran:
    """A run whose judge adds up the codes of letters."""
    (folder / "letters.py").write_text(SCORE)
    return ran(folder, *STEPS, f"judge.function={folder / 'letters.py'}:score", REWARDS, *overrides)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("direct")
    return reinforced(folder, "select=prompts", LENGTH, "mix.real_share=0.5", "data.human=12", "loop.iterations=2")


@pytest.fixture(scope="module")
def by_reward_model(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("model")
    pairs = ("select=preference_pairs", "select.prompts=mixed", "reward=round", *REWARD, "sample.k=4", "select.k=4")
    return reinforced(folder, *pairs, MODEL, "mix.real_share=0.3")


def test_prompts_reach_the_update_and_human_answers_are_learned_first(direct: Ran) -> None:
    for one in direct.view.iterations[:2]:
        mixed, trained = one["mix"], training_of(one["update"])
        prompts = {row.id for row in mixed.records(RowPrompt, PROMPTS.table)}
        assert prompts == {row.id for row in one["prompts"].records(RowPrompt)}
        people = list(mixed.records(Example, EXAMPLES.table))
        assert people
        assert (trained.human_rows, trained.human_tokens) == (len(people), sum(row.tokens for row in people))
        assert (trained.rows_trained, trained.completions) == (4, 16)
        assert len(list(one["update"].records(RlStep, "steps"))) == 2
        told = mixing_of(mixed)
        assert told.real_share_tokens == pytest.approx(0.5, abs=0.15)
    first, second = (one["update"].digest for one in direct.view.iterations[:2])
    assert first != second


def test_metrics_count_what_was_handed_and_learned(direct: Ran) -> None:
    first = metrics_of_run(direct.view)[0]
    assert first["select/prompts_handed"] == 10
    assert first["select/prompts_alike"] == 0
    assert first["train/human_rows"] == training_of(direct.view.iterations[0]["update"]).human_rows


def test_the_pairs_of_the_round_train_the_reward_model_that_the_update_asks(by_reward_model: Ran) -> None:
    one = by_reward_model.view.iterations[0]
    mixed = one["mix"]
    assert {row.origin for row in mixed.records(PreferencePair, PAIRS.table)} == {"self", "human"}
    counts = selection_counts(one["select"]).by_name
    assert counts["prompts_handed"] + counts["prompts_alike"] == 10
    assert len(list(mixed.records(RowPrompt, PROMPTS.table))) == counts["prompts_handed"]
    asked = one["update"].manifest.inputs["reward_models"]
    assert asked is not None
    (step, _) = one["update"].records(RlStep, "steps")
    (source,) = step.sources
    assert (source.name, source.applied, source.missing) == ("model", 8, 0)
    assert training_of(one["update"]).human_rows is None, "people's pairs are learned by the reward model"


def test_a_finished_run_makes_nothing_again(tmp_path: Path) -> None:
    settings = ("select=prompts", LENGTH, "mix.real_share=0.2")
    reinforced(tmp_path, *settings)
    assert not any(reinforced(tmp_path, *settings).made(stage) for stage in ("mix", "update"))
