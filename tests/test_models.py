"""Models that people bring, taught short answers and taken through the loop for a round."""

import copy
import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.backends.base import Answer
from selfreward.backends.chat import render_prompt
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.model_loading import load_chat
from selfreward.backends.rendering import ChatSpec
from selfreward.config import validate
from selfreward.data.models import model_policy
from selfreward.loop import run_loop
from selfreward.policies import Policy
from selfreward.records import Candidate, Example, Judgment, PreferencePair, Prompt
from selfreward.stages.update import training_of
from selfreward.tracking import Tracker
from selfreward.updates.dpo import tokenize_pairs
from selfreward.updates.rft import RftSpec, tokenize_examples, train_rft
from tests.families import FAMILIES, Family, write_model
from tests.support import Silent
from tests.tiny import ask, make_example

pytestmark = pytest.mark.slow

USABLE = [one for one in FAMILIES if one.refused is None]
TAUGHT = ("Paris", "Rome", "hello yes", "no")
QUESTIONS = [f"say it {number}" for number in range(16)]
TEACHING = RftSpec(
    learning_rate=1e-2, batch_size=32, epochs=30, trainable="full", compute="float32", device="cpu", schedule="constant"
)
SMALL = [
    "measure=hashing",
    "measure.k=2",
    "measure.baseline_k=4",
    "evaluate.k=1",
    "evaluate.ladder=[]",
    "backend.dtype=float32",
    "backend.device=cpu",
    "data=files",
    "loop.iterations=1",
    "mix.real_share=0",
    "mix.min_rows=1",
    "sample.k=4",
    "sample.temperature=0.2",
    "select.k=4",
    "update.trainable=full",
    "update.compute=float32",
    "update.device=cpu",
    *(
        f"{stage}.max_new_tokens.{kind}=48"
        for stage in ("sample", "measure", "evaluate")
        for kind in ("open", "closed")
    ),
]


@pytest.fixture(autouse=True, scope="module")
def _nothing_old_to_collect() -> Iterator[None]:
    """Each engine that closes collects garbage, and looking through all of torch takes longer than a round."""
    gc.freeze()
    yield
    gc.unfreeze()


@cache
def settings(*overrides: str) -> dict[str, Any]:
    """The settings of a round, but for the model's folder and the files."""
    return compose([*SMALL, "data.train=later", *overrides])


def settings_of(family: Family) -> ChatSpec:
    return ChatSpec.model_validate(dict(setting.split("=", 1) for setting in family.settings))


def thought_of(family: Family, policy: Policy) -> str | None:
    """What a model of this family writes before an answer: a thought, or the marks around an answer without one."""
    rendering = load_chat(policy.path, trust_remote_code=False).rendering
    if rendering.opens_thought:
        return "hello" + rendering.lead
    return rendering.lead or None


def teach(family: Family, folder: Path, context: int = 256) -> Policy:
    """A tiny model of the family that has learned to answer every question with one of two short answers."""
    raw = write_model(family, folder / "raw", context=context)
    start = model_policy(raw, settings_of(family), folder / "store", trusted=False)
    thought = thought_of(family, start)
    examples = [
        replace(make_example(number, TAUGHT[(number + other) % 4]), messages=ask(question), thought=thought)
        for number, question in enumerate(QUESTIONS)
        for other in (0, 1)
    ]
    train_rft(TEACHING, start, examples, folder / "taught", folder / "scratch", 0, lambda _step, _steps: None)
    return Policy(path=folder / "taught", key="taught", digest="taught")


def run_round(folder: Path, policy: Policy, *overrides: str) -> RunView:
    asked = {"train": QUESTIONS, "held_out": ["where does a river end", "why"], "probe": ["who was first", "what for"]}
    for role, questions in asked.items():
        rows = [json.dumps({"prompt": question}) for question in questions]
        (folder / f"{role}.jsonl").write_text("\n".join(rows))
    values = copy.deepcopy(settings(*overrides))
    values["model"]["path"] = policy.path
    values["data"] |= {role: folder / f"{role}.jsonl" for role in asked}
    config = validate(values)
    run = Run(folder / "runs" / "round", Store(folder / "runs" / "store", Silent()), config.seed)
    run_loop(config, run, Tracker(run.folder, Silent()))
    return read_run(run.folder)


@pytest.mark.parametrize("family", USABLE, ids=lambda one: one.name)
def test_a_round_with_the_likelihood_judge(family: Family, tmp_path: Path) -> None:
    policy = teach(family, tmp_path)
    view = run_round(tmp_path, policy)
    first = view.iterations[0]
    drawn = list(first["sample"].records(Candidate))
    assert {one.finish for one in drawn} == {"stop"}
    assert {one.text for one in drawn} <= {*TAUGHT}
    assert first["sample"].manifest.counts["respelled"] == 0
    assert {one.outcome for one in first["judge"].records(Judgment)} == {"scored"}

    prompts = {one.id: one for one in first["prompts"].records(Prompt)}
    backend = HfBackend(HfSpec(dtype="float32", device="cpu", workers=1), policy)
    asked = [Answer(messages=prompts[one.prompt_id].messages, text=one.text, thought=one.thought) for one in drawn]
    scored = backend.score(asked, lambda _: None)
    assert [one.logprob for one in scored] == pytest.approx([one.logprob for one in drawn], abs=1e-3)
    assert [one.tokens for one in scored] == [one.tokens for one in drawn]

    chat = load_chat(policy.path, trust_remote_code=False)
    by_id = {one.id: one for one in drawn}
    trained = list(first["mix"].records(Example))
    for example, row in zip(trained, tokenize_examples(chat, trained), strict=True):
        prompt = len(render_prompt(chat, example.messages))
        assert len(row.input_ids) - prompt == by_id[example.candidate_id].tokens
    assert (view.iterations[1]["measure"].manifest.inputs["policy"].key) == first["update"].key


PREFERRED = ("llama-3", "gemma-2", "mistral-v0.2", "phi-3.5", "tinyllama", "qwen-3", "r1-distill", "gpt-oss")
RUBRIC = ("judge=rubric", "judge.method=expected", "judge.min_mass=0")


@pytest.mark.parametrize("name", PREFERRED)
def test_a_round_with_a_rubric_and_each_kind_of_training(name: str, tmp_path: Path) -> None:
    (family,) = (one for one in USABLE if one.name == name)
    policy = teach(family, tmp_path, context=4096)
    chat = load_chat(policy.path, trust_remote_code=False)
    rft = run_round(tmp_path, policy, *RUBRIC).iterations
    dpo = run_round(tmp_path, policy, *RUBRIC, "update=dpo", "select=preference_pairs", "select.pairs=all").iterations
    judgments = list(rft[0]["judge"].records(Judgment))
    assert {one.outcome for one in judgments} == {"scored"}
    assert len({one.score for one in judgments}) > 1
    assert rft[0]["judge"].digest == dpo[0]["judge"].digest

    drawn = {one.id: one for one in dpo[0]["sample"].records(Candidate)}
    pairs = list(dpo[0]["mix"].records(PreferencePair, "pairs"))
    for pair, row in zip(pairs, tokenize_pairs(chat, pairs), strict=True):
        assert (len(row.chosen), len(row.rejected)) == (drawn[pair.chosen_id].tokens, drawn[pair.rejected_id].tokens)
    assert (training_of(dpo[0]["update"]).margin_growth or 0) > 0
    for stages in (rft, dpo):
        settled = stages[0]["update"].path / "model" / "rendering.json"
        assert settled.read_bytes() == (policy.path / "rendering.json").read_bytes()
        assert stages[1]["measure"].rows() == 4
