#!/usr/bin/env python
"""Kills `selfreward gc` (SIGKILL) before a file operation at random, again and again.

    python scripts/kill_gc_test.py --kills 200

After each kill of the gc of a scripted run every other command has to work; then gc is given again without a kill, and
nothing but manifests and small files may be left of what it deletes. After every tenth the run goes on with another
setting, for which what was deleted is made again.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

COMMANDS = ("status", "report", "verify", "explain", "gc --dry-run", "gc")


def kill_again_and_again(kills: int, seed: int) -> bool:
    """Whether nothing leaked and every command worked after each of so many kills."""
    scratch = Path(tempfile.mkdtemp(prefix="selfreward-kills-"))
    settings = ["run", "experiment=scripted", "loop.iterations=4", "evaluate.ladder=[0.4]"]
    os.chdir(scratch)
    if quietly(settings) != 0:
        return False
    (scratch / "runs").rename(scratch / "whole")
    luck = random.Random(seed)
    shutil.copytree(scratch / "whole", scratch / "runs", symlinks=True)
    length = in_child(lambda: count_file_operations(["gc", "scripted"]))
    print(f"gc makes {length} file operations", flush=True)
    for number in range(1, kills + 1):
        shutil.rmtree(scratch / "runs")
        shutil.copytree(scratch / "whole", scratch / "runs", symlinks=True)
        moment = luck.randint(1, length)
        if in_child(partial(die_before_file_operation, moment, ["gc", "scripted"])) != -signal.SIGKILL:
            print(f"it was not killed before operation {moment}")
            return False
        later = [[*command.split()[:1], "scripted", *command.split()[1:]] for command in COMMANDS]
        if number % 10 == 0:
            later.append([*settings, "measure.k=3"])
        for command in later:
            if (status := in_child(partial(quietly, command))) != 0:
                print(f"killed before operation {moment}, {' '.join(command)} ended with {status}: see {scratch}")
                return False
            if command[0] == "gc" and len(command) == 2 and (left := leaks(scratch / "runs")):
                print(f"killed before operation {moment}: {left} are left in {scratch}")
                return False
    os.chdir("/")
    shutil.rmtree(scratch)
    print(f"{kills} kills of gc: nothing is left of what it deletes, every later command worked")
    return True


def in_child(work: Callable[[], int]) -> int:
    """What `work` gives in a forked child; of one that was killed the signal, negative."""
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def quietly(arguments: list[str]) -> int:
    """The exit status of a command, whose words are lost."""
    from selfreward.__main__ import main as selfreward

    sys.argv = ["selfreward", *arguments]
    with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
        return selfreward()


def on_file_operation(then: Callable[[int], object]) -> None:
    """Calls `then` with its number before each file of this process is opened, renamed or deleted, and each folder."""
    numbers = itertools.count(1)

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event in ("open", "os.scandir", "os.remove", "os.rmdir", "os.rename"):
            then(next(numbers))

    sys.addaudithook(hook)


def count_file_operations(arguments: list[str]) -> int:
    """How many file operations a command makes."""
    seen: list[int] = []
    on_file_operation(seen.append)
    quietly(arguments)
    return len(seen)


def die_before_file_operation(moment: int, arguments: list[str]) -> int:
    """Runs a command until it makes its file operation of that number."""
    on_file_operation(lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == moment else None)
    return quietly(arguments)


def leaks(runs: Path) -> list[str]:
    """What lies in emptied updates besides manifests and small files."""
    emptied = [
        path.parent
        for path in (runs / "store/update").glob("*/manifest.json")
        if json.loads(path.read_text())["collected"]
    ]
    return [str(path) for folder in emptied for path in folder.iterdir() if path.suffix != ".json" or path.is_dir()]


def main() -> int:
    """0 where nothing leaked and every command worked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    return 0 if kill_again_and_again(arguments.kills, arguments.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
