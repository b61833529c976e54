"""Part of bench_engines.py: what an iteration takes beside the calls of engine, trainer and sentence model.

One run of the loop is made, and its own calls are timed: two runs would differ by more than what is looked for. What is
left is everything of ours: stages, keys, digests, Parquet, selection, statistics, monitor, metrics. What the engine and
the updates add to their libraries is measured by the other parts.
"""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from pairs import Wanted, share_row
from quiet import Quiet

import selfreward.stages.measure
import selfreward.stages.update
from selfreward.__main__ import compose
from selfreward.artifacts import Store
from selfreward.artifacts.runs import Run
from selfreward.backends.hf import HfBackend
from selfreward.backends.libraries import load_libraries
from selfreward.config import validate
from selfreward.loop import run_loop
from selfreward.tracking import Tracker

LIBRARY = (
    *((HfBackend, name) for name in ("_generate", "_score", "_score_options", "_count_tokens")),
    (selfreward.stages.update, "run_update"),
    (selfreward.stages.measure, "embed_minilm"),
)


@dataclass
class Clock:
    """Seconds in calls of libraries; of a call within a call the outer one counts."""

    seconds: float = 0.0
    inside: int = 0

    def around(self, function):
        """`function`, counted."""

        def counted(*arguments, **named):
            began = time.perf_counter()
            self.inside += 1
            try:
                return function(*arguments, **named)
            finally:
                self.inside -= 1
                if not self.inside:
                    self.seconds += time.perf_counter() - began

        return counted


class Silent(Quiet):
    """A reporter that shows no table either."""

    def table(self, *_: object) -> None:
        """Shows nothing."""


def orchestration(pairs: int, *, small: bool) -> None:
    """The share of wall time outside of library calls, in the first iteration and in each of `pairs` later ones."""
    size = ["size=debug"] if small else []
    config = validate(compose(["experiment=quickstart", *size, f"loop.iterations={pairs + 1}"]))
    load_libraries()  # as a script without the loop would, too
    clock, ends = Clock(), [(time.perf_counter(), 0.0)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as patched:
        for owner, attribute in LIBRARY:
            patched.enter_context(patch.object(owner, attribute, clock.around(getattr(owner, attribute))))
        run = Run(Path(name) / "bench", Store(Path(name) / "store", Silent()), config.seed)
        run.folder.mkdir()
        # An iteration ends when its metrics are written.
        run_loop(
            config, run, Tracker(run.folder, Silent(), lambda *_: ends.append((time.perf_counter(), clock.seconds)))
        )
    laps = [(end - begun, after - before) for (begun, before), (end, after) in pairwise(ends)]
    seconds = [whole for whole, _ in laps]
    shares = [1 - inside / whole for whole, inside in laps]
    wanted = Wanted(0.02, least=False)
    print(share_row("outside of libraries, iteration 0 with reading the data", shares[:1], seconds[:1], wanted))
    # The last lap measures the last policy and updates nothing.
    print(share_row("outside of libraries, an iteration", shares[1:-1], seconds[1:-1], wanted), flush=True)
