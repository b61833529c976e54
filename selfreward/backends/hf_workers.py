"""Processes that hold the same model and share the jobs: on a CPU two of one thread do more than one of two.

What a job gives does not depend on who does it. One process loads the libraries, which is most of starting, and the
workers are copies of it. All end with the process that started them, also when it is killed.
"""

import atexit
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection, wait
from typing import Any

from selfreward.backends.base import Advance
from selfreward.backends.hf_model import AskFacts, HeldModel, Job, Loading
from selfreward.backends.libraries import load_libraries
from selfreward.errors import BackendError, SelfrewardError

# The process that starts them is told of Ctrl-C and ends them; they may be loading libraries then.
_START = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from {__name__} import main; main()"


class Workers:
    """`count` processes of `threads` threads; they start with the first jobs, or before, and after a failure."""

    def __init__(self, count: int, threads: int) -> None:
        self._count, self._threads = count, threads
        self._parent: subprocess.Popen[bytes] | None = None
        self._running: list[Connection] = []
        self._loading_ahead: list[Connection] = []

    def do(self, loading: Loading, jobs: Sequence[Job], advance: Advance) -> list[Any]:
        """What each job gives, in order; `advance` is told of every row that is done.

        Raises what a job raises, and BackendError where a process ended. All processes end with either.
        """
        if not self._running:
            self._start()
        results: dict[int, Any] = {}
        waiting = iter(enumerate(jobs))
        busy: dict[Connection, int] = {}

        def hand_over(to: Connection) -> None:
            if (following := next(waiting, None)) is not None:
                busy[to], job = following
                self._send(to, (loading, job))

        try:
            while self._loading_ahead:
                self._received(self._loading_ahead.pop())
            for connection in self._running:
                hand_over(connection)
            while busy:
                ready = wait(list(busy))
                for connection in [one for one in busy if one in ready]:
                    told = self._received(connection)
                    if isinstance(told, int):
                        advance(told)
                    else:
                        results[busy.pop(connection)] = told
                        hand_over(connection)
        except BaseException:
            self.end()  # they would answer the next call with what is left of this one
            raise
        return [results[number] for number in range(len(jobs))]

    def load_ahead(self, loading: Loading) -> None:
        """Starts the processes where none runs; they load their libraries and the model while this one goes on."""
        if not self._running:
            self._start()
            for connection in self._running:
                self._send(connection, (loading, AskFacts()))
                self._loading_ahead.append(connection)

    def _start(self) -> None:
        pairs = [socket.socketpair() for _ in range(self._count)]
        sockets = [theirs.fileno() for _, theirs in pairs]
        command = [sys.executable, "-P", "-c", _START, str(self._threads), *map(str, sockets)]
        # A new interpreter, not a copy of this one: locks of its threads would be copied too.
        self._parent = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=sockets, process_group=0)
        for ours, theirs in pairs:
            theirs.close()
            self._running.append(Connection(ours.detach()))

    def forget(self) -> None:
        """Has every process free its model."""
        try:
            for connection in self._running:
                connection.send(None)
        except ConnectionError:  # it has ended, and the others hold what nobody needs
            self.end()

    def end(self) -> None:
        """Ends all processes."""
        if self._parent is not None:
            os.killpg(self._parent.pid, signal.SIGKILL)  # the group keeps its name until it is waited for
            self._parent.wait()
        for connection in self._running:
            connection.close()
        self._parent, self._running, self._loading_ahead = None, [], []

    def _send(self, connection: Connection, message: tuple[Loading, Job]) -> None:
        try:
            connection.send(message)
        except ConnectionError as error:
            raise self._ended() from error

    def _received(self, connection: Connection) -> Any:
        try:
            result = connection.recv()
        except (EOFError, ConnectionError) as error:
            raise self._ended() from error
        if isinstance(result, SelfrewardError):
            raise result
        return result

    def _ended(self) -> BackendError:
        assert self._parent is not None, "a worker had answered"
        # Only looked at: `end` is to kill the group, and waits for it.
        ended = os.waitid(os.P_PID, self._parent.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        if ended.si_code != os.CLD_EXITED and ended.si_status == signal.SIGKILL:
            why = "was killed, by the system perhaps for want of memory: set backend.workers=1 where that is so"
        else:
            why = f"ended with status {ended.si_status}, and its own message stands above"
        return BackendError(f"one of the {self._count} processes that hold the model {why}. Run again to go on")


@cache
def workers_of(count: int, threads: int) -> Workers:
    """The processes of this one, which end with it; backends that hold one policy after another share them."""
    workers = Workers(count, threads)
    atexit.register(workers.end)
    return workers


def serve(connection: Connection, threads: int) -> None:
    """Does jobs until the other end is gone; a message is a Loading and a Job, or None to free the model.

    It is answered with numbers of rows as they are done, and last with what the job gives.
    """
    import torch

    torch.set_num_threads(threads)
    held: HeldModel | None = None
    while True:
        try:
            message = connection.recv()
        except (EOFError, ConnectionError):
            return
        if message is None or (held is not None and held.loading != message[0]):
            held = None
            gc.collect()
        if message is None:
            continue
        loading, job = message
        with suppress(ConnectionError):  # the other end was killed meanwhile, which the next message tells
            try:
                held = held or HeldModel(loading)
                result = held.do(job, connection.send)
            except SelfrewardError as error:
                result = error
            connection.send(result)


def main() -> None:
    """Serves at each socket that the command line names behind the threads; ends as the first that fails does."""
    threads, *sockets = map(int, sys.argv[1:])
    load_libraries()
    for mine in sockets:
        if os.fork() == 0:
            for other in {*sockets} - {mine}:
                os.close(other)
            serve(Connection(mine), threads)
            return
    for theirs in sockets:
        os.close(theirs)
    for _ in sockets:
        _, status = os.wait()
        if os.WIFSIGNALED(status):
            os.kill(os.getpid(), os.WTERMSIG(status))
        if status:
            sys.exit(os.WEXITSTATUS(status))
