#!/usr/bin/env python
"""Kills a run again and again (SIGKILL) and compares what it ends with against a run that was left alone.

    python scripts/kill_test.py random --kills 200                      scripted policy, random moments
    python scripts/kill_test.py random sample.k=8                       the same with other settings
    python scripts/kill_test.py points experiment=quickstart            ten kills, each at a named point
    python scripts/kill_test.py points --against runs experiment=...    compares with a finished run

`points` kills twice in each of: a sample shard, a judge shard, a training step, the saving of weights, the rename of
a manifest. The folder of the killed run is printed and kept.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfreward.artifacts.runs import read_run

POINTS = ("sample", "judge", "step", "save", "manifest")


def die(*_: object, **__: object) -> None:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def digests(folder: Path) -> dict[str, str]:
    """Every artifact of a run by the name of its link, with the digest of its content."""
    return {name: artifact.digest for name, artifact in read_run(folder).artifacts()}


def die_after(work: Callable[..., Any]) -> Callable[..., Any]:
    """Does the work, so that it is done and not yet written, and dies."""
    return lambda *arguments, **named: die(work(*arguments, **named))


def on_call(number: int, then: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is `otherwise` until its `number`-th call, which is `then`."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        return (then if calls == number else otherwise)(*arguments, **named)

    return call


def replace_in(holder: object, name: str, by: Callable[..., Any]) -> None:
    """Puts `by` in the place of what `holder` has under `name`; fails where it has nothing of that name."""
    getattr(holder, name)
    setattr(holder, name, by)


def arm(point: str) -> None:
    """Makes this process die when it next reaches `point`."""
    import selfreward.judges.judge_shard as judging
    import selfreward.stages.sample as sampling
    import selfreward.updates.rft as rft

    match point:
        case "sample":
            draw = sampling.draw_candidates
            replace_in(sampling, "draw_candidates", on_call(2, die_after(draw), draw))
        case "judge":
            ask = judging.judge_shard
            replace_in(judging, "judge_shard", on_call(2, die_after(ask), ask))
        case "step":
            train: Callable[..., Any] = rft.train_rft
            advance = on_call(2, die, lambda *_: None)

            def until(*given: Any) -> Any:
                return train(*given[:-1], advance)

            replace_in(rft, "train_rft", until)
        case "save":
            save = rft.save_policy

            def watched(model: Any, chat: Any, out: Path, **named: Any) -> None:
                _die_once_there(out / "model.safetensors")
                save(model, chat, out, **named)

            replace_in(rft, "save_policy", watched)
        case "manifest":
            rename = Path.replace

            def renamed(old: Path, new: Path) -> Path:
                if new.name == "manifest.json":
                    die()
                return rename(old, new)

            replace_in(Path, "replace", renamed)


def _die_once_there(path: Path) -> None:
    """Dies as soon as the file has begun to be written."""

    def watch() -> None:
        while not (path.exists() and path.stat().st_size > 0):
            time.sleep(0.0005)
        die()

    threading.Thread(target=watch, daemon=True).start()


def child(point: str, arguments: list[str]) -> int:
    """Runs `selfreward run` in this process, armed."""
    from selfreward.__main__ import main

    if point != "none":
        arm(point)
    sys.argv = ["selfreward", "run", *arguments]
    return main()


def run_points(settings: list[str], against: Path | None) -> bool:
    """Ten kills at named points on the run that `settings` describe; whether it ends as one left alone."""
    folder = Path(tempfile.mkdtemp(prefix="selfreward-kills-"))
    print(f"killed run: {folder}", flush=True)

    def start(point: str, where: Path) -> int:
        command = [sys.executable, str(Path(__file__).resolve()), "child", point, *settings]
        with (where / "log").open("a") as log:
            return subprocess.run(command, cwd=where, stderr=log, stdout=log, check=False).returncode

    for point in POINTS * 2:
        began = time.monotonic()
        status = start(point, folder)
        print(f"{point:<10} ended with {status} after {time.monotonic() - began:.0f} s", flush=True)
        if status != -signal.SIGKILL:
            print("it was not killed: the point was not reached")
            return False
    status = start("none", folder)
    print(f"{'left alone':<10} ended with {status}", flush=True)
    if against is None:
        whole = Path(tempfile.mkdtemp(prefix="selfreward-whole-"))
        start("none", whole)
        against = whole / "runs"
    return _compare(folder / "runs", against)


def run_random(kills: int, seed: int, settings: list[str]) -> bool:
    """SIGKILL at random moments of scripted runs, until there were `kills`; whether every run ended the same."""
    from selfreward.__main__ import compose
    from selfreward.artifacts import Store
    from selfreward.artifacts.runs import Run
    from selfreward.config import validate
    from selfreward.console import ConsoleReporter
    from selfreward.loop import run_loop
    from selfreward.tracking import Tracker

    config = validate(compose(["experiment=scripted", "sample.shard_prompts=8", "overoptimisation=default", *settings]))

    def start(folder: Path, after: float | None) -> bool:
        """Runs in a forked child; true if it came to its end before it was killed."""
        pid = os.fork()
        if pid == 0:
            with Path(os.devnull).open("w") as null:
                os.dup2(null.fileno(), 2)
            reporter = ConsoleReporter()
            run = Run(folder / config.run, Store(folder / "store", reporter), config.seed)
            run_loop(config, run, Tracker(run.folder, reporter))
            os._exit(0)
        if after is not None:
            time.sleep(after)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.WIFEXITED(status)

    scratch = Path(tempfile.mkdtemp(prefix="selfreward-kills-"))
    whole = scratch / "whole"
    began = time.monotonic()
    start(whole, None)
    length = time.monotonic() - began
    luck = random.Random(seed)
    killed, runs = 0, 0
    while killed < kills:
        runs += 1
        folder = scratch / f"run-{runs}"
        while killed < kills and not start(folder, luck.uniform(0, length / 3)):
            killed += 1
        start(folder, None)
        if not _compare(folder, whole, quiet=True):
            print(f"run {runs} ended otherwise: {folder}")
            return False
        shutil.rmtree(folder)
    shutil.rmtree(scratch)
    print(f"{killed} kills over {runs} runs: every run ended with the digests of the run left alone")
    return True


def _compare(killed: Path, whole: Path, quiet: bool = False) -> bool:
    names = [path.name for path in whole.iterdir() if path.is_dir() and path.name not in ("store", "multirun")]
    for name in names:
        if not (killed / name).exists():
            continue
        left, right = digests(killed / name), digests(whole / name)
        different = sorted(link for link in left.keys() | right.keys() if left.get(link) != right.get(link))
        if different:
            print(f"{name}: {len(different)} of {len(right)} artifacts differ: {different}")
            return False
        if not quiet:
            print(f"{name}: all {len(right)} artifacts have the digests of the run left alone")
    return True


def main() -> int:
    """0 if nothing differed."""
    if sys.argv[1:2] == ["child"]:
        return child(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["random", "points"])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--against", type=Path, help="the runs folder of a finished run to compare with")
    parser.add_argument("settings", nargs="*")
    arguments = parser.parse_intermixed_args()
    if arguments.mode == "random":
        return 0 if run_random(arguments.kills, arguments.seed, arguments.settings) else 1
    return 0 if run_points(arguments.settings, arguments.against) else 1


if __name__ == "__main__":
    sys.exit(main())
