"""Reward models in the loop: trained before round 0 and judging, or trained in each round; what is refused."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.commands.explain import explanation_lines
from selfreward.commands.gc import collect
from selfreward.commands.verify import check_artifact, check_chain, check_links
from selfreward.config import validate
from selfreward.data.overlap import OverlapSpec
from selfreward.errors import AssetError, BackendError, ConfigError, SelfrewardError, StarvedLoop
from selfreward.judging_policies import Judges, Policies
from selfreward.loop import run_loop
from selfreward.policies import Policy
from selfreward.reading import open_run
from selfreward.reading.chain import explain
from selfreward.records import Example
from selfreward.report.page import render
from selfreward.rewarding import pairs_of, reward_at_start
from selfreward.stages import reward as stage_of_reward
from selfreward.stages.health import health_of
from selfreward.stages.reward import rewarding_of
from selfreward.stages.source import Sources
from selfreward.tracking import Tracker, metrics_of_run
from selfreward.updates.reward import RewardSpec
from tests.report.browser import Page
from tests.rewarding import make_tiny_reward_model
from tests.support import Silent, selfreward
from tests.test_docs import documented_names
from tests.tiny import make_tiny_policy

LENGTHS = [
    f"{part}.max_new_tokens.{one}=12" for part in ("measure", "evaluate", "sample") for one in ("closed", "open")
]
SMALL = (
    *("data=scripted", "data.train_closed=6", "data.train_open=0", "data.held_out_closed=4", "data.held_out_open=0"),
    *("data.probe_closed=2", "data.probe_open=2", "data.human=4", "data.human_pairs=24", "data.gold_gate=6"),
    *("data.gold_final=4", "data.system=''", "measure=hashing", "measure.k=2", "measure.baseline_k=4"),
    *("evaluate.ladder=[0.4]", "evaluate.k=2", "sample.k=2", "select.k=2", "mix.min_rows=1", "mix.real_share=0"),
    *("backend.device=cpu", "backend.dtype=float32", "update.device=cpu", "update.compute=float32"),
    *("update.trainable=full", "loop.iterations=1", *LENGTHS),
)
TRAINING = {"device": "cpu", "compute": "float32", "trainable": "full", "learning_rate": 5e-3, "min_pairs": 2}
REWARD = [f"reward.{name}={value}" for name, value in TRAINING.items()]
ENGINE = ("judge.device=cpu", "judge.dtype=float32")
TRAINED = ("reward=start", *REWARD, "reward.members=2", "judge=reward_model", "judge.models=trained", *ENGINE)
IN_ROUNDS = ("reward=round", *REWARD, "select=preference_pairs", "update=dpo", "data.train_closed=10")


@dataclass(frozen=True)
class Ran:
    """A run, where it lies, and what it said."""

    view: RunView
    folder: Path
    lines: list[str]

    def made(self, stage: str) -> int:
        return sum(line.startswith(f"{stage} ") for line in self.lines)

    @property
    def data(self) -> Sources:
        roles = ("train", "held_out", "probe", "target", "human", "human_pairs", "gold_gate", "gold_final")
        return Sources(**{role: self.view.sources[role] for role in roles})


def ran(folder: Path, *overrides: str) -> Ran:
    """A run of a random llama that stops at every fourth token, so that many answers end."""
    if not (folder / "tiny").exists():
        make_tiny_policy(folder / "tiny", extra_stops=range(0, 256, 4))
    config = validate(compose([f"model.path={folder / 'tiny'}", *SMALL, *overrides]))
    run = Run(folder / "runs" / config.run, Store(folder / "runs/store", reporter := Silent()), config.seed)
    run_loop(config, run, Tracker(run.folder, reporter))
    return Ran(read_run(run.folder), folder, reporter.lines)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("started"), *TRAINED)


@pytest.fixture(scope="module")
def in_rounds(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("rounds"), *IN_ROUNDS, "loop.iterations=2")


def text_of(view: RunView) -> str:
    return Page(render(view, None)).text


def test_a_reward_model_trained_at_the_start_judges_candidates_and_gold(started: Ran) -> None:
    view = started.view
    trained = view.sources["reward"]
    report = rewarding_of(trained)
    assert len(report.members) == 2
    for stage in ("health", "judge"):
        assert view.iterations[0][stage].policy.key == trained.key
    accuracy = health_of(view.iterations[0]["health"]).measures["accuracy"]
    assert accuracy.value == report.gold.measures["accuracy"].value
    assert "reward" not in view.iterations[0]


def test_what_came_of_it_stands_in_log_metrics_page_and_chain(started: Ran) -> None:
    view = started.view
    (line,) = [one for one in started.lines if one.startswith("  reward model of 2 members, ")]
    assert "on 22 of 24 pairs: accuracy held-out 1.000 [" in line
    assert "2 pairs, no better than a coin as far as they tell" in line
    first, last = metrics_of_run(view)
    assert first["reward/held_out/pairs"] == 2
    opened = open_run(view.folder)
    assert opened.reward == rewarding_of(view.sources["reward"])
    assert opened.rounds[0].reward is None
    assert first["reward/gold/member_agreement_low"] > 0
    assert not [name for name in last if name.startswith("reward/")]
    text = text_of(view)
    assert "Trained before round 0" in text
    assert "On held-out pairs (2 of 2 pairs scored): no better than a coin" in text
    row = next(view.iterations[0]["mix"].records(Example))
    told = explain(view, row.id)
    assert [one.stage for one in told.rounds[0].chain] == [
        *("source", "prompts", "sample", "source", "reward", "judge", "select", "decide", "mix", "update")
    ]
    assert any("judged by the reward model trained at the start" in line for line in explanation_lines(told))


def test_every_metric_of_it_is_defined(started: Ran, in_rounds: Ran) -> None:
    rows = [*metrics_of_run(started.view), *metrics_of_run(in_rounds.view)]
    emitted = {name for row in rows for name in row if name.startswith("reward/")}
    patterns = [one for one in documented_names() if one.pattern.startswith("reward/")]
    measures = rewarding_of(started.view.sources["reward"]).gold.measures
    named = emitted | {f"reward/gold/{name}" for name in measures}
    assert sorted(name for name in named if not any(one.fullmatch(name) for one in patterns)) == []


def test_every_byte_of_it_verifies_and_a_changed_one_does_not(started: Ran) -> None:
    check_links(started.view)
    check_chain(started.view)
    for _, artifact in started.view.artifacts():
        check_artifact(artifact)
    weights = started.view.sources["reward"].path / "model-2" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"oops")
    with pytest.raises(SelfrewardError, match="reward"):
        check_artifact(started.view.sources["reward"])
    weights.write_bytes(whole)


def test_status_tells_of_it_and_gc_spares_it(started: Ran) -> None:
    status = selfreward("status", str(started.view.folder), cwd=started.folder).stdout
    assert "\nreward model of 2 members, 6 steps on 22 of 24 pairs" in status
    (started.view.folder / "config.json").write_text('{"model": {}}')
    collect([started.view.folder], Store(started.folder / "runs/store", Silent()), print)
    assert not read_run(started.view.folder).sources["reward"].manifest.collected


@pytest.mark.slow
def test_equal_recipes_share_it_and_another_seed_does_not(started: Ran) -> None:
    again = ran(started.folder, *TRAINED, "run=again", "sample.temperature=0.8")
    assert again.made("reward") == 0
    assert again.view.sources["reward"].key == started.view.sources["reward"].key
    other = ran(started.folder, *TRAINED, "run=other", "seed=1")
    assert other.view.sources["reward"].key != started.view.sources["reward"].key


@pytest.mark.slow
@pytest.mark.parametrize("settings", [TRAINED, IN_ROUNDS], ids=["start", "round"])
def test_a_run_killed_in_training_ends_as_if_left_alone(
    settings: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ran(tmp_path, *settings)
    train = stage_of_reward.run_job

    def killed(job, *told):
        train(job, *told)
        raise KeyboardInterrupt

    other = tmp_path / "other"
    other.mkdir()
    (other / "tiny").symlink_to(tmp_path / "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(stage_of_reward, "run_job", killed)
        with pytest.raises(KeyboardInterrupt):
            ran(other, *settings)
    resumed = ran(other, *settings)
    assert {name: one.digest for name, one in resumed.view.artifacts()} == {
        name: one.digest for name, one in whole.view.artifacts()
    }


@pytest.mark.slow
def test_it_duels_and_sits_on_a_jury(started: Ran) -> None:
    member = "judge.members.reward"
    seat = (f"+judge@{member}=reward_model", f"{member}.models=trained", f"{member}.device=cpu")
    jury = ("judge=jury", *seat, f"{member}.dtype=float32", "~judge.members.pairwise", "~judge.members.rubric")
    duel = ("duel=reward_model", "duel.judge.models=trained", "duel.judge.device=cpu", "duel.judge.dtype=float32")
    view = ran(started.folder, "run=jury", *TRAINED[:-4], *jury, *duel).view
    key = view.sources["reward"].key
    assert view.iterations[0]["judge"].manifest.inputs["juror_reward"].key == key
    assert view.iterations[1]["duel"].policy.key == key
    check_chain(view)


def test_in_rounds_it_learns_each_rounds_pairs_and_judges_none(in_rounds: Ran) -> None:
    view = in_rounds.view
    for t in (0, 1):
        stages = view.iterations[t]
        assert stages["reward"].manifest.inputs["pairs"].key == stages["mix"].key
        assert rewarding_of(stages["reward"]).pairs == stages["mix"].rows("pairs")
        assert stages["reward"].key not in {one.key for one in stages["judge"].manifest.inputs.values()}
        assert metrics_of_run(view)[t]["reward/pairs"] == stages["mix"].rows("pairs")
    assert view.iterations[1]["reward"].policy.digest == view.iterations[0]["update"].digest, "it starts as what drew"
    assert "reward" not in view.iterations[2]
    assert sum(line.startswith("  reward model, ") for line in in_rounds.lines) == 2
    text = text_of(view)
    assert "Trained in round 1" in text
    assert "Accuracy over the rounds" in text


def test_gc_deletes_all_but_the_last_and_chains_still_hold(in_rounds: Ran) -> None:
    said: list[str] = []
    settings = '{"model": {}, "judge": {}, "reward": {"path": null}}'
    (in_rounds.view.folder / "config.json").write_text(settings)
    store, judging = Store(in_rounds.folder / "runs/store", Silent()), in_rounds.folder / "runs/judging"
    judging.mkdir()
    models = [str(in_rounds.view.folder / "iter-000/reward/model-1")]
    (judging / "config.json").write_text(json.dumps({"model": {}, "judge": {"models": models}}))
    collect([in_rounds.view.folder], store, said.append, dry_run=True)
    assert not [line for line in said if "/reward/" in line], "another run judges with it"
    shutil.rmtree(judging)
    collect([in_rounds.view.folder], store, said.append)
    view = read_run(in_rounds.view.folder)
    assert [view.iterations[t]["reward"].manifest.collected for t in (0, 1)] == [True, False]
    assert not list((in_rounds.folder / "runs/store/reward").glob(f"{view.iterations[0]['reward'].key}/model-*"))
    check_chain(view)
    assert rewarding_of(view.iterations[0]["reward"]).pairs > 0, "the report outlives the weights"
    assert sum("/reward/" in line for line in said) == 1


def begun(ran: Ran, folder: Path, **settings: object) -> tuple[tuple[Policy, ...], Ran]:
    """The start of another run on the data of one, with a reward model."""
    spec = RewardSpec.model_validate({**TRAINING, **settings})
    run = Run(ran.folder / "runs" / folder.name, Store(ran.folder / "runs/store", reporter := Silent()), 0)
    policy = ran.view.iterations[0]["sample"].policy
    start = Policy(path=ran.folder / "tiny", key=policy.key, digest=policy.digest)
    made = reward_at_start(spec, OverlapSpec(near=None), run, ran.data, start)
    return made, Ran(read_run(run.folder) if run.folder.exists() else ran.view, ran.folder, reporter.lines)


def test_it_learns_the_pairs_of_an_earlier_run_but_not_what_is_measured(in_rounds: Ran, tmp_path: Path) -> None:
    members, later = begun(in_rounds, tmp_path, pairs_of=in_rounds.view.name)
    assert len(members) == 1
    trained, mixed = later.view.sources["reward"], in_rounds.view.iterations[1]["mix"]
    assert mixed.holds(trained.manifest.inputs["pairs"])
    assert later.view.sources["clean_reward_pairs"].rows("dropped") == 0
    measured = replace(in_rounds, view=replace(in_rounds.view, sources=asking(in_rounds.view)))
    with pytest.raises(StarvedLoop, match="0 pairs to train a reward model on"):
        begun(measured, tmp_path, pairs_of=in_rounds.view.name)


def asking(view: RunView) -> dict[str, Artifact]:
    """The data of a run that measures on the prompts that it trains on."""
    return {**view.sources, "held_out": view.sources["train"]}


def test_pairs_that_are_not_there_are_refused_in_one_line(in_rounds: Ran, started: Ran, tmp_path: Path) -> None:
    run = Run(in_rounds.folder / "runs/later", Store(in_rounds.folder / "runs/store", Silent()), 0)
    path = in_rounds.view.folder / "iter-000" / "select"
    assert pairs_of(str(path), run).digest == in_rounds.view.iterations[0]["select"].digest
    (tmp_path / "empty").mkdir()
    run.folder.mkdir()
    for named, message in {
        "nobody": r"^reward\.pairs_of=nobody: .*nobody has no mixture",
        str(tmp_path / "empty"): r"has no mixture \(any more\): give the name of a run below",
        str(started.view.folder): r"holds no pairs: name a run with select=preference_pairs",
        "later": r"^reward\.pairs_of=later is this run",
    }.items():
        with pytest.raises(ConfigError, match=message) as caught:
            pairs_of(named, run)
        assert "\n" not in str(caught.value)


def test_a_start_that_is_no_reward_model_is_refused_before_anything_is_trained(in_rounds: Ran, tmp_path: Path) -> None:
    two = make_tiny_reward_model(tmp_path / "two", labels=2)
    mute = make_tiny_reward_model(tmp_path / "mute")
    (mute / "chat_template.jinja").unlink()
    headless = make_tiny_reward_model(tmp_path / "headless")
    _without_head(headless)
    for train in ("start", "round"):
        for folder, message in {
            two: r"gives 2 logits, and a reward model gives one",
            mute: r"has no chat template",
            headless: r"no file in .* holds score\.weight",
            in_rounds.folder / "tiny": r"no reward model: give the folder",
            tmp_path / "nothing": r"is no folder",
        }.items():
            with pytest.raises((AssetError, BackendError), match=message) as caught:
                begun(in_rounds, tmp_path, train=train, path=folder)
            assert str(caught.value).startswith(f"reward.path={folder}")
            assert "\n" not in str(caught.value)


def _without_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("score")}
    save_file(kept, path, metadata={"format": "pt"})


def test_a_reward_model_can_be_gone_on_from(in_rounds: Ran, tmp_path: Path) -> None:
    start = make_tiny_reward_model(tmp_path / "start")
    members, _ = begun(in_rounds, tmp_path, path=start, learning_rate=1e-12)
    assert len(members) == 1
    again, _ = begun(in_rounds, tmp_path, path=make_tiny_reward_model(tmp_path / "moved"), learning_rate=1e-12)
    assert again == members, "a folder counts by its bytes"
    other, _ = begun(in_rounds, tmp_path, path=make_tiny_reward_model(tmp_path / "other", seed=1), learning_rate=1e-12)
    assert other != members


def test_too_few_pairs_end_the_run_and_few_are_told(in_rounds: Ran, tmp_path: Path) -> None:
    with pytest.raises(StarvedLoop, match=r"24 pairs .* fewer than reward\.min_pairs=100") as caught:
        begun(in_rounds, tmp_path, min_pairs=100)
    assert caught.value.exit_status == 3


FILES = ("data=files", "data.train=train.jsonl", "mix.real_share=0")
ASKED = ("data.human_pairs=200", "judge=reward_model", "judge.models=trained")
ON_JURY = ("judge=jury", "+judge@judge.members.rm=reward_model", "judge.members.rm.models=trained")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reward=start"], r"reward\.train=start has no pairs .*data\.human_pairs a number, as in"),
        ([*FILES, "reward=start"], r"reward\.train=start has no pairs .*data\.human_pairs a file, or reward\.pairs_of"),
        (
            ["reward=round"],
            r"reward\.train=round with select=best_of_k, which makes no pairs .*select=preference_pairs",
        ),
        ([*IN_ROUNDS, "reward.pairs_of=x"], r"reward\.pairs_of=x with reward\.train=round"),
        (ASKED, r"judge\.models=trained judges with .*set reward=start"),
        ([*IN_ROUNDS[:-1], *ASKED], r"judge\.models=trained .*one of reward\.train=round judges nothing"),
        (ON_JURY, r"judge\.members\.rm\.models=trained .*set reward=start"),
        (["duel=reward_model", "duel.judge.models=trained"], r"duel\.judge\.models=trained .*set reward=start"),
        (
            [*ASKED, "reward=start", "judge.aggregate=lower"],
            r"judge\.aggregate=lower of one model.*reward\.members=2 or more",
        ),
        ([*ASKED, "judge.models=/x"], r"judge\.models=/x: should be trained, or folders in brackets"),
        (["experiment=scripted", "reward=start"], r"reward with model=scripted, which has no weights.*reward=none"),
        (["reward=start", "reward.held_out=1", *ASKED], r"reward\.held_out=1"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_change(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(compose([*settings]))
    assert "\n" not in str(caught.value)


def test_without_a_run_nothing_was_trained_to_judge_with(tmp_path: Path) -> None:
    config = validate(compose(["reward=start", *ASKED, *ENGINE]))
    start = Policy(path=tmp_path, key="k", digest="d")
    policies = Policies(live=start, previous=start, initial=start)
    with config.backend.open(start) as backend:
        judges = Judges(config.backend, backend, tmp_path, policies)
        with pytest.raises(ConfigError, match=r"models=trained .* this is no run: give judge\.models their folders"):
            judges.named(config.judge)


@pytest.mark.parametrize("name", ["rft_reward_model", "online_dpo_reward_model"])
def test_an_experiment_trains_what_judges_at_any_size(name: str) -> None:
    for size in ("debug", "full"):
        config = validate(compose([f"experiment={name}", f"size={size}"]))
        assert config.judge.models == "trained"
        assert config.reward is not None
        assert 0.9 * config.data.human_pairs > config.reward.min_pairs


def test_the_one_of_each_round_is_that_of_the_start_but_for_when() -> None:
    at_start = validate(compose(["reward=start", *ASKED])).reward
    each = validate(compose(["reward=round", "select=preference_pairs", "update=dpo"])).reward
    assert at_start is not None
    assert each == at_start.model_copy(update={"train": "round"}) == RewardSpec(train="round")
    assert validate(compose(["experiment=online_dpo_reward_model", "reward=none", *ASKED[1:], "judge.models=[/x]"]))
