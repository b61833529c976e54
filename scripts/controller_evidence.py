#!/usr/bin/env python
"""Is the controller worth having? Every arm and seed of experiment=controller_evidence, one small row of figures each.

    python scripts/controller_evidence.py                             all cells but `healthy`, one after another
    python scripts/controller_evidence.py --jobs 2 --pin              two at a time, each on a core of its own
    python scripts/controller_evidence.py --cells replace_0:0,replace_controller:0
    python scripts/controller_evidence.py --healthy --jobs 2 --pin    the healthy loop after all others
    python scripts/controller_evidence.py --table                     writes docs/evidence/controller.md, runs nothing

Stop it whenever you like: the same command goes on. A cell whose row is there is done; a run that was stopped goes on
where it was; weights that no unfinished cell needs are deleted. Further arguments SETTING=VALUE go to every cell.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from controller_evidence_claims import claimed
from controller_evidence_compare import Rows
from controller_evidence_row import row_of
from controller_evidence_table import CONTROLLER, CONTROLLERS, EQUAL, FROM_NOTHING, HEALTHY, write_table

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import read_run
from selfreward.commands.gc import empty
from selfreward.console import ConsoleReporter

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2)
# In the order of what they tell: without people's answers, steered, with many; then the others.
FIXED = {
    "replace_0": ["mix.real_share=0"],
    CONTROLLER: ["monitor.mode=act"],
    FROM_NOTHING: ["monitor.mode=act", "monitor.floor=0"],
    "replace_0.3": ["mix.real_share=0.3"],
    "accumulate_0": ["mix.real_share=0", "mix.data=accumulate"],
    "replace_0.1": ["mix.real_share=0.1"],
    "accumulate_0.3": ["mix.real_share=0.3", "mix.data=accumulate"],
}
# A loop that should raise no alarm: right answers alone, half of all tokens from people, nothing thrown away, and a
# probe that sees a drop as small as the margin. A verifier gives open questions nothing, so it is asked closed ones.
HEALTHY_SETTINGS = [
    "judge=verifier",
    "sample.k=2",
    "select.k=2",
    "select.top=2",
    "select.threshold=1",
    "data.train_closed=192",
    "data.train_open=0",
    "data.probe_open=120",
    "measure.baseline_k=32",
    "mix.data=accumulate",
    "mix.real_share=0.5",
]
OBSERVE = "monitor.mode=observe"
STARVED, INTERRUPTED = 3, 130
WAIT_S = 5.0

Cell = tuple[str, int]


@dataclass(frozen=True)
class Work:
    """What the workers share: where rows and runs are, which cells are asked for, what every run is given."""

    rows: Path
    runs: Path
    only: tuple[Cell, ...]
    healthy: bool
    settings: tuple[str, ...]

    def row_file(self, cell: Cell) -> Path:
        """Where the row of a cell is."""
        return self.rows / f"{cell[0]}-{cell[1]}.json"

    def claim_file(self, cell: Cell) -> Path:
        """Where a worker says that a cell is its own."""
        return self.rows / f".{cell[0]}-{cell[1]}.claim"

    def folder(self, cell: Cell) -> Path:
        """The folder of a cell's run."""
        return self.runs / f"{cell[0]}-{cell[1]}"

    def open_cells(self) -> list[Cell]:
        """The cells that are asked for and have no row yet."""
        cells = planned(read_rows(self.rows), self.healthy)
        return [cell for cell in cells if (not self.only or cell in self.only) and not self.row_file(cell).exists()]


def planned(rows: Rows, healthy: bool) -> list[Cell]:
    """Every cell, in the order to run them; the arm of the controller's own mean share once all its seeds are there."""
    cells = [(arm, seed) for seed in SEEDS for arm in FIXED]
    for arm in dict.fromkeys(equal_arm(rows, controller) for controller in CONTROLLERS):
        if arm is not None and arm not in FIXED:
            cells += [(arm, seed) for seed in SEEDS]
    return cells + [(HEALTHY, seed) for seed in SEEDS if healthy]


def equal_arm(rows: Rows, controller: str) -> str | None:
    """The arm with the share that a controller came to, mean over seeds; None before all of them are there."""
    steered = [rows[controller, seed] for seed in SEEDS if (controller, seed) in rows]
    shares = [row["mean_real_share"] for row in steered if row["mean_real_share"] is not None]
    if not shares or len(steered) < len(SEEDS):
        return None
    share = round(fmean(shares), 2)
    return f"replace_{share:g}" if f"replace_{share:g}" in FIXED else f"{EQUAL}{share:.2f}"


def settings_of(arm: str) -> list[str]:
    """The settings that make an arm."""
    if arm in CONTROLLERS:
        return FIXED[arm]
    if arm == HEALTHY:
        return [OBSERVE, *HEALTHY_SETTINGS]
    return [OBSERVE, *(FIXED[arm] if arm in FIXED else [f"mix.real_share={arm.removeprefix(EQUAL)}"])]


def turn_of(cells: Sequence[Cell], worker: int) -> list[Cell]:
    """The cells in the order of a worker: each starts with another open seed and makes its iteration 0 for all arms."""
    seeds = sorted({seed for _, seed in cells})

    def place(cell: Cell) -> tuple[bool, bool, int]:
        return cell[0] == HEALTHY, cell[0].startswith(EQUAL), (seeds.index(cell[1]) - worker) % len(seeds)

    return sorted(cells, key=place)


def read_rows(folder: Path) -> Rows:
    """The rows that are there, by arm and seed."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return {(row["arm"], row["seed"]): row for row in found}


def work_on(work: Work, worker: int, pin: bool) -> int:
    """Runs open cells until there are none, waiting for those that others have; how many of its own failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if pin:
        # Its runs inherit the core.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[worker % len(cores)]})
    failed: set[Cell] = set()
    while cells := [cell for cell in turn_of(work.open_cells(), worker) if cell not in failed]:
        for cell in cells:
            with claimed(work.claim_file(cell)) as claim:
                if claim is None or work.row_file(cell).exists():
                    continue
                if not run_cell(work, cell, claim):
                    failed.add(cell)
                break
        else:
            time.sleep(WAIT_S)
    return len(failed)


def run_cell(work: Work, cell: Cell, claim: int) -> bool:
    """Runs a cell to its end, writes its row, deletes weights; False, and a line, where the run failed."""
    (arm, seed), folder = cell, work.folder(cell)
    store = Store(work.runs / "store", ConsoleReporter())
    began = time.monotonic()
    print(f"{arm}:{seed} begins; what it says is in {folder}/log.txt", flush=True)
    status = _run(work, cell, claim)
    if status not in (0, STARVED):
        print(f"{arm}:{seed} failed with status {status}: see {folder}/log.txt", flush=True)
        return False
    row = row_of(folder, arm, seed, "starved" if status == STARVED else "complete")
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    write_atomically(work.row_file(cell), f"{text}\n".encode())
    free_weights(work, store)
    print(f"{arm}:{seed} done in {time.monotonic() - began:.0f} s", flush=True)
    return True


def _run(work: Work, cell: Cell, claim: int) -> int:
    (arm, seed), folder = cell, work.folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "selfreward", "run", "experiment=controller_evidence", f"run={folder.name}"]
    command += [f"seed={seed}", f"store.runs={work.runs}", *settings_of(arm), *work.settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        (folder / "log.txt").open("ab") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[claim]
        ) as process,
    ):
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


def free_weights(work: Work, store: Store) -> None:
    """Deletes the weights of cells that have a row, but for those that an unfinished cell has come to or may come to.

    Two arms of a seed may have the same first update (the same rows, replaced or accumulated); later ones seldom.
    """
    cells = [cell for cell in planned(read_rows(work.rows), healthy=True) if work.folder(cell).is_dir()]
    trained = {cell: _updates(work.folder(cell)) for cell in cells}
    unfinished = {cell for cell in planned({}, healthy=True) + cells if not work.row_file(cell).exists()}
    waiting = {seed for arm, seed in unfinished if arm in FIXED}
    kept = {one.key for cell in cells if cell in unfinished for one in trained[cell]}
    kept |= {updates[0].key for (_, seed), updates in trained.items() if seed in waiting and updates}
    for cell in cells:
        for update in trained[cell]:
            if cell not in unfinished and update.key not in kept and not update.manifest.collected:
                empty(update, store)


def _updates(folder: Path) -> list[Artifact]:
    return [stages["update"] for stages in read_run(folder).iterations if "update" in stages]


def run_workers(work: Work, jobs: int, pin: bool) -> int:
    """Runs the open cells with `jobs` workers; 0 if none failed, 1 if some did, 130 if stopped."""
    if jobs == 1:
        return min(1, work_on(work, 0, pin))
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_worker, args=(work, number, pin)) for number in range(jobs)]
    for one in workers:
        one.start()
    try:
        for one in workers:
            one.join()
    except KeyboardInterrupt:
        for one in workers:
            one.terminate()
            one.join()
        raise
    return max(one.exitcode or 0 for one in workers)


def _worker(work: Work, number: int, pin: bool) -> None:
    try:
        sys.exit(min(1, work_on(work, number, pin)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def cells_of(text: str) -> tuple[Cell, ...]:
    """The cells in `<arm>:<seed>,...`."""
    return tuple((arm, int(seed)) for arm, _, seed in (one.rpartition(":") for one in text.split(",")))


def main() -> int:
    """Runs cells, or writes the page with --table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=cells_of, default=(), metavar="ARM:SEED,...", help="these alone")
    parser.add_argument("--healthy", action="store_true", help="the healthy arm too, after all others")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=1)
    parser.add_argument("--pin", action="store_true", help="each worker on a core of its own")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/evidence")
    parser.add_argument("--rows", type=Path, default=ROOT / "docs/evidence/controller")
    parser.add_argument("--table", action="store_true", help="write the page beside the folder of rows, run nothing")
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    given = parser.parse_intermixed_args()
    rows, runs = given.rows.resolve(), given.runs.resolve()
    if given.table:
        found = read_rows(rows)
        page = rows.with_suffix(".md")
        page.write_text(write_table(found, planned(found, healthy=True)))
        print(f"{page}: {len(found)} rows")
        return 0
    known = planned(read_rows(rows), healthy=True)
    if unknown := [f"{arm}:{seed}" for arm, seed in given.cells if (arm, seed) not in known]:
        parser.error(f"no cell {', '.join(unknown)}; there are {', '.join(f'{arm}:{seed}' for arm, seed in known)}")
    healthy = given.healthy or any(arm == HEALTHY for arm, _ in given.cells)
    work = Work(rows, runs, given.cells, healthy, tuple(given.settings))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run_workers(work, given.jobs, given.pin)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
