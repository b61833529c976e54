"""The stage that trains reward models: held out by prompt, an ensemble whose members differ, a report of all of it."""

from dataclasses import replace

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.parquet import LASTING
from selfreward.errors import CorruptArtifact, DataError, StarvedLoop
from selfreward.judges.reward_model import RewardModelSpec
from selfreward.policies import RewardModels
from selfreward.records import Candidate, GoldPair, PreferencePair, Prompt
from selfreward.stages import reward as stage_of_reward
from selfreward.stages.judge import judge
from selfreward.stages.reward import members_of, reward, reward_line, rewarding_of
from selfreward.updates.reward import RewardSpec
from selfreward.updates.training_process import run_job
from tests.stages.tables import artifact, drawn, open_prompt
from tests.support import Silent, SilentBar
from tests.tiny import ask, make_pair, make_tiny_policy

SPEC = RewardSpec(
    learning_rate=5e-3,
    batch_size=4,
    epochs=2,
    top_layers=1,
    compute="float32",
    device="cpu",
    members=2,
    held_out=0.25,
    min_pairs=10,
)
PAIRS = [replace(make_pair(number), id=f"{number}", prompt_id=f"p{number // 2}") for number in range(24)]
OTHER = [
    GoldPair(id=f"f{number}", messages=ask(f"why {number}"), right="no way out", wrong="hello you", source="reversed")
    for number in range(6)
]
GOLD = [
    GoldPair(id=f"g{number}", messages=ask(f"who {number}"), right="hello you", wrong="no way out", source="test")
    for number in range(12)
]


def made(folder, spec=SPEC, pairs=PAIRS, gold=GOLD, final=(), seed=3, reporter=None):
    policy = make_tiny_policy(folder / "policy")
    store = Store(folder / "store", reporter := reporter or Silent())
    given = {
        "pairs": artifact(folder, "pairs", {"pairs": (PreferencePair, pairs)}),
        "gold": artifact(folder, "gold", {"rows": (GoldPair, gold)}) if gold else None,
        "final": artifact(folder, "final", {"rows": (GoldPair, final)}) if final else None,
    }
    return store.run(reward, spec, seed=seed, policy=policy, **given), reporter


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    return made(tmp_path_factory.mktemp("ensemble"))


def test_the_report_tells_of_every_pair(ensemble):
    rewarded, reporter = ensemble
    report = rewarding_of(rewarded)
    assert (report.pairs, report.held_out.pairs, report.held_out.prompts) == (24, 6, 3)
    assert [one.rows_trained for one in report.members] == [18, 18]
    assert report.held_out.measures["accuracy"].n == 6
    assert report.gold.measures["accuracy"].n == 12
    assert report.gold.measures["accuracy"].low > 0.5
    assert report.held_out.measures["member_agreement"].value is not None
    assert any("24 pairs are few for a reward model" in line for line in reporter.lines)


def test_members_are_folders_of_their_own_that_differ(ensemble):
    members = members_of(ensemble[0])
    assert len({one.digest for one in members}) == 2
    weights = [(one.path / "model.safetensors").read_bytes() for one in members]
    assert weights[0] != weights[1]
    assert not list(ensemble[0].path.glob("scratch-*"))


def test_it_counts_by_its_weights_and_not_by_what_it_is_held_against(ensemble, tmp_path):
    other, _ = made(tmp_path, gold=[*GOLD, *OTHER], final=OTHER)
    assert other.digest != ensemble[0].digest
    assert [one.digest for one in members_of(other)] == [one.digest for one in members_of(ensemble[0])]
    report = rewarding_of(other)
    assert {name: one.n for name, one in report.gold.sets.items()} == {"test": 12, "reversed": 6}
    assert report.gold.sets["test"].value > 0.5 > report.gold.sets["reversed"].value
    assert (report.final.pairs, report.final.sets) == (6, {})
    line = reward_line(report)
    assert line.startswith("  reward model of 2 members, 20 steps on 18 of 24 pairs: accuracy held-out ")
    assert f"final {report.final.measures['accuracy'].value:.3f} [" in line
    assert line.endswith("on 6 pairs, no better than a coin as far as they tell")


def test_pairs_beyond_its_context_are_told_of(tmp_path):
    long = GoldPair(id="long", messages=ask("who"), right="y" * 200, wrong="n", source="test")
    report = rewarding_of(made(tmp_path, SPEC.model_copy(update={"members": 1}), gold=[*GOLD, long])[0])
    assert (report.gold.pairs, report.gold.measures["accuracy"].n) == (13, 12)
    assert "on 12 pairs (1 more were beyond its context)" in reward_line(report)


def test_pairs_of_both_origins_are_told_apart(tmp_path):
    pairs = [replace(one, origin="human" if int(one.id) % 4 < 2 else "self") for one in PAIRS]
    report = rewarding_of(made(tmp_path, SPEC.model_copy(update={"members": 1, "held_out": 0.5}), pairs)[0])
    assert report.held_out.sets.keys() == {"human", "self"}
    assert sum(one.n for one in report.held_out.sets.values()) == report.held_out.pairs == 12


def test_a_training_that_was_killed_is_made_again_to_the_same_bytes(ensemble, tmp_path, monkeypatch):
    jobs = []

    def killed(job, *told):
        jobs.append(job.out.name)
        if job.out.name == "model-2":
            raise KeyboardInterrupt
        return run_job(job, *told)

    monkeypatch.setattr(stage_of_reward, "run_job", killed)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path)
    assert jobs == ["model-1", "model-2"]
    monkeypatch.undo()
    assert made(tmp_path)[0].digest == ensemble[0].digest


class Killed(BaseException):
    """What nobody catches."""


class Killing(Silent):
    """A reporter that remembers how each training went, and ends everything after so many steps of the second."""

    def __init__(self, after=None):
        super().__init__()
        self.after, self.trainings = after, []

    def progress(self, title, total, unit):
        self.trainings.append([])
        return Bar(self)


class Bar(SilentBar):
    def __init__(self, owner):
        self.owner = owner

    def __enter__(self):
        return self.advance

    def advance(self, more):
        self.owner.trainings[-1].append(more)
        if len(self.owner.trainings) == 2 and sum(self.owner.trainings[-1]) == self.owner.after:
            raise Killed


def test_members_that_were_trained_are_not_trained_again_and_the_killed_one_goes_on(ensemble, tmp_path):
    saving = SPEC.model_copy(update={"save_steps": 2})
    with pytest.raises(Killed):
        made(tmp_path, saving, reporter=Killing(after=5))
    (folder,) = (tmp_path / "store/reward").iterdir()
    there = sorted(path.relative_to(folder / LASTING).as_posix() for path in folder.glob(f"{LASTING}/*/checkpoint-*"))
    assert [name for name in there if not name.endswith(".sha256")] == ["model-1/checkpoint-10", "model-2/checkpoint-4"]
    again, reporter = made(tmp_path, saving, reporter=Killing())
    assert reporter.trainings == [[10], [4, 1, 1, 1, 1, 1, 1]]
    assert (again.key, again.digest) == (ensemble[0].key, ensemble[0].digest)
    assert sorted(path.name for path in again.path.iterdir()) == ["manifest.json", "model-1", "model-2", "reward.json"]


def test_the_same_seed_makes_the_same_models(ensemble, tmp_path):
    assert made(tmp_path)[0].digest == ensemble[0].digest


def test_labels_are_learned_and_pairs_without_one_are_plain_verdicts(ensemble, tmp_path):
    plain = made(tmp_path / "plain", pairs=[replace(one, label=1.0) for one in PAIRS])[0]
    assert plain.digest == ensemble[0].digest
    soft = rewarding_of(made(tmp_path / "soft", pairs=[replace(one, label=0.6) for one in PAIRS])[0])
    hard = rewarding_of(ensemble[0])
    assert all(one.mean_loss > other.mean_loss for one, other in zip(soft.members, hard.members, strict=True))
    soft_pairs, hard_pairs = (one.held_out.measures["accuracy"].n for one in (soft, hard))
    assert soft_pairs == hard_pairs, "which answer is better is said as ever"


def test_a_label_that_is_no_probability_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"the label 1\.2, which is no probability"):
        made(tmp_path, pairs=[*PAIRS[1:], replace(PAIRS[0], label=1.2)])


def test_what_was_trained_judges_and_its_bytes_are_looked_after(ensemble, tmp_path):
    rewarded = ensemble[0]
    store = Store(rewarded.path.parents[1], Silent())
    prompt = open_prompt(1)
    made_up = {
        "prompts": ("rows", Prompt, [prompt]),
        "candidates": ("rows", Candidate, [drawn(prompt, 0, "hello you")]),
    }
    given = {name: artifact(tmp_path, name, {table: (kind, rows)}) for name, (table, kind, rows) in made_up.items()}
    spec = RewardModelSpec(
        models=[one.path for one in members_of(rewarded)], standardise=False, device="cpu", dtype="float32"
    )
    policy = RewardModels(members=members_of(rewarded), engine={})
    judged = store.run(judge, spec, seed=1, policy=policy, **given)
    assert judged.rows("evidence") == 2
    assert judged.manifest.inputs["policy"].key == rewarded.key

    weights = rewarded.path / "model-2" / "model.safetensors"
    bytes_ = weights.read_bytes()
    weights.write_bytes(bytes_[:-4] + b"oops")
    with pytest.raises(CorruptArtifact):
        Store(rewarded.path.parents[1], Silent()).run(judge, spec, seed=2, policy=policy, **given)
    weights.write_bytes(bytes_)


def test_too_few_pairs_end_the_run(tmp_path):
    with pytest.raises(StarvedLoop, match=r"9 pairs .* reward\.min_pairs=10"):
        made(tmp_path, pairs=PAIRS[:9])
