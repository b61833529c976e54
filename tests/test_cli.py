"""The command line, as a person uses it: exit statuses, one-line errors, resuming, two at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import selfreward

SCRIPTED = [
    "run",
    "experiment=scripted",
    "data.train_closed=24",
    "data.train_open=8",
    "data.held_out_closed=12",
    "data.held_out_open=4",
    "evaluate.ladder=[0.4]",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    done = selfreward(*SCRIPTED, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may change."""
    return shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)


def test_no_command_prints_the_usage(tmp_path: Path) -> None:
    done = selfreward(cwd=tmp_path)
    assert done.returncode == 0
    assert "selfreward run experiment=quickstart" in done.stdout


def test_an_unknown_command_is_a_mistake(tmp_path: Path) -> None:
    done = selfreward("train", cwd=tmp_path)
    assert done.returncode == 2
    assert "no command 'train'" in done.stderr


def test_a_run_leaves_what_it_promises(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "runs/scripted/metrics.jsonl").read_text().splitlines()]
    assert [row["loop/iteration"] for row in rows] == [0, 1, 2, 3]
    assert (finished / "runs/scripted/config.json").exists()
    assert sorted(path.name for path in finished.iterdir()) == ["runs"], "nothing is written elsewhere"


def test_a_run_says_after_each_iteration_how_far_it_is(tmp_path: Path) -> None:
    begun = selfreward(*SCRIPTED, "loop.iterations=1", cwd=tmp_path).stderr
    assert "iteration 0 done, 1 of 1 updates\n" in begun
    assert begun.count(" updates") == 1
    told = selfreward(*SCRIPTED, cwd=tmp_path).stderr
    assert "iteration 0 done" not in told, "what was told once is not told again"
    assert "iteration 1 done, 2 of 3 updates; under a minute left\n" in told


def test_the_same_command_again_imports_no_torch_and_makes_nothing(finished: Path) -> None:
    code = (
        "import sys; from selfreward.__main__ import main; sys.argv = ['selfreward', *sys.argv[1:]]; "
        "status = main(); print(status, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *SCRIPTED], cwd=finished, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 False False"
    assert "first of its kind" not in done.stderr


def test_status_and_verify_of_a_finished_run(finished: Path) -> None:
    status = selfreward("status", "scripted", cwd=finished)
    assert status.returncode == 0
    assert "3 of 3 updates" in status.stdout
    assert "complete" in status.stdout
    verify = selfreward("verify", "scripted", cwd=finished)
    assert verify.returncode == 0
    assert "50 artifacts whole, 0 collected" in verify.stdout


def test_verify_of_several_runs_reads_what_they_share_once(finished: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(finished, tmp_path / "copied", symlinks=True)
    shutil.copytree(copied / "runs/scripted", copied / "runs/other", symlinks=True)
    done = selfreward("verify", "scripted", "other", cwd=copied)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[-1] == "2 runs: 50 artifacts read, each once"
    assert "other: 50 artifacts whole, 0 collected" in lines
    assert any(line.startswith("other/iter-000/sample: ") for line in lines)
    assert "verify: 50 artifacts" in done.stderr


def test_an_unknown_setting_keeps_hydras_words(tmp_path: Path) -> None:
    done = selfreward(*SCRIPTED, "sample.beams=3", cwd=tmp_path)
    assert done.returncode == 2
    assert "Could not override 'sample.beams'" in done.stderr


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("sample.k=0", "selfreward: sample.k=0: Input should be greater than 0"),
        ("select.k=9", "selfreward: select.k=9 is more than sample.k=4: draw as many as you use, sample.k=9"),
    ],
)
def test_a_wrong_value_is_one_line_and_status_2(tmp_path: Path, override: str, line: str) -> None:
    done = selfreward(*SCRIPTED, override, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [line]


def test_a_missing_model_folder_is_one_line(tmp_path: Path) -> None:
    done = selfreward("run", "model.path=/nowhere/model", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "selfreward: model.path=/nowhere/model is no folder: give the folder of a saved model"
    )


def test_without_assets_the_command_to_fetch_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFREWARD_CACHE", str(tmp_path / "empty"))
    done = selfreward("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "run `selfreward assets`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_hub_model_wants_a_revision(tmp_path: Path) -> None:
    done = selfreward("run", "model.name=someone/model", cwd=tmp_path)
    assert done.returncode == 2
    assert "pin it with model.revision=<commit>" in done.stderr


def test_too_little_to_train_on_is_status_3_with_the_counts(tmp_path: Path) -> None:
    done = selfreward(*SCRIPTED, "backend.cut_share=1", cwd=tmp_path)
    assert done.returncode == 3
    assert "0 own examples to train on" in done.stderr
    assert "cut 128" in done.stderr


def _jsonl(folder: Path, name: str, rows: list[dict[str, object]]) -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


JSONL = ["experiment=scripted", "data=files", "data.held_out=held.jsonl", "data.probe=probe.jsonl", "mix.real_share=0"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"prompt": "  "}] * 2, "there is no train prompt, empty 2"),
        ([{"prompt": "What is 2 + 2?"}] * 2, "all 1 train prompts are asked in the roles that are measured"),
        ([], "there is no train prompt"),
        ([{"text": "What is 1 + 1?"}], "train.jsonl:1 (train) has no column for the prompt"),
        ([{"prompt": "word " * 3000}], "leave no room for an answer of 48"),
    ],
)
def test_bad_prompts_are_named(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    _jsonl(tmp_path, "held.jsonl", [{"prompt": "What is 2 + 2?", "stratum": "closed", "references": ["4"]}])
    _jsonl(tmp_path, "probe.jsonl", [{"prompt": "Why is the sky blue?", "references": ["Light scatters."]}])
    train = _jsonl(tmp_path, "train.jsonl", rows)
    done = selfreward("run", *JSONL, f"data.train={train}", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_own_files_run_to_the_end(tmp_path: Path) -> None:
    _jsonl(tmp_path, "held.jsonl", [{"prompt": "What is 2 + 2?", "stratum": "closed", "references": ["4"]}])
    _jsonl(tmp_path, "probe.jsonl", [{"prompt": "Why is the sky blue?", "references": ["Light scatters."]}])
    _jsonl(tmp_path, "train.jsonl", [{"prompt": f"What is {n} + 1?"} for n in range(40)])
    _jsonl(tmp_path, "human.jsonl", [{"prompt": f"Why {n}?", "answer": "So it is."} for n in range(40)])
    _jsonl(tmp_path, "gold.jsonl", [{"prompt": "Boil water", "right": "heat it", "wrong": "freeze it"}])
    settings = ["data.train=train.jsonl", "data.human=human.jsonl", "data.gold_final=gold.jsonl", "mix.real_share=0.2"]
    done = selfreward("run", *JSONL, *settings, "loop.iterations=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path) -> None:
    big = [*SCRIPTED, "data.train_closed=1500", "sample.shard_prompts=16", "loop.iterations=6"]
    started = subprocess.Popen(
        [sys.executable, "-m", "selfreward", *big], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/store/sample/*/rows-00010.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert said.splitlines()[-1] == "selfreward: stopped; the same command goes on from here"
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/store/sample/*/*.parquet")}
    done = selfreward(*big, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == changed for path, changed in kept.items())


@pytest.mark.slow
def test_two_processes_on_one_run_end_with_one_result(tmp_path: Path, finished: Path) -> None:
    command = [sys.executable, "-m", "selfreward", *SCRIPTED]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    verify = selfreward("verify", "scripted", cwd=tmp_path)
    assert verify.stdout == selfreward("verify", "scripted", cwd=finished).stdout


def test_gc_keeps_the_last_policy_and_the_run_can_go_on(copied: Path) -> None:
    for run, cwd in (("scripted", copied), ("runs/scripted", copied), (".", copied / "runs/scripted")):
        assert selfreward("gc", run, "--dry-run", cwd=cwd).stdout.count("would delete") == 2
    (copied / "runs/later").mkdir()
    start = copied / "runs/scripted/iter-000/update/model"
    (copied / "runs/later/config.json").write_text(json.dumps({"model": {"path": str(start)}}))
    spared = selfreward("gc", "scripted", "--dry-run", cwd=copied).stdout
    assert spared.count("would delete") == 1, "a run started from the other"
    shutil.rmtree(copied / "runs/later")
    (copied / "scripted").mkdir()  # the name of a run goes before that of a folder
    assert selfreward("gc", "scripted", cwd=copied).stdout.count("deleting") == 2
    assert "48 artifacts whole, 2 collected" in selfreward("verify", "scripted", cwd=copied).stdout
    again = selfreward(*SCRIPTED, "loop.iterations=4", cwd=copied)
    assert again.returncode == 0, again.stderr
    blocked = selfreward(*SCRIPTED, "loop.iterations=4", "sample.temperature=0.5", cwd=copied)
    assert blocked.returncode == 0, "another run trains its own policies"
    needed = selfreward(*SCRIPTED, "measure.k=3", cwd=copied)
    assert needed.returncode == 0, needed.stderr
    assert needed.stderr.count("`selfreward gc` deleted its bytes, which are needed: made again") == 2
    assert needed.stderr.count(": is what it was (content ") == 2


def test_forged_figures_are_refused_by_verify(copied: Path) -> None:
    path = next(copied.glob("runs/scripted/iter-001/sample/manifest.json"))
    whole = json.loads(path.read_text())
    table = {**whole["tables"][0], "rows": 7}
    forged: list[dict[str, object]] = [
        {"counts": {**whole["counts"], "completion_tokens": 1}},
        {"tables": [table], "record": None},
        {"identity": {**whole["identity"], "seed": 1}, "record": None},
        {"inputs": {**whole["inputs"], "prompts": {**whole["inputs"]["prompts"], "digest": "0"}}, "record": None},
    ]
    for lie in forged:
        path.write_text(json.dumps({**whole, **lie}))
        done = selfreward("verify", "scripted", cwd=copied)
        assert done.returncode == 2, lie
        assert "delete" in done.stderr
    path.write_text(json.dumps({**whole, "record": None}))
    assert selfreward("verify", "scripted", cwd=copied).returncode == 0, "an older version recorded nothing"


def test_gc_goes_on_where_it_was_killed(copied: Path) -> None:
    weights = sorted(path.parent for path in copied.glob("runs/store/update/*/model"))
    last = (copied / "runs/scripted/iter-002/update").resolve()
    killed = next(path for path in weights if path != last)
    manifest = json.loads((killed / "manifest.json").read_text())
    (killed / "manifest.json").write_text(json.dumps({**manifest, "collected": True}))
    assert "would delete what is left of" in selfreward("gc", "scripted", "--dry-run", cwd=copied).stdout
    assert (killed / "model").is_dir()
    assert selfreward("gc", "scripted", cwd=copied).returncode == 0
    assert sorted(path.name for path in killed.iterdir()) == ["manifest.json", "training.json"]
    assert "left of" not in selfreward("gc", "scripted", cwd=copied).stdout
    kept = killed / "training.json"
    kept.write_text(kept.read_text() + " ")
    altered = selfreward("verify", "scripted", cwd=copied)
    assert altered.returncode == 2
    assert f"{kept.relative_to(copied.resolve())} is not the file that was written" in altered.stderr


def test_an_altered_shard_is_refused_by_run_and_verify(copied: Path) -> None:
    shard = next(copied.glob("runs/scripted/iter-001/sample/rows-00000.parquet"))
    shard.write_bytes(shard.read_bytes()[:-9] + b"corrupted")
    for arguments in (["verify", "scripted"], SCRIPTED):
        done = selfreward(*arguments, cwd=copied)
        assert done.returncode == 2
        assert "delete the folder" in done.stderr


def test_an_artifact_that_is_gone_is_missed_by_verify_and_made_anew(copied: Path) -> None:
    shutil.rmtree((copied / "runs/scripted/iter-001/sample").resolve())
    done = selfreward("verify", "scripted", cwd=copied)
    assert done.returncode == 2
    assert "iter-001/sample points to" in done.stderr
    assert selfreward(*SCRIPTED, cwd=copied).returncode == 0
    assert "50 artifacts whole" in selfreward("verify", "scripted", cwd=copied).stdout


def test_verify_finds_a_stage_that_was_made_from_another_decision(copied: Path) -> None:
    path = copied / "runs/scripted/iter-001/mix/manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["inputs"]["decision"]["part"] == ["orders"]
    manifest["inputs"]["decision"]["digest"] = "0" * 16
    path.write_text(json.dumps(manifest))
    done = selfreward("verify", "scripted", cwd=copied)
    assert done.returncode == 2
    assert "iter-001/mix was made from another decision" in done.stderr


def test_commands_explain_themselves(tmp_path: Path) -> None:
    for command in ("status", "report", "explain", "verify", "compare", "gc", "assets"):
        done = selfreward(command, "--help", cwd=tmp_path)
        assert done.returncode == 0
        assert f"selfreward {command}" in done.stdout


def test_a_run_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    for command in ("status", "report", "explain", "verify", "compare", "gc"):
        done = selfreward(command, "ghost", cwd=tmp_path)
        assert done.returncode == 2
        assert "there is no run" in done.stderr
