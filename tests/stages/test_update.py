"""The update stage: what it keeps of reinforcement learning, and that a killed one goes on below its artifact."""

from dataclasses import replace

import pytest

from selfreward.artifacts import Store
from selfreward.artifacts.parquet import LASTING
from selfreward.policies import Policy, RewardModels
from selfreward.records import Prompt, make_prompt
from selfreward.row_kinds import FEEDBACK, as_kind
from selfreward.stages.update import policy_of, training_of, update
from selfreward.updates import DpoSpec, GrpoSpec, KtoSpec, RftSpec, RlooSpec
from selfreward.updates.rl_sources import ModelReward
from selfreward.updates.rl_steps import RlStep
from tests.rewarding import make_tiny_reward_model
from tests.stages.tables import artifact
from tests.support import Silent, SilentBar
from tests.tiny import make_example, make_pair, make_tiny_policy

SETTINGS = {
    "device": "cpu",
    "compute": "float32",
    "top_layers": 1,
    "steps": 3,
    "prompts_per_step": 2,
    "batch_size": 8,
    "max_new_tokens": 6,
    "learning_rate": 1e-2,
    "rewards": {"model": ModelReward()},
}
PROMPTS = [make_prompt(f"what is {number}", system="", stratum="open", source="t") for number in range(4)]
UNPAIRED = [replace(as_kind(make_example(number), FEEDBACK), desirable=number % 2 == 0) for number in range(6)]


class Killing(Silent):
    """A reporter whose bar ends everything after so many steps."""

    def __init__(self, after: int | None) -> None:
        super().__init__()
        self.after = after

    def progress(self, title: str, total: int | None, unit: str) -> SilentBar:
        return Bar(self)


class Killed(BaseException):
    """What nobody catches."""


class Bar(SilentBar):
    def __init__(self, owner: Killing) -> None:
        self.owner, self.done = owner, 0

    def __enter__(self):
        return self.advance

    def advance(self, more: int) -> None:
        self.done += more
        if self.done == self.owner.after:
            raise Killed


@pytest.mark.parametrize("kind", [GrpoSpec, RlooSpec])
def test_steps_are_a_table_and_a_killed_update_goes_on_in_its_place(tmp_path, kind):
    policy = make_tiny_policy(tmp_path / "policy")
    folder = make_tiny_reward_model(tmp_path / "reward")
    given = {
        "policy": policy,
        "reference": policy,
        "training": artifact(tmp_path, "prompts", {"prompts": (Prompt, PROMPTS)}),
        "reward_models": RewardModels(members=(Policy(path=folder, key="r", digest="r"),), engine={}),
        "seed": 3,
    }
    plain = Store(tmp_path / "plain", Silent()).run(update, kind(**SETTINGS), **given)

    saving = kind(**SETTINGS, save_steps=1)
    with pytest.raises(Killed):
        Store(tmp_path / "store", Killing(3)).run(update, saving, **given)
    assert len(list((tmp_path / "store/update").glob(f"*/{LASTING}/model/checkpoint-2/optimizer.pt"))) == 1
    reporter = Killing(None)
    resumed = Store(tmp_path / "store", reporter).run(update, saving, **given)

    assert resumed.key == plain.key, "how often it saves decides nothing"
    assert resumed.digest == plain.digest, "all bytes are those of training that was never killed"
    assert not (resumed.path / LASTING).exists()
    assert any("3 steps of 8 completions: 24, with 144 tokens at most" in line for line in reporter.lines)

    steps = list(plain.records(RlStep, "steps"))
    report = training_of(plain)
    assert [one.step for one in steps] == [1, 2, 3]
    assert {one.name for step in steps for one in step.sources} == {"model"}
    assert report.completions == sum(one.completions for one in steps) == 24
    assert report.rl_steps is None, "the table has them"
    assert report.sources is not None
    model = report.sources["model"]
    assert (model.applied, model.missing) == (24, 0)
    said = [step.sources[0] for step in steps]
    assert (model.mean_first, model.mean_last) == (said[0].mean, said[-1].mean)
    assert (model.deviation_first, model.deviation_last) == (said[0].deviation, said[-1].deviation)
    assert report.tokens_drawn and report.tokens_judged
    assert plain.tokens == report.tokens_drawn + report.tokens_judged, "what it drew and what was read are what it cost"
    assert (policy_of(plain).path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("spec", "table", "rows"),
    [
        (RftSpec, "rows", [make_example(number) for number in range(6)]),
        (DpoSpec, "pairs", [make_pair(number) for number in range(6)]),
        (KtoSpec, "unpaired_rows", UNPAIRED),
    ],
    ids=["rft", "dpo", "kto"],
)
def test_a_killed_update_of_rows_goes_on_in_its_place_too(tmp_path, spec, table, rows):
    policy = make_tiny_policy(tmp_path / "policy")
    given = {
        "policy": policy,
        "reference": None if spec is RftSpec else policy,
        "training": artifact(tmp_path, "rows", {table: (type(rows[0]), rows)}),
        "seed": 3,
    }
    settings = {"device": "cpu", "compute": "float32", "top_layers": 1, "batch_size": 2, "learning_rate": 1e-2}
    plain = Store(tmp_path / "plain", Silent()).run(update, spec(**settings), **given)
    saving = spec(**settings, save_steps=1)
    with pytest.raises(Killed):
        Store(tmp_path / "store", Killing(3)).run(update, saving, **given)
    assert len(list((tmp_path / "store/update").glob(f"*/{LASTING}/model/checkpoint-2/optimizer.pt"))) == 1
    resumed = Store(tmp_path / "store", Silent()).run(update, saving, **given)
    assert (resumed.key, resumed.digest) == (plain.key, plain.digest)
    assert training_of(resumed) == training_of(plain)
    assert sorted(one.name for one in resumed.path.iterdir()) == ["manifest.json", "model", "training.json"]
