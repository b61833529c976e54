"""W&B, offline and in processes of their own: killed, resumed, extended, and read back with W&B's own reader."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from selfreward.artifacts.runs import read_run
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.reading.metrics import final_values
from selfreward.records import Candidate, Prompt
from selfreward.tracking.wandb import run_id
from tests.support import run_scripted, scripted_config

# Runs `selfreward run` on the settings given; dies without warning where it is told to; looks no name up on the way.
CHILD = """
import os, signal, socket, sys, time
from pathlib import Path
from selfreward.__main__ import compose
from selfreward.commands.run import run
from selfreward.tracking.wandb import WandbRun

def refuse(*asked, **named):
    os.write(1, f"asked for {asked}".encode())
    os._exit(77)

socket.getaddrinfo = refuse
log, (die, *settings) = WandbRun.log, sys.argv[1:]

def dying(self, one, before):
    if die == f"before {one.t}":
        os.kill(os.getpid(), signal.SIGKILL)
    log(self, one, before)
    if die == f"after {one.t}":
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

WandbRun.log = dying
run(compose(["experiment=scripted", *settings]))
print("wandb" in sys.modules)
"""
SMALL = ["data.train_closed=24", "data.train_open=8", "data.held_out_closed=12", "data.held_out_open=4"]


def start(folder: Path, *settings: str, die: str = "never", flush: str = "15") -> subprocess.CompletedProcess[str]:
    """One process. W&B writes to its files every `flush` seconds; without a key, as HOME holds none."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {"HOME": str(folder), "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": flush}
    command = [sys.executable, "-W", "error", "-c", CHILD, die, *SMALL, f"store.runs={folder}/runs", *settings]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == (0 if die == "never" else -9), done.stdout + done.stderr
    return done


def records(folder: Path) -> list[dict[str, Any]]:
    """Everything in the W&B files of a run, oldest first, as `wandb leet inspect` tells it."""
    from wandb.util import get_core_path

    found = []
    for log in sorted((folder / "wandb").glob("offline-run-*/run-*.wandb")):
        command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", "--run-file", log, log.parent]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found += [json.loads(line) for line in told.splitlines()]
    return found


def history(folder: Path) -> list[dict[str, Any]]:
    """What was logged, without W&B's own fields."""
    items = [record["history"]["item"] for record in records(folder) if record["type"] == "history"]
    return [{name: value for name, value in item.items() if not name.startswith("_")} for item in items]


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def sent(folder: Path) -> bytes:
    """Every byte of the W&B folder."""
    return b"".join(path.read_bytes() for path in sorted((folder / "wandb").resolve().rglob("*")) if path.is_file())


def texts(folder: Path) -> set[str]:
    """Prompts and answers of a run that no number or setting looks like."""
    view = read_run(folder)
    found = {turn.content for name in ("train", "held_out") for one in view.sources[name].records(Prompt)
             for turn in one.messages if turn.role == "user"}  # fmt: skip
    for stages in view.iterations:
        found |= {one.text for one in stages["evaluate"].records(EvaluatedAnswer)}
        found |= {one.text for one in stages["sample"].records(Candidate)} if "sample" in stages else set()
    return {text for text in found if len(text) >= 12}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run killed twice and resumed: once with rows that W&B has not written yet, once with rows nobody remembers."""
    folder = tmp_path_factory.mktemp("killed")
    offline = ("tracker.wandb=offline", "tracker.group=ours", "loop.iterations=2")
    start(folder, *offline, die="before 1")
    start(folder, *offline, die="after 1", flush="0.05")
    start(folder, *offline)
    return folder / "runs" / "scripted"


@pytest.mark.slow
def test_a_run_killed_and_resumed_twice_holds_each_iteration_once(killed: Path) -> None:
    assert len(list((killed / "wandb").glob("offline-run-*"))) == 3
    assert [row["loop/iteration"] for row in history(killed)] == [0, 1, 2]
    assert history(killed) == [pytest.approx(row) for row in metrics(killed)]


@pytest.mark.slow
def test_every_part_is_the_same_run_of_the_same_group_with_the_iteration_as_its_axis(killed: Path) -> None:
    found = records(killed)
    runs = [record["run"] for record in found if record["type"] == "run"]
    assert {(one["run_id"], one["run_group"], one["display_name"], one["project"]) for one in runs} == {
        (killed.joinpath("wandb").resolve().parent.name, "ours", "scripted", "selfreward")
    }
    assert all(one["resume"] for one in runs)
    assert all("host" not in one for one in runs)
    assert runs[0]["config"]["update"]["sample"]["k"] == 4
    axes = [record["metric"] for record in found if record["type"] == "metric"]
    assert {one.get("name") for one in axes} == {"loop/iteration", None}
    assert {one.get("step_metric") for one in axes if one.get("glob_name") == "*"} == {"loop/iteration"}


@pytest.mark.slow
def test_report_and_digests_are_attached_and_no_text_is(killed: Path) -> None:
    last = sorted((killed / "wandb").glob("offline-run-*/files"))[-1]
    saved = [one["path"] for record in records(killed) if record["type"] == "files" for one in record["files"]["files"]]
    assert saved == ["report.html", "artifacts.json"]
    assert "Left out of this copy." in (last / "report.html").read_text()
    digests = json.loads((last / "artifacts.json").read_text())
    assert digests == {name: {"key": one.key, "digest": one.digest} for name, one in read_run(killed).artifacts()}
    assert len(texts(killed)) > 50
    everything = sent(killed)
    assert [text for text in texts(killed) if text.encode() in everything] == []


@pytest.mark.slow
def test_an_alarm_is_sent_once_and_the_summary_says_how_it_ended(killed: Path) -> None:
    found = records(killed)
    (alert,) = [record["alert"] for record in found if record["type"] == "alert"]
    assert (alert["title"], alert["level"]) == ("SEVERE at iteration 2", "ERROR")
    seen = read_run(killed).iterations[2]["diagnose"].json("diagnosis")
    assert alert["text"] == f"{seen['why']}; {seen['cannot_see']}"
    updates = [record["summary"]["update"] for record in found if record["type"] == "summary"]
    final = {name: value for update in updates for name, value in update.items() if name.startswith("final/")}
    assert final == pytest.approx(final_values(metrics(killed)))


@pytest.mark.slow
def test_a_torn_end_is_as_if_it_had_not_been_written(killed: Path, tmp_path: Path) -> None:
    from selfreward.tracking.wandb import _next_step

    log = sorted((killed / "wandb").glob("offline-run-*/run-*.wandb"))[-1]
    whole = log.read_bytes()
    torn = tmp_path / "offline-run-20200101_000000-x" / "run-x.wandb"
    torn.parent.mkdir()
    seen = []
    for size in (len(whole), len(whole) - 3, len(whole) // 2, 7, 0):
        torn.write_bytes(whole[:size])
        seen.append(_next_step(torn))
    assert seen == [5, 5, 0, 0, 0]


@pytest.mark.slow
def test_nothing_left_to_log_imports_no_wandb_and_more_iterations_go_on(killed: Path) -> None:
    folder = killed.parent.parent
    before = len(list((killed / "wandb").glob("*")))
    again = start(folder, "tracker.wandb=offline", "loop.iterations=2")
    assert again.stdout.split() == ["False"]
    assert len(list((killed / "wandb").glob("*"))) == before
    another = start(folder, "tracker.wandb=offline", "loop.iterations=2", "run=another")
    assert another.stdout.split() == ["False"], "one run per recipe, whatever its name"
    logged = history(killed)
    assert logged[2].keys() == set(metrics(killed)[2])
    start(folder, "tracker.wandb=offline", "loop.iterations=3")
    extended = history(killed)
    assert sum(record["type"] == "alert" for record in records(killed)) == 1, "it was known before the run went on"
    assert extended[:3] == logged
    assert [row["loop/iteration"] for row in extended[3:]] == [2, 3]
    assert logged[2] | extended[3] == pytest.approx(metrics(killed)[2])
    assert logged[2].keys() & extended[3].keys() == {"loop/iteration"}
    assert extended[4] == pytest.approx(metrics(killed)[3])


@pytest.mark.slow
def test_without_a_key_it_is_offline_and_with_leave_it_holds_texts(tmp_path: Path) -> None:
    done = start(tmp_path, "tracker.wandb=online", "tracker.log_text=true", "loop.iterations=0")
    said = [line for line in done.stderr.splitlines() if line.startswith("W&B:")]
    assert "there is no key" in said[0]
    assert "offline" in said[1]
    folder = tmp_path / "runs" / "scripted"
    table = json.loads(next((folder / "wandb").glob("offline-run-*/files/media/table/*.json")).read_text())
    assert table["columns"] == ["prompt", "stratum", "answer", "right", "finish"]
    assert len(table["data"]) == 6
    assert {row[2] for row in table["data"]} <= {
        one.text for one in read_run(folder).iterations[0]["evaluate"].records(EvaluatedAnswer)
    }
    assert table["data"][0][0] in next((folder / "wandb").glob("offline-run-*/files/report.html")).read_text()


def test_disabled_leaves_nothing_and_imports_no_wandb(tmp_path: Path) -> None:
    assert start(tmp_path, "loop.iterations=0").stdout.split() == ["False"]
    assert not list((tmp_path / "runs").rglob("*wandb*"))


def test_the_id_is_of_what_decides_results(tmp_path: Path) -> None:
    def id_of(*overrides: str) -> str:
        view = run_scripted(tmp_path, "loop.iterations=0", *overrides)
        return run_id(scripted_config(*overrides).model_dump(mode="json"), view.folder)

    same = id_of()
    assert id_of("run=another", "tracker.group=ours", "store.keep_policies=last") == same
    assert id_of("loop.iterations=1") == same
    changes = ["seed=1", "judge.policy=initial", "model.skill=0.5", "data.human=150", "update.rate=0.25"]
    assert len({same, *(id_of(change) for change in changes)}) == len(changes) + 1
