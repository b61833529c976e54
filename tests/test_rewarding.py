"""Reward models in the loop: trained before round 0 and judging, or trained in each round; what is refused."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.config import RunConfig, validate
from selfreward.loop import run_loop
from selfreward.tracking import Tracker
from tests.support import Silent
from tests.tiny import make_tiny_policy

SMALL = (
    "data=scripted",
    "backend=hf",
    "backend.device=cpu",
    "backend.dtype=float32",
    "measure=hashing",
    "data.train_closed=6",
    "data.train_open=0",
    "data.held_out_closed=4",
    "data.held_out_open=0",
    "data.probe_closed=2",
    "data.probe_open=2",
    "data.human=4",
    "data.human_pairs=24",
    "data.gold_gate=6",
    "data.gold_final=4",
    "data.system=''",
    "measure.k=2",
    "measure.baseline_k=4",
    "measure.max_new_tokens.closed=12",
    "measure.max_new_tokens.open=12",
    "evaluate.ladder=[0.4]",
    "evaluate.k=2",
    "evaluate.max_new_tokens.closed=12",
    "evaluate.max_new_tokens.open=12",
    "sample.k=2",
    "sample.max_new_tokens.closed=12",
    "sample.max_new_tokens.open=12",
    "select.k=2",
    "mix.min_rows=1",
    "mix.real_share=0",
    "update.device=cpu",
    "update.compute=float32",
    "update.trainable=full",
    "loop.iterations=1",
)
REWARD = (
    "reward.device=cpu",
    "reward.compute=float32",
    "reward.trainable=full",
    "reward.learning_rate=5e-3",
    "reward.min_pairs=4",
)
TRAINED = ("reward=start", *REWARD, "judge=reward_model", "judge.models=trained", "judge.device=cpu", "judge.dtype=float32")
PAIRS = ("select=preference_pairs", "update=dpo")


def run_tiny(folder: Path, *overrides: str, reporter: Silent | None = None) -> RunView:
    reporter = reporter or Silent()
    config = validate(compose([f"model.path={folder / 'tiny'}", *SMALL, *overrides]))
    if not (folder / "tiny").exists():
        make_tiny_policy(folder / "tiny", extra_stops=range(0, 256, 4))
    run = Run(folder / config.run, Store(folder / "store", reporter), config.seed)
    run_loop(config, run, Tracker(run.folder, reporter))
    return read_run(run.folder)


def test_a_reward_model_trained_at_the_start_judges(tmp_path):
    reporter = Silent()
    view = run_tiny(tmp_path, *TRAINED, "reward.members=2", reporter=reporter)
    print(*reporter.lines, sep="\n")
    print(view.sources["reward"])
    from selfreward.commands.verify import check_chain, check_links, check_artifact
    check_links(view); check_chain(view)
    for _, a in view.artifacts(): check_artifact(a)
    from selfreward.report.page import render
    (tmp_path/"x.html").write_text(render(view, None))
    from selfreward.tracking import metrics_of_run
    print({k:v for k,v in metrics_of_run(view)[0].items() if k.startswith("reward")})
    from selfreward.reading.chain import explain
    from selfreward.records import Example
    row=next(view.iterations[0]["mix"].records(Example))
    print([m.stage for m in explain(view,row.id).rounds[0].chain])


def test_round(tmp_path):
    reporter = Silent()
    view = run_tiny(tmp_path, "reward=round", *REWARD, *PAIRS, "reward.min_pairs=2", "data.train_closed=10", reporter=reporter)
    print(*reporter.lines, sep="\n")
