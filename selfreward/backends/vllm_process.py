"""The process that runs `vllm_worker.py`: started, asked, ended, and why it failed if it did."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError

from selfreward.backends import vllm_worker
from selfreward.backends.base import Advance
from selfreward.backends.one_line import one_line, plain, without_escapes
from selfreward.errors import BackendError

_SECONDS_TO_END = 10
_SECONDS_TO_TELL = 120
_TAIL = 1 << 16
_ERROR = re.compile(r"^(?:\[rank\d+\]: )?((?:\w+\.)*\w*(?:Error|Exception): .+)", re.MULTILINE)


@cache
def versions(python: Path | None) -> Mapping[str, str]:
    """`vllm_worker.versions` of an interpreter, None for this one; vLLM is not imported.

    Raises BackendError where there is no such interpreter, or none with vLLM.
    """
    if python is None:
        found = vllm_worker.versions()
    else:
        command = [str(python), "-P", vllm_worker.__file__, "versions"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS_TO_TELL)
            found = _read_versions(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
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


def _read_versions(told: str) -> dict[str, str]:
    """What a worker says of itself. Raises ValueError for anything else."""
    found = TypeAdapter(dict[str, str]).validate_json(told)
    if found and not {"build", "vllm", "torch"} <= found.keys():
        raise ValueError(f"only {', '.join(found)}")
    return found


class Draw(BaseModel):
    """One completion: its tokens, and at each place the log-probabilities that were asked for, by token."""

    model_config = ConfigDict(strict=True)

    tokens: list[Annotated[int, Field(ge=0, lt=2**31)]]
    logprobs: list[dict[str, float]]


class WorkerReply(BaseModel):
    """The worker's answer to the request of that number; nothing that it sends is used before it has this form."""

    model_config = ConfigDict(strict=True)

    number: NonNegativeInt
    prompt_logprobs: list[dict[str, float]] | None
    completions: list[Draw]


class Worker:
    """A running worker. It ends with `close`, and by itself when this process is gone."""

    def __init__(
        self, python: Path | None, settings: Mapping[str, Any], environment: Mapping[str, str], timeout: float
    ) -> None:
        """Starts it; the engine's own log goes to a file that stays only if the worker fails.

        `timeout` is for how many seconds it may do nothing that is seen here.
        """
        self._failed = False
        self._timeout = timeout
        self._folder = Path(tempfile.mkdtemp(prefix="selfreward-vllm-"))
        self._log = self._folder / "log.txt"
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(timeout)
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
        self.pid = self._process.pid  # of its process group too
        self._answers = self._socket.makefile("rb")
        self._requests = self._socket.makefile("wb")
        self._send(settings)

    def ask(self, requests: Sequence[Mapping[str, Any]], advance: Advance) -> list[WorkerReply]:
        """A reply to each request, in order; `advance` is told of the completions of each as it comes in.

        Raises BackendError where the worker ended, did nothing for too long, or sent what is no reply.
        """
        replies: dict[int, WorkerReply] = {}
        self._send(requests)
        while len(replies) < len(requests):
            reply = self._receive()
            if reply is None:
                continue
            if reply.number >= len(requests) or reply.number in replies:
                raise self._garbage(f"a reply to request {reply.number}, which is not open")
            if len(reply.completions) != requests[reply.number]["params"].get("n", 1):
                raise self._garbage(f"{len(reply.completions)} completions of request {reply.number}")
            replies[reply.number] = reply
            advance(len(reply.completions))
        return [replies[number] for number in range(len(requests))]

    def _receive(self) -> WorkerReply | None:
        """The next reply; None where the worker says that it is at work."""
        try:
            message = vllm_worker.receive(self._answers)
            return None if message is None else WorkerReply.model_validate(message)
        except TimeoutError as error:
            raise self._failure(
                f"vLLM's process has done nothing for {self._timeout:g} s, and was ended: raise backend.timeout if it "
                "may take longer"
            ) from error
        except (EOFError, ConnectionError) as error:
            raise self._failure() from error
        except ValidationError as error:
            first = error.errors()[0]
            raise self._garbage(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise self._garbage(one_line(error)) from error

    def close(self) -> None:
        """Ends the worker and all it started, and waits for that."""
        self._hang_up()
        if not self._failed:
            shutil.rmtree(self._folder)

    def _send(self, message: Any) -> None:
        try:
            vllm_worker.send(self._requests, message)
        except TimeoutError as error:
            raise self._failure(f"vLLM's process has taken nothing for {self._timeout:g} s, and was ended") from error
        except ConnectionError as error:
            raise self._failure() from error

    def _hang_up(self) -> None:
        for end in (self._requests, self._answers, self._socket):
            with suppress(ConnectionError, TimeoutError):  # what was not sent will not be
                end.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def _garbage(self, what: str) -> BackendError:
        return self._failure(f"vLLM's process sent what is no reply ({plain(what)}), and was ended")

    def _failure(self, why: str | None = None) -> BackendError:
        """Ends the worker; the error says `why`, or where that is None what the worker said before it ended itself."""
        if why is not None:
            os.killpg(self.pid, signal.SIGKILL)
        self._hang_up()
        self._failed = True
        if why is None:
            why = f"vLLM's process ended with status {self._process.returncode}: {plain(self._last_words())}"
        return BackendError(f"{why} (its log is {self._log})")

    def _last_words(self) -> str:
        """The last error in the log, or its last lines."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _TAIL))
            log = without_escapes(file.read().decode(errors="replace"))
        errors = list(_ERROR.finditer(log))
        return log[errors[-1].start(1) :] if errors else "\n".join(log.splitlines()[-3:])
