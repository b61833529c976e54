"""Scores of reward models are told in standard deviations of what the start policy's answers got."""

from dataclasses import replace
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfreward.errors import DataError, StageError
from selfreward.judge_quality.opinions import weights_of
from selfreward.judges.disagreement import Dispute
from selfreward.judges.judge_shard import judge_shard
from selfreward.judges.pointwise import pointwise
from selfreward.judges.reward_model import RewardModelSpec, aggregate, deviations
from selfreward.judges.standard import saved_standard, standard_of
from selfreward.records import Judgment
from selfreward.stages import judge as judge_stage
from selfreward.stages.health import health_of
from tests.judges.made import item
from tests.rewarding import make_tiny_reward_model
from tests.support import judge_instead, run_scripted

MEMBERS = ("model_1", "model_2", "model_3")
RULES = ("mean", "min", "lower")
SMALL = ("judge=reward_model", "loop.iterations=1", "judge.dtype=float32", "judge.device=cpu", "sample.shard_prompts=4")


def spec(rule="mean"):
    return RewardModelSpec(models=MEMBERS, aggregate=rule, device="cpu", dtype="float32")


def said(scores_MC, items):
    """The evidence in which member m gave candidate c `scores_MC[m][c]`, None where it failed."""
    return [
        replace(
            pointwise(one, judge="j", score=score, raw="", outcome="failed" if score is None else "scored"),
            dimension=member,
        )
        for member, scores in zip(MEMBERS, scores_MC, strict=True)
        for one, score in zip(items, scores, strict=True)
    ]


FOUR = [item(f"answer {number}", number) for number in range(4)]
LOGITS = st.lists(st.integers(-40, 40).map(lambda one: one / 8), min_size=4, max_size=4).filter(
    lambda some: len(set(some)) > 1
)


@settings(max_examples=60, deadline=None)
@given(
    scores=st.tuples(LOGITS, LOGITS, LOGITS),
    factors=st.tuples(*[st.sampled_from([0.01, 0.5, 1.0, 3.0, 100.0])] * 3),
    shifts=st.tuples(*[st.integers(-50, 50)] * 3),
    rule=st.sampled_from(RULES),
)
def test_no_members_scale_or_zero_changes_what_an_ensemble_concludes(scores, factors, shifts, rule):
    stretched = [[a * one + b for one in some] for some, a, b in zip(scores, factors, shifts, strict=True)]
    found = []
    for given_ in (scores, stretched):
        evidence = said(given_, FOUR)
        standard = standard_of(evidence)
        concluded = aggregate(spec(rule), "j", standard, FOUR, evidence)
        found.append([*(one.score for one in concluded), *deviations(standard, FOUR, evidence)])
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_a_standard_is_of_every_score_there_is_and_of_no_failed_one():
    evidence = said([[1.0, 2.0, 4.0, None], [0.5, 0.5, 0.5, 1.5], [-3.0, 3.0, -3.0, 3.0]], FOUR)
    found = standard_of(evidence)
    assert found["model_1"].mean == pytest.approx(7 / 3, abs=1e-5)
    assert found["model_1"].deviation == pytest.approx(stdev([1.0, 2.0, 4.0]), abs=1e-5)
    assert [one.scores for one in found.values()] == [3, 4, 4]
    concluded = aggregate(spec(), "j", found, FOUR, evidence)
    assert [one.outcome for one in concluded] == ["scored", "scored", "scored", "failed"]
    assert len(deviations(found, FOUR, evidence)) == 3


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([0.25] * 4, r"model_2 gives all 4 answers the score 0\.25"),
        ([None, None, 1.0, None], "1 of 4 answers have a score by model_2"),
        ([None] * 4, "0 of 4 answers have a score by model_2"),
    ],
)
def test_scores_without_a_spread_are_refused_in_one_line(scores, told):
    with pytest.raises(DataError, match=rf"judge\.standardise=true, and {told}.*judge\.standardise=false") as caught:
        standard_of(said([[1.0, 2.0, 3.0, 4.0], scores, [1.0, 2.0, 3.0, 4.0]], FOUR))
    assert "\n" not in str(caught.value)


def test_machines_that_differ_in_last_digits_have_one_standard():
    scores = [0.1234567, 0.7654321, -0.3333333, 12.5]
    near = [one * (1 + 1e-9) for one in scores]
    one, other = (standard_of(said([some] * 3, FOUR)) for some in (scores, near))
    assert one == other
    small = standard_of(said([[7 + score * 1e-4 for score in scores]] * 3, FOUR))["model_1"]
    assert small.standardised(7 + 12.5e-4) == pytest.approx(one["model_1"].standardised(12.5), abs=1e-3)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Models with room for the prompts of a scripted run."""
    folder = tmp_path_factory.mktemp("wide")
    return [make_tiny_reward_model(folder / f"{seed}", seed=seed, context=512) for seed in range(2)]


@pytest.fixture(scope="module")
def stretched(wide, tmp_path_factory):
    """The second of them with a head of eight times the size."""
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(wide[1], tmp_path_factory.mktemp("stretched") / "model")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] *= 8
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def named(*folders):
    return f"judge.models=[{','.join(map(str, folders))}]"


def scores_of(judged, table="rows"):
    return [one.score for one in judged.records(Judgment, table)]


def test_later_rounds_are_told_in_the_first_ones_deviations_and_the_logits_stay(wide, tmp_path):
    view = run_scripted(tmp_path, *SMALL, "loop.iterations=2", named(wide[0]))
    first, second = (view.iterations[t]["judge"] for t in (0, 1))
    (moments,) = saved_standard(first).values()
    assert fmean(scores_of(first)) == pytest.approx(0, abs=1e-4)
    assert stdev(scores_of(first)) == pytest.approx(1, abs=1e-4)
    for judged in (first, second):
        logits = scores_of(judged, "evidence")
        assert scores_of(judged) == pytest.approx([moments.standardised(one) for one in logits])
    assert moments.scores == first.rows()
    assert second.manifest.inputs["standard"].part == ("standard",)
    assert not (second.path / "standard.json").exists()


def test_without_it_a_score_is_the_logit_and_nothing_is_handed_on(wide, tmp_path):
    view = run_scripted(tmp_path, *SMALL, "loop.iterations=2", named(wide[0]), "judge.standardise=false")
    assert not view.iterations[0]["judge"].has("evidence")
    assert "standard" not in view.iterations[1]["judge"].manifest.inputs


@pytest.mark.parametrize("rule", ["min", "lower"])
def test_a_member_of_another_scale_weighs_as_much_on_candidates_and_on_gold(rule, wide, stretched, tmp_path):
    found = []
    for second in (wide[1], stretched):
        round_ = run_scripted(tmp_path, *SMALL, named(wide[0], second), f"judge.aggregate={rule}").iterations[0]
        accuracy = health_of(round_["health"]).measures["accuracy"].value
        found.append([*scores_of(round_["judge"]), accuracy, round_["judge"].manifest.counts["member_deviation"]])
    assert found[0] == pytest.approx(found[1], abs=1e-3)


@pytest.mark.slow
def test_an_ensemble_in_a_jury_is_standardised_too(wide, stretched, tmp_path):
    jury = ("judge=jury", "~judge.members.pairwise", "~judge.members.rubric", "loop.iterations=2")
    member = ("+judge@judge.members.reward=reward_model", "judge.members.reward.aggregate=min")
    own = [f"judge.members.reward.{one.removeprefix('judge.')}" for one in SMALL[2:4]]
    views = []
    for second in (wide[1], stretched):
        models = f"judge.members.reward.models=[{wide[0]},{second}]"
        views.append(run_scripted(tmp_path, *jury, *member, *own, models))
    raws = [[one.raw for one in view.iterations[0]["judge"].records(Judgment)] for view in views]
    numbers = [[float(raw.rpartition("reward=")[2]) for raw in some] for some in raws]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-3)
    first, second = (views[0].iterations[t]["judge"] for t in (0, 1))
    assert list(saved_standard(first)) == ["reward.model_1", "reward.model_2"]
    assert second.manifest.inputs["standard"].part == ("standard",)
    assert list(second.records(Dispute, "disputes"))


def test_a_jury_weighs_a_standardised_ensemble_by_gold(wide, tmp_path):
    jury = ("judge=jury", "~judge.members.pairwise", "~judge.members.rubric", "loop.iterations=1", "gate.final=true")
    member = ("+judge@judge.members.reward=reward_model", f"judge.members.reward.models=[{wide[0]},{wide[1]}]")
    own = [f"judge.members.reward.{one.removeprefix('judge.')}" for one in SMALL[2:4]]
    learned = ("judge.rule=weighted", "judge.weights=learned")
    round_ = run_scripted(tmp_path, *jury, *member, *own, *learned).iterations[0]
    assert set(weights_of(round_["health"])) == {"likelihood", "reward"}
    assert health_of(round_["health"]).final["accuracy"].value is not None
    assert saved_standard(round_["judge"])


def test_of_one_model_no_preference_on_gold_changes(wide, tmp_path):
    measured = [
        health_of(run_scripted(tmp_path, *SMALL, named(wide[0]), *given_).iterations[0]["health"]).measures
        for given_ in ((), ("judge.standardise=false",))
    ]
    unit = "mean_score"
    assert {**measured[0], unit: None} == {**measured[1], unit: None}
    assert measured[0][unit].value == pytest.approx(0, abs=1e-4)


def test_killed_while_the_first_answers_are_scored_it_goes_on_and_asks_nothing_twice(wide, tmp_path, monkeypatch):
    whole = run_scripted(tmp_path / "whole", *SMALL, named(*wide)).iterations[0]["judge"]
    asked = []

    def once(spec, ask, items, seed, advance):
        if len(asked) == 2:
            asked.append(None)
            raise StageError("killed")
        asked.append([one.id for _, one in items])
        return judge_shard(spec, ask, items, seed, advance)

    judge_instead(monkeypatch, judge_stage, once)
    with pytest.raises(StageError, match="killed"):
        run_scripted(tmp_path / "cut", *SMALL, named(*wide))
    again = run_scripted(tmp_path / "cut", *SMALL, named(*wide)).iterations[0]["judge"]
    ids = [id_ for shard in asked if shard for id_ in shard]
    assert len(ids) == len(set(ids)) == whole.rows()
    assert (again.key, again.digest) == (whole.key, whole.digest)
