"""W&B that fails wherever it can: the run goes on, it is told once, and the next command sends the rest."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from selfreward.artifacts.runs import read_iteration, read_sources
from selfreward.reading.rounds import Round
from selfreward.tracking import Tracker, TrackerSpec
from selfreward.tracking.wandb import WandbRun
from tests.support import Silent, selfreward
from tests.test_cli import SCRIPTED


class Refused(Exception):
    """What W&B raises where it knows what is wrong; others of its errors are bare."""


@dataclass
class Server:
    """What W&B holds by project, and what it does instead of its work: `fails` maps a call to an error."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    fails: dict[str, Exception] = field(default_factory=dict)
    loses: bool = False

    def meet(self, call: str) -> None:
        if call in self.fails:
            raise self.fails[call]


class FakeRun:
    """A run as the client has it: rows are sent when it ends."""

    def __init__(self, server: Server, project: str, folder: Path) -> None:
        self._server, self._project, self._waiting = server, project, []
        self.step = max((row["_step"] + 1 for row in server.rows.get(project, [])), default=0)
        self.dir, self.url, self.summary = str(folder), "https://wandb.example/run", self
        folder.mkdir(parents=True, exist_ok=True)

    def define_metric(self, *_: Any, **__: Any) -> None:
        self._server.meet("define_metric")

    def alert(self, *_: Any, **__: Any) -> None:
        self._server.meet("alert")

    def log(self, row: dict[str, Any], *, step: int, commit: bool) -> None:
        self._server.meet(f"log {step}")
        self._waiting.append({**row, "_step": step})

    def save(self, *_: Any, **__: Any) -> None:
        self._server.meet("save")

    def update(self, _: dict[str, Any]) -> None:
        self._server.meet("summary")

    def finish(self, exit_code: int) -> None:
        self._server.meet("finish")
        if not self._server.loses:
            self._server.rows.setdefault(self._project, []).extend(self._waiting)


def fake_wandb(server: Server) -> ModuleType:
    """A module with the calls that a run makes."""
    fake = ModuleType("wandb")

    def init(*, project: str, dir: Path, **_: Any) -> FakeRun:
        server.meet("init")
        if project in server.deleted:
            raise Refused("run abc was previously created and deleted; try a new run id (Error 409: Conflict)")
        return FakeRun(server, project, dir / "files")

    contents: dict[str, Any] = {"init": init, "setup": lambda _: None, "Settings": dict, "Error": Refused}
    fake.__dict__.update(contents)
    return fake


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setitem(sys.modules, "wandb", fake_wandb(found))
    monkeypatch.setattr("selfreward.tracking.wandb._has_key", lambda: True)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two updates, and its settings: what W&B is told of it is all that is left to do."""
    folder = tmp_path_factory.mktemp("made")
    assert selfreward(*SCRIPTED, "loop.iterations=2", cwd=folder).returncode == 0
    return folder / "runs" / "scripted"


@pytest.fixture
def follow(server: Server, made: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Follows the run as a command does, with W&B's memory in the test's own folder; what was said of W&B."""
    settings = json.loads((made / "config.json").read_text())

    def once(project: str = "selfreward") -> list[str]:
        said: list[str] = []
        spec = TrackerSpec(wandb="online", project=project)
        with WandbRun(spec, made, tmp_path, settings, said.append) as run:
            tracker = Tracker(made, Silent(), run.log)
            for t in range(3):
                tracker.iteration(t)
            if run.is_open:
                run.attach("report.html", "a page")
        return [line for line in said if "https://" not in line]

    return once


def logged(server: Server, project: str = "selfreward") -> list[int]:
    return [row["loop/iteration"] for row in server.rows.get(project, [])]


FAILURES = {
    "no network at the start": {"init": Refused("Run initialization has timed out after 90.0 sec.")},
    "no such entity": {"init": Refused("entity nobody not found (Error 404: Not Found)\nSee the docs")},
    "a client that is broken": {"init": FileNotFoundError("wandb-core")},
    "axes": {"define_metric": RuntimeError("problem")},
    "an outage at the first row": {"log 1": Refused("Error communicating with wandb process")},
    "an outage on the way": {"log 3": BrokenPipeError(32, "Broken pipe")},
    "an outage at the last row": {"log 4": ConnectionResetError(104, "Connection reset by peer")},
    "a file that is not taken": {"save": OSError(28, "No space left on device")},
    "no summary": {"summary": Refused("no")},
    "an outage at the end": {"finish": TimeoutError("finish timed out")},
    "an outage all along": {
        name: TimeoutError("") for name in ("log 1", "log 3", "log 4", "save", "summary", "finish")
    },
}


@pytest.mark.parametrize("fails", FAILURES.values(), ids=FAILURES.keys())
def test_it_is_told_once_and_the_next_command_sends_what_is_missing(
    server: Server, follow: Callable[..., list[str]], fails: dict[str, Exception]
) -> None:
    server.fails = fails
    (line,) = follow()
    assert "the run goes on without W&B, and what W&B lacks is sent when you give the same command again" in line
    server.fails = {}
    assert follow() == []
    assert logged(server) == [0, 1, 2], "each once, in order"


def test_what_was_left_out_of_the_data_is_sent_with_the_first_iteration(
    server: Server, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made.parent, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / made.name
    manifest = next(run.glob("sources/train/manifest.json"))
    whole = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**whole, "counts": {**whole["counts"], "left_out:turn_without_text": 2}}))
    first, second = (Round(t, read_iteration(run, t), read_sources(run)) for t in (0, 1))
    with WandbRun(
        TrackerSpec(wandb="online"), run, tmp_path, json.loads((run / "config.json").read_text()), str
    ) as one:
        one.log(first, None)
        one.log(second, first)
    sent, later = server.rows["selfreward"]
    assert sent["data/train/left_out/turn_without_text"] == 2
    assert not any(name.startswith("data/") for name in later)


def test_what_was_lost_on_the_way_without_a_word_is_sent_by_the_next_command(
    server: Server, follow: Callable[..., list[str]]
) -> None:
    server.loses = True
    assert follow() == []
    assert logged(server) == []
    server.loses = False
    assert follow() == []
    assert logged(server) == [0, 1, 2]


def test_once_the_server_says_that_it_holds_all_it_is_not_asked_again(
    server: Server, follow: Callable[..., list[str]]
) -> None:
    for _ in range(2):
        assert follow() == []
    server.fails = {"init": Refused("asked again")}
    assert follow() == []
    assert logged(server) == [0, 1, 2]


def test_a_run_that_was_deleted_there_is_told_with_what_to_type(
    server: Server, follow: Callable[..., list[str]]
) -> None:
    server.deleted.add("selfreward")
    (line,) = follow()
    assert "deleted there" in line and "tracker.project=NAME" in line and "same command again" not in line
    assert follow("anew") == []
    assert logged(server, "anew") == [0, 1, 2]


def test_a_run_without_w_and_b_comes_to_its_end_and_keeps_its_exit_status(server: Server, tmp_path: Path) -> None:
    server.fails = {"init": Refused("down")}
    command = [*SCRIPTED, "tracker.wandb=online"]
    done = selfreward(*command, "loop.iterations=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "runs/scripted/metrics.jsonl").read_text().splitlines()) == 2
    starved = selfreward(*command, "backend.cut_share=1", cwd=tmp_path)
    assert starved.returncode == 3
    assert starved.stderr.splitlines()[-2].startswith("selfreward: 0 own examples to train on"), starved.stderr
    for one in (done, starved):
        assert sum(line.startswith("W&B: ") for line in one.stderr.splitlines()) == 1
