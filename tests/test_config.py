"""Settings: every yaml fits, every default is written down once, every mistake is one clear line."""

import subprocess
import sys
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from selfreward.__main__ import compose, conf_folder
from selfreward.backends import HfSpec, ScriptedSpec, ServerSpec, VllmSpec
from selfreward.backends.rendering import ChatSpec
from selfreward.config import LoopSpec, RunConfig, StoreSpec, validate
from selfreward.data.models import HfModel, ScriptedModel
from selfreward.data.sources import EmbeddedData, ScriptedData
from selfreward.errors import ConfigError
from selfreward.judge_quality.gold_judge import OveroptimisationSpec
from selfreward.judges.likelihood import LikelihoodSpec
from selfreward.judges.verifier import VerifierSpec
from selfreward.monitor.controller import MonitorSpec
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.handed import Prompts
from selfreward.selection.pairs import PreferencePairs
from selfreward.selection.revisions import RevisionPairs, Revisions
from selfreward.selection.unpaired import Unpaired
from selfreward.spec import Spec, identity
from selfreward.stages.evaluate import EvaluateSpec
from selfreward.stages.measure import MeasureSpec
from selfreward.stages.mix import MixSpec
from selfreward.stages.sample import SampleSpec
from selfreward.tracking import TrackerSpec
from selfreward.updates import DpoSpec, RftSpec, ScriptedUpdate
from selfreward.updates.grpo import GrpoSpec
from selfreward.updates.kto import KtoSpec
from selfreward.updates.reward import RewardSpec
from selfreward.updates.rloo import RlooSpec
from selfreward.updates.training import TrainingBase
from selfreward.writing.settings import Magpie, SelfInstruct, TrainingPrompts

SPECS: dict[str, type[Spec]] = {
    "model/smollm2": HfModel,
    "model/scripted": ScriptedModel,
    "backend/hf": HfSpec,
    "backend/scripted": ScriptedSpec,
    "backend/vllm": VllmSpec,
    "data/embedded": EmbeddedData,
    "data/scripted": ScriptedData,
    "chat/default": ChatSpec,
    "loop/default": LoopSpec,
    "measure/default": MeasureSpec,
    "evaluate/default": EvaluateSpec,
    "prompts/default": TrainingPrompts,
    "prompts/magpie": Magpie,
    "prompts/self_instruct": SelfInstruct,
    "sample/default": SampleSpec,
    "judge/likelihood": LikelihoodSpec,
    "judge/verifier": VerifierSpec,
    "select/best_of_k": BestOfK,
    "select/random_pick": RandomPick,
    "select/preference_pairs": PreferencePairs,
    "select/unpaired": Unpaired,
    "select/prompts": Prompts,
    "select/revisions": Revisions,
    "select/revision_pairs": RevisionPairs,
    "mix/default": MixSpec,
    "training/default": TrainingBase,
    "reward/start": RewardSpec,
    "update/rft": RftSpec,
    "update/dpo": DpoSpec,
    "update/kto": KtoSpec,
    "update/grpo": GrpoSpec,
    "update/rloo": RlooSpec,
    "update/scripted": ScriptedUpdate,
    "store/default": StoreSpec,
    "tracker/default": TrackerSpec,
}
OWN_DEFAULTS = {"judge/rubric", "rubric/additive_five_point", "rubric/five_point_quality", "rubric/right_or_wrong"}
OWN_DEFAULTS |= {"duel/pairwise", "judge/pairwise", "judge/constitution", "constitution/helpful_honest_harmless"}
OWN_DEFAULTS |= {"judge/jury", "judge/dimensions", "rubric/right", "rubric/helpful", "rubric/clear"}
OWN_DEFAULTS |= {"comparison/better_answer", "comparison/by_principle", "comparison/right_answer"}
OWN_DEFAULTS |= {"rubric/result_mark", "rubric/score_tag", "rubric/json_score", "rubric/half_points"}
OWN_DEFAULTS |= {"comparison/letter_mark", "comparison/five_degrees", "comparison/boxed_letter"}
OWN_DEFAULTS |= {"comparison/two_scores", "comparison/json_ranking"}
OWN_DEFAULTS |= {"monitor/default", "monitor/act", "measure/hashing", "data/files", "data/hub", "seed_judge/default"}
OWN_DEFAULTS |= {"gate/default", "backend/server", "judge/function", "judge/reward_model", "overoptimisation/default"}
OWN_DEFAULTS |= {"duel/reward_model", "reward/round", "reward/small", "reward/none", "revise/default"}
OWN_DEFAULTS |= {"duel/reward_model", "reward/round", "reward/small", "reward/none"}
OWN_DEFAULTS |= {"meta/default", "meta/none", "comparison/better_judgment"}
FILES = ("data=files", "data.train=train.jsonl")
RL = ["select=prompts", "update=grpo"]
PAIRS = ("update=dpo", "select=preference_pairs")
UNPAIRED = ("update=kto", "select=unpaired", "judge=verifier")
SERVED = ("+backend@prompts.backend=server", "prompts.backend.model=m")
GOLD = "overoptimisation=default"
JUDGED_GOLD = (GOLD, "judge@overoptimisation.gold=likelihood")
INITIAL_GOLD = ("overoptimisation.gold.policy=initial",)
EXPERIMENTS = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("name", SPECS)
def test_the_yaml_writes_every_field_at_its_default(name: str) -> None:
    assert written_in(name) == SPECS[name]().model_dump(mode="json")


def test_the_yaml_of_a_server_leaves_only_its_model_open() -> None:
    assert written_in("backend/server") | {"model": "m"} == ServerSpec(model="m").model_dump(mode="json")


def written_in(name: str) -> dict[str, Any]:
    """What a file of a group writes, with what it includes of another group."""
    written = yaml.safe_load((conf_folder() / f"{name}.yaml").read_text())
    for entry in written.pop("defaults", []):
        for included, file in entry.items() if isinstance(entry, dict) else ():
            group, _, package = included.removeprefix("/").partition("@")
            values = written_in(f"{group}/{file}")
            written = {**values, **written} if package == "_here_" else {**written, package: values}
    return written


def test_every_group_file_is_known_to_this_test() -> None:
    files = {
        path.relative_to(conf_folder()).with_suffix("").as_posix()
        for path in conf_folder().glob("*/*.yaml")
        if path.parent.name not in ("experiment", "size")
    }
    assert files == SPECS.keys() | OWN_DEFAULTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes(name: str) -> None:
    assert validate(compose([f"experiment={name}"])).run == name


def test_the_real_share_is_set_in_one_place_and_the_monitor_has_its_defaults_otherwise() -> None:
    config = validate(compose(["mix.real_share=0.35"]))
    assert config.monitor == MonitorSpec(real_share=0.35)
    assert config.mix.real_share == 0.35
    assert "real_share" not in identity(config.mix)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sample.k=0"], r"sample\.k=0: .*greater than 0"),
        (["select.k=0"], r"select\.k=0: .*greater than 0"),
        (["select.k=8"], r"select\.k=8 is more than sample\.k=4: .*sample\.k=8"),
        (["select.top=5"], r"select\.top=5 is more than select\.k=4"),
        (["+sample.beams=3"], r"sample\.beams=3: Extra inputs"),
        (["sample.temperature=-1"], r"sample\.temperature=-1: .*greater than or equal to 0\.001"),
        (["mix.real_share=1"], r"real_share=1"),
        (["mix.data=last_n"], r"mix\.data=last_n, and no other, needs mix\.last_n=<rounds>"),
        (["mix.last_n=2"], r"mix\.last_n=2 with mix\.data=replace: .*no other"),
        (["judge.policy=external"], r"judge\.policy=external .* needs judge\.path=<model folder>"),
        (["judge.path=/tmp"], r"judge\.policy=live with judge\.path=/tmp"),
        (["judge=pairwise", "judge.budget=2"], r"judge\.budget=2 leaves .* sample\.k=4 .*judge\.budget to 3 or more"),
        (["judge=jury", "judge.members.pairwise.budget=2"], r"judge\.members\.pairwise\.budget=2 leaves .*k=4"),
        (["judge=jury", "judge.members.rubric.policy=external"], r"judge\.members\.rubric\.path=<model folder>"),
        (["judge=jury", "judge.members.rubric.top_p=2"], r"judge\.members\.rubric\.top_p=2: .*less than or equal to 1"),
        (["judge=jury", "judge.members.rubric.own=[me]"], r"judge\.members\.rubric\.own=me: .*set judge\.own instead"),
        (["duel=pairwise", "duel.judge.own=[me]"], r"duel\.judge\.own=me: .*set judge\.own instead"),
        (["judge=jury", "judge.quorum=4"], r"judge\.quorum=4 of 3 members: set judge\.quorum to 3"),
        (["judge=jury", "judge.rule=weighted"], r"set judge\.weights=\{likelihood:1,pairwise:1,rubric:1\}"),
        (["judge=dimensions", "judge.dimensions.right.at_least=6"], r"judge\.dimensions\.right: at_least=6\.0 on a"),
        (["duel=pairwise", "duel.judge.policy=live"], r"duel\.judge\.policy=live would change from round to round"),
        (["duel=pairwise", "duel.judge.policy=external"], r"duel\.judge\.policy=external .* needs duel\.judge\.path="),
        ([GOLD, "judge=verifier"], r"overoptimisation\.gold is the judge that the run trains on.*name another one"),
        ([*JUDGED_GOLD, "overoptimisation.gold.policy=initial"], r"overoptimisation\.gold is the judge that the run"),
        (
            [*JUDGED_GOLD[:1], "judge=jury", "+judge.members.checked={kind: verifier}"],
            r"overoptimisation\.gold is the judge that the run trains on",
        ),
        (JUDGED_GOLD, r"overoptimisation\.gold\.policy=live would change .* set it to initial, external or endpoint"),
        ([GOLD, "judge@overoptimisation.gold=jury", "overoptimisation.gold.policy=initial"], r"=jury votes among the"),
        (
            [*JUDGED_GOLD, "overoptimisation.gold.policy=external"],
            r"overoptimisation\.gold\.policy=external .* needs overoptimisation\.gold\.path=<model folder>",
        ),
        (
            [GOLD, "judge@overoptimisation.gold=rubric", *INITIAL_GOLD, "overoptimisation.gold.own=[me]"],
            r"overoptimisation\.gold\.own=me: .*set judge\.own instead",
        ),
        (
            [GOLD, "judge@overoptimisation.gold=rubric", *INITIAL_GOLD, "overoptimisation.gold.constrained=true"],
            r"overoptimisation\.gold=rubric on backend=hf, which cannot hold an answer to a pattern",
        ),
        (["judge.policy=someone"], r"judge\.policy=someone: .*'live'"),
        (["backend=scripted"], r"scripted goes with scripted alone"),
        (["evaluate.ladder=[0.5,0.3]"], r"evaluate\.ladder=\[0\.5, 0\.3\] must rise"),
        (["select.length_tier=1.5"], r"select\.length_tier=1\.5: .*less than 1"),
        (
            [*PAIRS, "select.pairs=coin", "update.margin_weight=0.1"],
            r"update\.margin_weight=0\.1 with select\.pairs=coin: .*set update\.margin_weight=0",
        ),
        ([*FILES[:1], "data.train={name: a/b}"], r"^data\.train\.revision: Field required$"),
        (["run=../escape"], r"run=../escape: .*pattern"),
        (["run=store"], r"run=store is taken"),
        (["prompts.count=3"], r"needs prompts\.count"),
        (["prompts.per_round=slice"], r"needs prompts\.count"),
        (["prompts.human=4"], r"prompts\.human=4 with select=best_of_k"),
        (["update=grpo"], r"update=grpo with select=best_of_k: .*draws its own answers.* select=prompts, or with"),
        (["select=prompts"], r"update=rft with select=prompts: update=grpo or update=rloo draws its own answers"),
        ([*PAIRS, "select.prompts=all"], r"update=dpo with select=preference_pairs: .*draws its own answers"),
        ([*RL, "select.k=1", "select.prompts=mixed"], r"select\.prompts=mixed with select\.k=1"),
        ([*RL, "select.threshold=1"], r"select\.threshold=1\.0 with select=prompts, which takes no candidates"),
        ([*RL, "update.rewards.verifier.kind=reward_model"], r"kind=reward_model with reward=null.*reward=round"),
        ([*RL, "select=preference_pairs", "select.prompts=all"], r"makes pairs that nothing learns from: set reward="),
        ([*RL, "update.trainable=lora", "update.init=initial"], r"mix\.real_share=0\.2 brings human .*top_layers"),
        (["prompts=self_instruct", "prompts.budget=0"], r"prompts\.budget=0: .*greater than 0"),
        (["prompts=self_instruct", "prompts.max_draws=0"], r"prompts\.max_draws=0: .*greater than 0"),
        (["prompts=self_instruct", "prompts.share=0"], r"prompts\.share=0: .*greater than 0"),
        (["prompts=self_instruct", "prompts.own_examples=8"], r"set prompts\.own_examples to at most 7"),
        (["prompts=self_instruct", "prompts.policy=live"], r"prompts\.policy=live: .*'initial'"),
        (["prompts=self_instruct", "prompts.policy=external"], r"prompts\.policy=external .* needs prompts\.path="),
        (["prompts=self_instruct", "prompts.path=/tmp"], r"prompts\.policy=initial with prompts\.path=/tmp"),
        (["prompts=self_instruct", "prompts.policy=endpoint"], r"prompts\.policy=endpoint on backend=hf: set"),
        (["prompts=self_instruct", *SERVED], r"prompts\.policy=initial on backend=server, which cannot hold the"),
        (["prompts=self_instruct", "prompts.chat.chat_template=plain"], r"prompts\.chat goes with prompts\.policy=ext"),
        (["prompts=self_instruct", "judge=verifier"], r"judge=verifier: .* new prompts have none; set prompts=default"),
        (
            ["prompts=self_instruct", "prompts.per_round=slice", "prompts.count=3"],
            r"prompts\.share=0\.5 with prompts\.per_round=slice: .*set prompts\.share=null",
        ),
        (
            ["prompts=magpie", *SERVED, "prompts.policy=endpoint"],
            r"prompts=magpie .*cannot hold .*tokens.*backend=hf, or .*backend=vllm, or prompts=self_instruct",
        ),
        (["update=kto"], r"update=kto with select=best_of_k: .*update=kto goes with select=unpaired"),
        ([*UNPAIRED, "update.batch_size=1"], r"update\.batch_size=1: .*set update\.batch_size to 2 or more"),
        ([*UNPAIRED, "select.undesirable=1"], r"select\.undesirable=1\.0 is not below select\.desirable=1\.0"),
        ([*FILES, *UNPAIRED], r"needs human answers: give data\.human or data\.feedback a file"),
        (["update=dpo"], r"update=dpo goes with select=preference_pairs"),
        (["select=preference_pairs"], r"update=dpo goes with select=preference_pairs"),
        ([*PAIRS, "select.k=1"], r"makes no preference pair"),
        ([*FILES, "data.human_pairs=pairs.jsonl"], r"needs human answers: give data\.human a file"),
        ([*FILES, *PAIRS], r"needs human answers: give data\.human or data\.human_pairs a file"),
        (["model.kind=gguf"], r"model"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_change(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(compose(overrides))
    assert "\n" not in str(caught.value)


def test_gold_is_any_judge_that_stays_the_same() -> None:
    assert validate(compose([])).overoptimisation is None
    plain = validate(compose([GOLD])).overoptimisation
    assert plain == OveroptimisationSpec()
    server = ["+backend@overoptimisation.gold.backend=server", "overoptimisation.gold.backend.model=m"]
    for judge in ("rubric", "pairwise"):
        served = [GOLD, f"judge@overoptimisation.gold={judge}", *server, "overoptimisation.gold.policy=endpoint"]
        held = validate(compose(served)).overoptimisation
        assert held is not None and held.gold.engine is not None and held.gold.engine.kind == "server"
    models = [GOLD, "judge@overoptimisation.gold=reward_model", "overoptimisation.gold.models=[/models/reward]"]
    assert validate(compose(models)).overoptimisation is not None


def test_prompts_are_written_by_a_server_or_beside_every_slice() -> None:
    served = validate(compose(["prompts=self_instruct", *SERVED, "prompts.policy=endpoint"])).prompts
    assert isinstance(served, SelfInstruct) and served.backend is not None and served.backend.kind == "server"
    slices = ["prompts.per_round=slice", "prompts.count=3", "prompts.share=null"]
    assert validate(compose(["prompts=magpie", *slices])).prompts.count == 3


def test_real_pairs_can_be_those_of_people_alone() -> None:
    assert validate(compose([*FILES, *PAIRS, "data.human_pairs=pairs.jsonl"])).mix.real_share == 0.2


def test_the_configuration_loads_no_heavy_package() -> None:
    code = "import selfreward.config, selfreward.loop, sys; print(*(set(sys.modules) & set(sys.argv[1:])))"
    heavy = ["torch", "transformers", "trl", "vllm", "datasets", "wandb", "peft"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def _specs(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= _specs(part)
    return found


def test_every_part_is_frozen_and_refuses_unknown_names() -> None:
    for spec in _specs(RunConfig):
        assert spec.model_config["frozen"]
        assert spec.model_config["extra"] == "forbid"
