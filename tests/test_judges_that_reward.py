"""What an update is given that asks judges for rewards: which policies, on which engines, and what its key counts."""

from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.backends import HfSpec, ServerSpec
from selfreward.config import validate
from selfreward.errors import ConfigError
from selfreward.judges import AnyJudge
from selfreward.judges.jury import JurySpec
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judging_policies import Judges
from selfreward.policies import Endpoint, Policies, Policy, RewardModels
from selfreward.spec import identity
from selfreward.updates import GrpoSpec, RftSpec
from selfreward.updates.rl_sources import JudgeReward
from tests.rewarding import make_tiny_reward_model

HF = HfSpec(device="cpu", dtype="float32", workers=1)
SERVER = ServerSpec(model="m", urls=("http://localhost:1/v1",))
LIVE, PREVIOUS, INITIAL = (Policy(path=Path(name), key=name, digest=name) for name in ("live", "previous", "initial"))
OWN = LikelihoodSpec()


@pytest.fixture
def judges(tmp_path: Path) -> Judges:
    policies = Policies(live=LIVE, previous=PREVIOUS, initial=INITIAL)
    return Judges(HF, HF.open(LIVE), tmp_path / "store", policies)


def asking(**rewards: JudgeReward) -> GrpoSpec:
    return GrpoSpec(rewards=rewards, device="cpu")


def given(judges: Judges, update: Any, judge: AnyJudge = OWN, trusted: Any = LIVE) -> dict[str, Any]:
    return judges.rewarding(update, judge, trusted, None, None)


def test_an_update_that_asks_no_judge_is_given_what_it_was_given(judges: Judges) -> None:
    for update in (RftSpec(device="cpu"), GrpoSpec(device="cpu")):
        assert given(judges, update) == {"engine": update.engine()}
        assert identity(update.judged_by(OWN, HF)) == identity(update)


def test_the_judge_of_the_run_is_the_policy_that_judged_the_round_also_where_it_is_frozen(judges: Judges) -> None:
    update = asking(own=JudgeReward(), other=JudgeReward(judge=LikelihoodSpec(policy="initial")))
    found = given(judges, update, trusted=PREVIOUS)
    assert (found["rewards.own"], found["rewards.other"]) == (PREVIOUS, INITIAL)
    assert found["engine"]["judges"] == {name: dict(HF.open(LIVE).identity) for name in ("own", "other")}
    assert {name: value for name, value in found["engine"].items() if name != "judges"} == update.engine()


def test_naming_the_judge_of_the_run_or_its_engine_changes_no_key_and_other_settings_do(judges: Judges) -> None:
    own, named = asking(r=JudgeReward()), asking(r=JudgeReward(judge=OWN))
    placed = asking(r=JudgeReward(judge=LikelihoodSpec(backend=HF, policy="live")))
    keys = [(identity(one.judged_by(OWN, HF)), _counted(given(judges, one))) for one in (own, named, placed)]
    assert keys[0] == keys[1] == keys[2]
    elsewhere = validate(compose(["judge=rubric"])).judge
    other = elsewhere.model_copy(update={"temperature": 0.1})
    assert identity(own.judged_by(elsewhere, HF)) != identity(own.judged_by(other, HF))
    wider = HfSpec(device="cpu", dtype="float32", workers=1, batch_size=3)
    placed = asking(r=JudgeReward(judge=LikelihoodSpec(backend=wider)))
    assert _counted(given(judges, placed)) != keys[0][1], "an engine counts by its identity"


def _counted(found: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(one, "digest", one) for name, one in found.items() if one is not None}


def test_endpoints_reward_models_and_functions_judge_with_what_is_theirs(judges: Judges, tmp_path: Path) -> None:
    folder = make_tiny_reward_model(tmp_path / "reward")
    (tmp_path / "rewards.py").write_text("def score(completions, **_):\n    return [1.0] * len(completions)\n")
    models = validate(compose(["judge=reward_model", f"judge.models=[{folder}]", "judge.standardise=false"])).judge
    code = validate(compose(["judge=function", f"judge.function={tmp_path}/rewards.py:score"])).judge
    far = validate(compose(["judge=rubric"])).judge.model_copy(update={"policy": "endpoint", "backend": SERVER})
    update = asking(far=JudgeReward(judge=far), models=JudgeReward(judge=models), code=JudgeReward(judge=code))
    found = given(judges, update)
    assert found["rewards.far"] == Endpoint(model="m", revision=None)
    assert isinstance(found["rewards.models"], RewardModels)
    assert len(found["rewards.models"].members) == 1
    assert found["rewards.code"] is None
    assert list(found["engine"]["judges"]) == ["far"]
    assert found["engine"]["judges"]["far"]["repeatable"] is False


def test_jurors_and_their_engines_count_beside_the_jury(judges: Judges) -> None:
    members = {
        "self": LikelihoodSpec(),
        "first": LikelihoodSpec(policy="initial"),
        "far": validate(compose(["judge=rubric"])).judge.model_copy(update={"policy": "endpoint", "backend": SERVER}),
    }
    found = given(judges, asking(r=JudgeReward(judge=JurySpec(members=members))))
    assert found["rewards.r"] == LIVE
    assert found["rewards.r.first"] == INITIAL
    assert found["rewards.r.far"] == Endpoint(model="m", revision=None)
    assert found["rewards.r.self"] is None
    assert list(found["engine"]["judges"]) == ["r", "r.far"]


RL = ("select=prompts", "update=grpo")
OTHER = "+update.rewards.r={kind:judge}"
COMPARES = ("+judge@update.rewards.r.judge=pairwise", "+update.rewards.r.kind=judge")
JURY = ("+judge@update.rewards.r.judge=jury", "+update.rewards.r.kind=judge")
MODELS = "models:[/models/reward]"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["+update.rewards.r={kind:taste}"], r"^update\.rewards\.r: .*'verifier', 'reward_model', 'length', 'judge'"),
        (["+update.rewards.r={kind:judge,judge:{kind:rubic}}"], r"^update\.rewards\.r\.judge: .*'rubric'"),
        (
            ["+update.rewards.r={kind:judge,against:best}"],
            r"rewards\.r\.against=best: .*'group' or 'reference'",
        ),
        (
            [OTHER, "judge=likelihood", "backend=vllm"],
            r"^update\.rewards\.r asks a judge on backend=vllm, .*backend=hf",
        ),
        (
            [*COMPARES, "+backend@update.rewards.r.judge.backend=vllm"],
            r"^update\.rewards\.r asks .*\+backend@update\.rewards\.r\.judge\.backend=hf, or =server with update\.rew",
        ),
        (
            ["+update.rewards.r={kind:judge,against:reference}", "judge=likelihood"],
            r"^update\.rewards\.r\.against=reference with judge=likelihood, .*\+judge@update\..*=pairwise",
        ),
        ([*COMPARES, "update.rewards.r.judge.budget=2"], r"r\.judge\.budget=2 leaves some of update\.group_size=4"),
        (
            [*COMPARES, "+backend@update.rewards.r.judge.backend=server", "update.rewards.r.judge.backend.model=m"],
            r"^update\.rewards\.r\.judge\.policy=live on backend=server: set .*\.r\.judge\.policy=endpoint",
        ),
        (
            [*COMPARES, "update.rewards.r.judge.own=[me]"],
            r"^update\.rewards\.r\.judge\.own=me: only the judge",
        ),
        (
            [*JURY, "update.rewards.r.judge.rule=weighted", "update.rewards.r.judge.weights=learned"],
            r"^update\.rewards\.r\.judge\.weights=learned are learned by the judge of the run alone",
        ),
        (
            [f"+update.rewards.r={{kind:judge,judge:{{kind:reward_model,{MODELS}}}}}"],
            r"^update\.rewards\.r\.judge\.standardise=true .*: set update\.rewards\.r\.judge\.standardise=false$",
        ),
        (
            ["+update.rewards.r={kind:judge,judge:{kind:reward_model,models:trained,standardise:false}}"],
            r"^update\.rewards\.r\.judge\.models=trained judges with a reward model .*: set reward=start",
        ),
        (
            ["+update.rewards.r={kind:judge,judge:{kind:verifier}}", "judge=likelihood", "overoptimisation=default"],
            "overoptimisation.gold is the judge that the run trains on",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_change(overrides: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        validate(compose([*RL, *overrides]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        [OTHER],
        [f"+update.rewards.r={{kind:judge,judge:{{kind:reward_model,{MODELS},standardise:false}}}}"],
        [*COMPARES, "+update.rewards.r.against=reference", "update.rewards.r.judge.budget=1"],
        [OTHER, "backend=vllm", "judge=verifier"],
        [OTHER, "backend=vllm", "judge=likelihood", "+backend@judge.backend=hf"],
        [*COMPARES, "backend=vllm", "judge=verifier", "+backend@update.rewards.r.judge.backend=hf"],
    ],
)
def test_what_can_reward_is_taken(overrides: list[str]) -> None:
    config = validate(compose([*RL, *overrides]))
    assert "r" in config.update.judges
