"""Mathematical answers, read and compared by math-verify in a process of its own."""

import atexit
import functools
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from selfreward.answers.found import Reading
from selfreward.errors import DataError

SECONDS = 5.0
"""Processor time that one reply may take with all references of its prompt."""
_PATIENCE = 60.0  # seconds of the clock, for a process that waits rather than computes
_WORKER = Path(__file__).with_name("math_worker.py")
_running: dict[int, "subprocess.Popen[bytes]"] = {}


@functools.lru_cache(maxsize=8192)
def read_math(text: str, references: tuple[str, ...]) -> Reading:
    """What `text` commits to, in a form that equal numbers share, and whether it equals one of `references`.

    It is undecided where that takes longer than `SECONDS`. Raises DataError where math-verify cannot be started.
    """
    # A process that was forked does not share the one of its parent.
    process = _running.get(os.getpid())
    if process is None or process.poll() is not None:
        stop()
        process = _running[os.getpid()] = _started()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([text, references]).encode() + b"\n")
    process.stdin.flush()
    ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
    line = process.stdout.readline() if ready else b""
    if line.endswith(b"\n"):
        told = json.loads(line)
        return Reading(told.get("answer"), right=told.get("right"), undecided=told.get("undecided"))
    if not ready:
        process.kill()
    status = process.wait()
    stop()
    slow = not ready or status == -signal.SIGPROF
    told = f"takes more than {SECONDS:g} s" if slow else f"ended its process with status {status}"
    return Reading(None, undecided=f"too hard for math-verify: {told}")


def _started() -> "subprocess.Popen[bytes]":
    if importlib.util.find_spec("math_verify") is None:
        raise DataError("match=math is read by math-verify, which is not installed: type `pip install math-verify`")
    process = subprocess.Popen(
        [sys.executable, "-P", str(_WORKER), str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        process.kill()
        process.communicate()
        raise DataError("math-verify cannot be started: `python -c 'import math_verify'` says why")
    return process


@atexit.register
def stop() -> None:
    """Ends the process, if there is one."""
    if (process := _running.pop(os.getpid(), None)) is not None:
        process.kill()
        process.communicate()
