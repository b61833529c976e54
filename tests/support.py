"""What several tests need: a silent reporter, a scripted run in a folder."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from selfreward.__main__ import compose, main
from selfreward.artifacts import Store
from selfreward.artifacts.output import Advance
from selfreward.artifacts.runs import Run, RunView, read_run
from selfreward.config import RunConfig, validate
from selfreward.judges import judge_shard
from selfreward.loop import run_loop
from selfreward.records import Judgment
from selfreward.tracking import Tracker


class SilentBar:
    """A progress bar that shows nothing."""

    def __enter__(self) -> Advance:
        return lambda _: None

    def __exit__(self, *exit: object) -> None:
        return None


class Silent:
    """A reporter that remembers its lines and tables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: list[Sequence[Mapping[str, str]]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, title: str, total: int | None, unit: str) -> SilentBar:
        return SilentBar()

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        self.tables.append(rows)


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def selfreward(*arguments: str, cwd: Path) -> Done:
    """The command line, in this process: a process of its own costs a second each time."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", ["selfreward", *arguments]):
        try:
            status = main()
        except SystemExit as exit_:  # argparse and Hydra end the process themselves
            status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return Done(status, out.getvalue(), err.getvalue())


@cache
def scripted_config(*overrides: str) -> RunConfig:
    """The scripted experiment with a few settings changed; evaluated on less, which is most of its time."""
    fewer = [] if "data=files" in overrides else ["data.held_out_closed=30"]
    return validate(compose(["experiment=scripted", "evaluate.ladder=[0.4]", *fewer, *overrides]))


def run_scripted(folder: Path, *overrides: str, reporter: Silent | None = None) -> RunView:
    """A scripted run below `folder`, to its end."""
    reporter = reporter or Silent()
    config = scripted_config(*overrides)
    run = Run(folder / config.run, Store(folder / "store", reporter), config.seed)
    run_loop(config, run, Tracker(run.folder, reporter))
    return read_run(run.folder)


def judge_instead(monkeypatch: pytest.MonkeyPatch, module: ModuleType, judged: Callable[..., Any]) -> None:
    """Has `judged` called in place of `judge_shard` for every shard that `module` has to ask about."""

    def write(*given: Any) -> list[Judgment]:
        with monkeypatch.context() as here:
            here.setattr(judge_shard, "judge_shard", judged)
            return judge_shard.write_shard(*given)

    monkeypatch.setattr(module, "write_shard", write)
