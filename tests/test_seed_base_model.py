"""`selfreward seed-judge` from a base model: it is given a template, tokens and rows, taught, and a run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import read_run
from selfreward.backends.new_tokens import FILE
from selfreward.records import Candidate, Judgment
from selfreward.stages.update import training_of
from selfreward.updates import rft
from tests.support import Done, selfreward
from tests.tiny import make_tiny_base, read_rows

RANKED = [
    {"prompt": f"{ask} {number}", "chosen": good, "rejected": bad}
    for ask, good, bad in (("sea", "Baltic", "bread"), ("tree", "oak", "rock"))
    for number in range(4)
]
ASKED = [f"{what} {number}" for what in ("sea", "tree") for number in range(8, 16)]
RUBRIC = [
    "system=''",
    "template='<q>{question}</q><a>{answer}</a>'",
    "number_only=score",
    "explain='end in {label}: 1'",
]
CPU = ["backend.dtype=float32", "backend.device=cpu", "update.compute=float32", "update.device=cpu"]
TAUGHT = [
    "update.top_layers=2",
    "update.learning_rate=1e-2",
    "update.schedule=constant",
    "update.epochs=25",
    "update.batch_size=16",
]
ROUND = [
    "judge=rubric",
    "judge.method=expected",
    "loop.iterations=1",
    "mix.min_rows=1",
    "measure=hashing",
    "measure.k=2",
    "measure.baseline_k=4",
    "evaluate.k=1",
    "evaluate.ladder=[]",
    "sample.k=4",
    "select.k=4",
    "update.top_layers=1",
    *(f"{stage}.max_new_tokens.open=12" for stage in ("sample", "measure", "evaluate")),
]
SEEDED = "runs/default/seed/iter-000/update/model"


def rubric(of: str) -> list[str]:
    return [f"rubric@{of}.rubric=clear", *(f"{of}.rubric.{setting}" for setting in RUBRIC)]


def data(folder: Path) -> list[str]:
    roles: dict[str, list[dict[str, Any]]] = {
        "train": [{"prompt": asked} for asked in ASKED],
        "held_out": [{"prompt": "which sea"}, {"prompt": "which tree"}],
        "probe": [{"prompt": "one sea"}, {"prompt": "one tree"}],
        "human_pairs": RANKED,
    }
    for role, rows in roles.items():
        (folder / f"{role}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return ["data=files", "data.system=''", "mix.real_share=0", *(f"data.{role}={role}.jsonl" for role in roles)]


def seed_judge(folder: Path, *settings: str) -> Done:
    start = ["seed_judge.reply=labelled", "model.path=base"]
    return selfreward("seed-judge", *data(folder), *rubric("seed_judge"), *start, *CPU, *settings, cwd=folder)


def mistake(done: Done) -> str:
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("selfreward:"))
    return line


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_base_model_is_seeded_and_a_run_starts_from_it(tmp_path: Path, tied: bool) -> None:
    make_tiny_base(tmp_path / "base", tied=tied)
    done = seed_judge(tmp_path, "model.chat_template=chatml", *TAUGHT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "template: chatml, an answer ends with <|im_end|>"
    assert lines[1] == (
        f"tokens: added <|im_start|>, <|im_end|>; embeddings: 257 -> 259 rows, {'tied' if tied else 'untied'}; trained "
        "whatever update.trainable freezes: the rows of <|im_start|>, <|im_end|>"
    )
    assert "examples: 8 best answers (IFT), 16 verdicts (EFT)" in lines
    assert (
        "mixed: one training on both kinds in one random order, none weighed; tokens of best answers 44, of verdicts 32"
    ) in lines
    assert "trained on 24 of 24, 0 longer than update.max_tokens=512" in lines

    before, after = read_rows(tmp_path / "base"), read_rows(tmp_path / SEEDED)
    assert len(after) == (1 if tied else 2)
    for name, rows in after.items():
        assert len(rows) == 259
        assert bool((rows[:257] == before[name]).all()), "rows of other tokens are frozen with the rest"
        begun = before[name].double().mean(0).float()
        assert min(abs(rows[257] - begun).max(), abs(rows[258] - begun).max()) > 0.05, "new rows are trained"
        assert abs(rows[257] - rows[258]).max() > 0.05, "and told apart"
    files = {path.name for path in (tmp_path / SEEDED).iterdir()}
    assert {"model.safetensors", "config.json", "chat_template.jinja", "rendering.json"} <= files
    assert FILE not in files
    assert json.loads((tmp_path / SEEDED / "config.json").read_text())["vocab_size"] == 259
    assert json.loads((tmp_path / SEEDED / "generation_config.json").read_text())["eos_token_id"] == [258, 256]

    run = selfreward("run", *data(tmp_path), f"model.path={SEEDED}", *rubric("judge"), *ROUND, *CPU, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    stages = read_run(tmp_path / "runs" / "default").iterations[0]
    drawn = list(stages["sample"].records(Candidate))
    assert len(drawn) == 64
    assert sum(one.finish == "stop" for one in drawn) > 60, "answers end at the end of turn"
    assert sum(one.text in ("Baltic", "oak") for one in drawn) > 16
    scored = [one.score for one in stages["judge"].records(Judgment) if one.outcome == "scored"]
    assert len(scored) > 48
    assert training_of(stages["update"]).rows_trained > 0


def test_killed_in_training_it_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests, trained = [], rft.train
    settings = ["model.chat_template=chatml", "update.top_layers=1"]
    for name in ("once", "killed"):
        folder = tmp_path / name
        make_tiny_base(folder / "base", tied=False)
        if name == "killed":

            def dies(*given: Any, **named: Any) -> Any:
                trained(*given, **named)
                raise KeyboardInterrupt

            monkeypatch.setattr(rft, "train", dies)
            assert seed_judge(folder, *settings).returncode == 130
            monkeypatch.setattr(rft, "train", trained)
        again = seed_judge(folder, *settings)
        assert again.returncode == 0, again.stderr
        assert (name == "once") == bool("seed 0" in again.stderr or "\nseed " in again.stderr)
        (stages,) = read_run(folder / "runs" / "default" / "seed").iterations
        digests.append({stage: made.digest for stage, made in stages.items()})
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ([], "has no chat template: set chat_template=plain (or chatml, or a file)"),
        (["model.chat_template=absent"], "chat_template=absent is no file and none of chatml, plain"),
        (["model.chat_template=plain", "seed_judge.tokens=['<|x|>']"], "seed_judge.tokens names <|x|>, which the"),
        (
            ["model.chat_template=plain", "seed_judge.tokens=[role]"],
            "seed_judge.tokens='role' cannot be a control",
        ),
        (["model.chat_template=plain", "model.end_of_turn='<end>'"], "end_of_turn=<end> is 5 tokens to this model"),
        (
            ["model.chat_template=chatml", "update.weight_decay=0.1"],
            "weight_decay=0.1 would shrink the frozen",
        ),
        (["seed_judge.drawn_by=baseline"], "set seed_judge.reply=generated"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(tmp_path: Path, settings: list[str], told: str) -> None:
    make_tiny_base(tmp_path / "base", tied=True)
    done = seed_judge(tmp_path, "update.top_layers=2", *settings)
    assert done.returncode == 2, done.stderr
    assert told in mistake(done)


def test_a_run_from_a_model_without_the_tokens_of_chatml_is_told_who_adds_them(tmp_path: Path) -> None:
    make_tiny_base(tmp_path / "base", tied=True)
    done = selfreward("check", "model.path=base", "model.chat_template=chatml", cwd=tmp_path)
    assert done.returncode == 2
    assert "chatml is written with <|im_start|> and <|im_end|>, which the model in" in mistake(done)
    assert "`selfreward seed-judge` adds and teaches them" in mistake(done)


def test_a_baseline_draws_the_replies_and_the_start_policy_learns_them(tmp_path: Path) -> None:
    settings = ["experiment=scripted", "data.human_pairs=20", "seed_judge.drawn_by=baseline"]
    done = selfreward("seed-judge", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "baseline, which draws the replies: trained on 20 of 20 best answers\n" in done.stdout
    (taught,) = read_run(tmp_path / "runs" / "scripted" / "seed_baseline").iterations
    (stages,) = read_run(tmp_path / "runs" / "scripted" / "seed").iterations
    assert stages["replies"].manifest.inputs["policy"].digest == taught["update"].digest
    start = stages["update"].manifest.inputs["policy"]
    assert start == taught["update"].manifest.inputs["policy"]
    other = selfreward("seed-judge", *settings[:2], cwd=tmp_path)
    assert other.returncode == 0, other.stderr
    assert "baseline" not in other.stdout
