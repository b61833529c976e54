"""Reinforcement learning in the loop: on prompts alone, and on a reward model that the pairs of the round trained."""

from dataclasses import replace
from pathlib import Path

import pytest

from selfreward.monitor.detector import AlarmState, DetectorSpec, Diagnosis, ProbeRound
from selfreward.monitor.detector import diagnose as judge_round
from selfreward.records import Example, PreferencePair, RowPrompt
from selfreward.report.page import render
from selfreward.row_kinds import EXAMPLES, PAIRS, PROMPTS
from selfreward.selection.choice import selection_counts
from selfreward.stages.decide import decision_of
from selfreward.stages.mix import mixing_of
from selfreward.stages.update import training_of
from selfreward.tracking import metrics_of_run
from selfreward.updates.rl_steps import RlStep
from tests.report.browser import harmless
from tests.test_docs import documented_names
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


def test_the_log_and_the_page_tell_prompts_human_answers_and_what_was_drawn(direct: Ran) -> None:
    trained = training_of(direct.view.iterations[0]["update"])
    told = [line for line in direct.lines if line.startswith("  RL drew")]
    assert len(told) == 2
    assert told[0].startswith(f"  RL drew 16 completions to 4 prompts, {trained.tokens_drawn} tokens in all, learned ")
    assert f"learned {trained.human_rows} human answers of {trained.human_tokens} tokens before" in told[0]
    assert any(line.startswith("  mixed 10 prompts and ") and "human answers, " in line for line in direct.lines)
    assert "  handed 10 of 10 prompts to the update, which draws its own" in direct.lines
    assert not any(line.startswith("  selected ") for line in direct.lines), "there are no candidates to choose"
    text = harmless(render(direct.view, None)).text
    assert "Reinforcement learning" in text and "Reward of length" in text
    assert f"{trained.human_rows} ({trained.human_tokens} tokens)" in text
    assert "The update draws its own answers to 10 of 10 prompts." in " ".join(text.split())
    assert f"{trained.tokens_drawn} tokens" in text


def test_every_metric_of_both_forms_is_defined(direct: Ran, by_reward_model: Ran) -> None:
    patterns = documented_names()
    for view in (direct.view, by_reward_model.view):
        names = {name for row in metrics_of_run(view) for name in row}
        assert sorted(name for name in names if not any(one.fullmatch(name) for one in patterns)) == []


def test_pairs_and_prompts_are_told_beside_each_other(by_reward_model: Ran) -> None:
    counts = selection_counts(by_reward_model.view.iterations[0]["select"]).by_name
    handed, alike = counts["prompts_handed"], counts["prompts_alike"]
    same = f"; {alike} were left out, whose answers have no scores that differ" if alike else ""
    assert f"  handed {handed} of 10 prompts to the update, which draws its own{same}" in by_reward_model.lines
    assert any(line.startswith("  selected ") and " pairs " in line for line in by_reward_model.lines)


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


@pytest.mark.slow
def test_judges_reward_what_the_update_draws_and_each_round_has_its_own_live_judge(tmp_path: Path) -> None:
    judges = ("+update.rewards.own={kind:judge}", "+update.rewards.taste={kind:judge,judge:{kind:likelihood}}")
    asked = reinforced(tmp_path, "select=prompts", *judges, "mix.real_share=0", "loop.iterations=2")
    first, second = (one["update"] for one in asked.view.iterations[:2])
    for one in (first, second):
        for step in one.records(RlStep, "steps"):
            assert [(source.name, source.applied, source.missing) for source in step.sources] == [
                ("own", 8, 0),
                ("taste", 8, 0),
            ]
            assert all(source.mean is not None for source in step.sources)
        inputs = one.manifest.inputs
        assert inputs["rewards.taste"].digest == inputs["policy"].digest, "the live policy, as it was before"
        assert "rewards.own" not in inputs, "a function is no policy"
        found = training_of(one)
        assert found.tokens_judged is not None and found.tokens_judged > 0
        assert one.tokens == (found.tokens_drawn or 0) + found.tokens_judged
    assert first.manifest.inputs["rewards.taste"].digest != second.manifest.inputs["rewards.taste"].digest
    engine = first.manifest.identity["engine"]
    assert isinstance(engine, dict) and isinstance(engine["judges"], dict)
    assert list(engine["judges"]) == ["taste"]
    again = reinforced(tmp_path, "select=prompts", *judges, "mix.real_share=0", "loop.iterations=2")
    assert not any(again.made(stage) for stage in ("judge", "mix", "update"))
    spec = first.manifest.identity["spec"]
    assert isinstance(spec, dict) and isinstance(spec["rewards"], dict)
    assert spec["rewards"]["own"] == {
        "kind": "judge",
        "weight": 1.0,
        "against": "group",
        "judge": asked.view.iterations[0]["judge"].manifest.identity["spec"],
    }


def test_a_finished_run_makes_nothing_again(tmp_path: Path) -> None:
    settings = ("select=prompts", LENGTH, "mix.real_share=0.2")
    reinforced(tmp_path, *settings)
    assert not any(reinforced(tmp_path, *settings).made(stage) for stage in ("mix", "update"))


def alarmed(spec: DetectorSpec, probe_round: ProbeRound, previous: AlarmState | None) -> Diagnosis:
    """A detector that is in alarm after every update."""
    found = judge_round(spec, probe_round, previous)
    if previous is None:
        return found
    return replace(found, state="ALARM", standing=AlarmState("ALARM", previous.alarms + 1, 0))


ACTING = (
    "monitor=act",
    "monitor.rise=0.3",
    "monitor.step=0.3",
    "loop.iterations=2",
    "data.human=24",
    "data.human_pairs=48",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        ("select=prompts", LENGTH),
        ("select=preference_pairs", "select.pairs=all", "select.prompts=all", "reward=round", *REWARD, MODEL),
    ],
    ids=["answers before the steps", "pairs of the reward model"],
)
def test_an_alarm_brings_more_people_into_what_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    monkeypatch.setattr("selfreward.stages.diagnose.judge_round", alarmed)
    acted = reinforced(tmp_path, *form, *ACTING, "sample.k=4", "select.k=4")
    before, after = acted.view.iterations[:2]
    assert [decision_of(one["decide"]).course.action for one in (before, after)] == ["hold", "raise"]
    assert decision_of(after["decide"]).real_share == pytest.approx(0.4)
    first, then = mixing_of(before["mix"]), mixing_of(after["mix"])
    assert (first.real_share_asked, then.real_share_asked) == (0.1, pytest.approx(0.4))
    assert first.real_share < 0.2 < then.real_share
    if "reward" in after:
        pairs = [one.origin for one in after["mix"].records(PreferencePair, PAIRS.table)]
        assert pairs.count("human") == then.human_rows
        assert after["reward"].manifest.inputs["pairs"].key == after["mix"].key
    else:
        learned = training_of(after["update"])
        assert (learned.human_rows, learned.human_tokens) == (then.human_rows, then.human_tokens)
