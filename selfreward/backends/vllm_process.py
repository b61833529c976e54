"""The process that runs `vllm_worker.py`: started, asked, ended, and why it failed if it did."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from selfreward.backends import vllm_worker
from selfreward.errors import BackendError

_SECONDS_TO_END = 10
_ERROR = re.compile(r"^(?:\[rank\d+\]: )?((?:\w+\.)*\w*(?:Error|Exception): .+)", re.MULTILINE)


@cache
def versions(python: Path | None) -> Mapping[str, str]:
    """`vllm_worker.versions` of an interpreter, None for this one; vLLM is not imported.

    Raises:
        BackendError: no such interpreter, or one without vLLM.
    """
    if python is None:
        found = vllm_worker.versions()
    else:
        command = [str(python), "-P", vllm_worker.__file__, "versions"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
        except (OSError, subprocess.CalledProcessError, json.JSONDecodeError) as error:
            raise BackendError(
                f"backend.python={python} is no Python 3.11 or newer that can be run: give the bin/python of the "
                "environment that has vLLM"
            ) from error
    if not found:
        raise BackendError(
            f"vLLM is not installed for {python or sys.executable}: type `bash scripts/setup_vllm.sh`, or give "
            "backend.python=<an interpreter that has it>; backend=hf needs none"
        )
    return found


class Worker:
    """A running worker. It ends with `close`, and by itself when this process is gone."""

    def __init__(self, python: Path | None, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Starts it; the engine's own log goes to a file that stays only if the worker fails."""
        self._failed = False
        self._folder = Path(tempfile.mkdtemp(prefix="selfreward-vllm-"))
        self._socket, theirs = socket.socketpair()
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python or sys.executable), "-P", vllm_worker.__file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": str(self._folder), **environment},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._answers = self._socket.makefile("rb")
        self._requests = self._socket.makefile("wb")
        self._send(settings)

    @property
    def pid(self) -> int:
        """The process id, which is that of its process group too."""
        return self._process.pid

    def ask(self, requests: Sequence[Mapping[str, Any]], tick: Callable[[], None]) -> list[dict[str, Any]]:
        """An answer for each request, in order; `tick` is called as each one comes in.

        Raises:
            BackendError: the worker ended; it says why.
        """
        answers: dict[int, dict[str, Any]] = {}
        self._send(requests)
        while len(answers) < len(requests):
            try:
                answer = vllm_worker.receive(self._answers)
            except ConnectionError:
                answer = None
            if answer is None:
                raise self._failure()
            answers[answer["number"]] = answer
            tick()
        return [answers[number] for number in range(len(requests))]

    def close(self) -> None:
        """Ends the worker and all it started, and waits for that."""
        self._hang_up()
        if not self._failed:
            shutil.rmtree(self._folder)

    @property
    def _log(self) -> Path:
        return self._folder / "log.txt"

    def _send(self, message: Any) -> None:
        try:
            vllm_worker.send(self._requests, message)
        except ConnectionError as error:
            raise self._failure() from error

    def _hang_up(self) -> None:
        for end in (self._requests, self._answers, self._socket):
            try:
                end.close()
            except ConnectionError:  # what was not sent will not be
                continue
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def _failure(self) -> BackendError:
        self._hang_up()
        self._failed = True
        log = self._log.read_text(errors="replace")
        errors = list(_ERROR.finditer(log))
        told = log[errors[-1].start(1) :] if errors else "\n".join(log.splitlines()[-3:])
        return BackendError(
            f"vLLM's process ended with status {self._process.returncode}: {' '.join(told.split())[:500]} "
            f"(its log is {self._log})"
        )
