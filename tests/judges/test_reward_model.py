"""A reward model as a judge: its logit is the score, members of an ensemble are told apart, and their digests count."""

import shutil
from collections import Counter
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from selfreward.__main__ import compose
from selfreward.backends import reward_model
from selfreward.backends.reward_model import RewardModel, Shown, free_reward_models, load_reward_model
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges.base import Means
from selfreward.judges.disagreement import disagreement
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.policies import Policy, RewardModels
from selfreward.reading.rounds import rounds_of
from selfreward.records import Judgment, PreferencePair
from selfreward.report.page import render
from selfreward.stages.gate import gate_of
from selfreward.stages.health import health_of
from tests.judges.made import item
from tests.rewarding import make_tiny_reward_model
from tests.support import run_scripted, scripted_config
from tests.tiny import CONTEXT

TEXTS = ["it is four", "four", "five, or is it", "four"]
ITEMS = [item(text, index) for index, text in enumerate(TEXTS)]


def quietly(_: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [make_tiny_reward_model(folder / f"{seed}", seed=seed) for seed in range(3)]


def judge(folders, **settings):
    spec = RewardModelSpec(models=tuple(folders), device="cpu", dtype="float32", **settings)
    members = tuple(Policy(path=one, key=one.name, digest=one.name) for one in folders)
    return spec.build(Means(policy=RewardModels(members=members, engine={})))


def rewards(folder, texts):
    model = RewardModel(folder=folder, device="cpu", dtype="float32", batch_tokens=4096)
    shown = [Shown(messages=ITEMS[0][0].messages, text=text) for text in texts]
    return [one.score for one in model.score(shown, quietly)]


def test_a_score_is_the_logit_and_equal_texts_cost_once(folders):
    told = []
    judgments = judge(folders[:1]).ask(ITEMS, 0, told.append)
    assert [one.score for one in judgments] == pytest.approx(rewards(folders[0], TEXTS), abs=3e-6)
    assert [one.candidate_ids[0] for one in judgments] == [candidate.id for _, candidate in ITEMS]
    assert [one.usage.prompt_tokens > 0 for one in judgments] == [True, True, True, False]
    assert sum(told) == len(ITEMS)


def test_a_thought_is_not_shown_and_a_cut_answer_is_shown_as_ended(folders):
    made = judge(folders[:1])
    plain = made.ask(ITEMS[:1], 0, quietly)
    prompt, candidate = ITEMS[0]
    thinking = [(prompt, replace(candidate, thought="<think>five</think>", finish="length"))]
    assert made.ask(thinking, 0, quietly)[0].score == plain[0].score


@pytest.mark.parametrize("rule", ["mean", "min", "lower"])
def test_an_ensemble_keeps_what_its_members_said_and_concludes_from_it(folders, rule):
    made = judge(folders, aggregate=rule, deviations=0.5, standardise=False)
    evidence = made.ask(ITEMS, 0, quietly)
    by_member = [rewards(folder, TEXTS) for folder in folders]
    assert [(one.candidate_ids[0], one.dimension) for one in evidence[: len(ITEMS)]] == [
        (candidate.id, "model_1") for _, candidate in ITEMS
    ]
    assert [one.score for one in evidence] == pytest.approx([one for scores in by_member for one in scores], abs=3e-6)
    rules = {"mean": fmean, "min": min, "lower": lambda some: fmean(some) - 0.5 * stdev(some)}
    expected = [rules[rule](scores) for scores in zip(*by_member, strict=True)]
    concluded = made.conclude(ITEMS, evidence)
    assert [one.score for one in concluded] == pytest.approx(expected, abs=5e-6)
    assert all(f"model_{number}=" in one.raw for one in concluded for number in (1, 2, 3))


def test_disagreement_is_that_of_the_members_rankings(folders):
    made = judge(folders)
    (dispute,) = made.disputes(ITEMS, made.ask(ITEMS, 0, quietly))
    assert dispute.id == ITEMS[0][0].id
    distinct = [dict(zip("abc", rewards(folder, TEXTS[:3]), strict=True)) for folder in folders]
    assert dispute.disagreement == disagreement(distinct)


def test_what_one_member_cannot_score_has_no_score(folders):
    long = [item("y" * CONTEXT), *ITEMS[1:]]
    made = judge(folders, standardise=False)
    concluded = made.conclude(long, made.ask(long, 0, quietly))
    assert [one.outcome for one in concluded] == ["truncated", "scored", "scored", "scored"]
    assert concluded[0].score is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["judge.models=[/a]", "judge.aggregate=lower"], r"judge\.aggregate=lower of one model.*two or more"),
        (["judge.models=[/a,/a]"], r"names a folder twice"),
        (["judge.models=[]"], r"judge\.models=\[\]: .*at least 1"),
        (["judge.models=[/a,/b]", "judge.aggregate=lower", "judge.deviations=0"], r"judge\.deviations=0: .*greater"),
    ],
)
def test_a_mistake_is_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        validate(compose(["experiment=scripted", "judge=reward_model", *settings]))
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Models with room for the prompts of a scripted run."""
    folder = tmp_path_factory.mktemp("wide")
    return [make_tiny_reward_model(folder / f"{seed}", seed=seed, context=512) for seed in range(3)]


SMALL = ("loop.iterations=1", "judge.dtype=float32", "judge.device=cpu")


def test_a_run_judges_by_a_reward_model_and_its_bytes_count(wide, tmp_path):
    settings = ("judge=reward_model", f"judge.models=[{wide[0]}]", *SMALL)
    view = run_scripted(tmp_path, *settings)
    judged, measured = view.iterations[0]["judge"], view.iterations[0]["health"]
    assert judged.manifest.counts["scored"] == judged.rows() > 0
    assert judged.policy.digest == measured.policy.digest
    # Gold can ask it, and the gate follows its mean score although it has no scale.
    assert health_of(measured).measures["accuracy"].interval is not None
    gated = gate_of(view.iterations[0]["gate"]).measures
    assert gated["mean_score"].interval is not None
    assert gated["share_at_maximum"].interval is None
    assert "kappa" in render(view, None)

    elsewhere = shutil.copytree(wide[0], tmp_path / "copy")
    same = run_scripted(tmp_path, *settings[:1], f"judge.models=[{elsewhere}]", *SMALL)
    other = run_scripted(tmp_path, *settings[:1], f"judge.models=[{wide[1]}]", *SMALL)
    keys = [one.iterations[0]["judge"].key for one in (view, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert scripted_config(*settings).judge.scale is None


def test_a_model_is_loaded_once_a_round_and_freed(wide, tmp_path, monkeypatch):
    free_reward_models()
    loaded = []

    def load(folder, **how):
        loaded.append(folder)
        return load_reward_model(folder, **how)

    monkeypatch.setattr(reward_model, "load_reward_model", load)
    run_scripted(tmp_path, "judge=reward_model", f"judge.models=[{wide[0]}]", *SMALL)
    assert len(loaded) == 1, "health and judge of one round"
    assert reward_model._held.cache_info().currsize == 0


def test_an_ensemble_judges_a_run_and_its_disputes_are_listed(wide, tmp_path):
    settings = ("judge=reward_model", f"judge.models=[{','.join(map(str, wide))}]", "judge.aggregate=lower", *SMALL)
    view = run_scripted(tmp_path, *settings)
    judged = view.iterations[0]["judge"]
    assert judged.rows("evidence") == 3 * judged.rows()
    assert judged.manifest.counts["jury_disagreement"] > 0
    members = rounds_of(view)[0].members
    assert members.keys() == {"model_1", "model_2", "model_3"}
    assert {one.in_round.scored for one in members.values()} == {judged.rows()}
    assert len({one.in_round.mean_score for one in members.values()}) == 3
    assert judged.manifest.counts["member_deviation"] > 0


def test_the_models_of_an_ensemble_vote_on_the_label_of_a_pair(wide, tmp_path):
    settings = ("judge=reward_model", f"judge.models=[{','.join(map(str, wide))}]", "select=preference_pairs", *SMALL)
    stages = run_scripted(tmp_path, *settings, "select.labels=soft").iterations[0]
    scores = {(one.dimension, one.candidate_ids[0]): one.score for one in stages["judge"].records(Judgment, "evidence")}
    pairs = list(stages["select"].records(PreferencePair, "pairs"))
    assert len(pairs) > 3
    for one in pairs:
        gaps = [scores[f"model_{n}", one.chosen_id] - scores[f"model_{n}", one.rejected_id] for n in (1, 2, 3)]
        assert one.label == pytest.approx(sum(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps) / 3)


@pytest.mark.parametrize("models", [1, 3])
def test_it_is_a_member_of_a_jury_with_models_of_its_own(wide, tmp_path, models):
    folders = ",".join(map(str, wide[:models]))
    member = ("+judge@judge.members.reward=reward_model", f"judge.members.reward.models=[{folders}]")
    places = [f"judge.members.reward.{one.removeprefix('judge.')}" for one in SMALL[1:]]
    out = ("~judge.members.pairwise", "~judge.members.rubric")
    view = run_scripted(tmp_path, "judge=jury", *member, *places, *out, SMALL[0])
    judged = view.iterations[0]["judge"]
    said = Counter(one.judge.partition(":")[0] for one in judged.records(Judgment, "evidence"))
    assert said["reward"] == models * said["likelihood"] == models * judged.rows()
    alone = rounds_of(run_scripted(tmp_path, "judge=reward_model", f"judge.models=[{folders}]", *SMALL, "run=alone"))[0]
    assert rounds_of(view)[0].members["reward"].on_gold.accuracy == alone.health.measures["accuracy"]
    assert "juror_reward" in judged.manifest.inputs
