#!/usr/bin/env python
"""How the store and its readers grow: a miss among 10,000 artifacts, and the commands over 50 cells of 30 rounds.

The 10,000 artifacts are manifests, written by the package, of one that was made. Of the cells one is run, scripted and
small; the others are copies of it under keys of their own, as cells have that share nothing but their data: rows are
hard links, manifests and reports are files of their own.

    python scripts/bench_store.py                        a miss, then compare, status, report and verify
    python scripts/bench_store.py --cells 50 --rounds 30 --keep FOLDER

It fails where a miss takes over 10 ms to explain or `compare` over 5 s.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from quiet import Quiet

from selfreward.artifacts import Store, recent
from selfreward.artifacts import manifest as manifests
from selfreward.artifacts.identity import key_of
from selfreward.artifacts.runs import read_run
from selfreward.commands.cells import CellState, write_state
from selfreward.config import SweepCell
from selfreward.spec import Spec

MISS_MS, COMPARE_S = 10, 5
SMALL = [
    *(f"data.{name}=4" for name in ("train_open", "held_out_open", "probe_closed", "probe_open")),
    *(f"data.{name}=8" for name in ("train_closed", "held_out_closed", "gold_gate", "gold_final")),
    *("data.human=400", "mix.min_rows=1", "mix.max_uses=50"),
    *("sample.k=2", "select.k=2", "measure.k=2", "measure.baseline_k=4"),
]
VERSION = 1


class PoemSpec(Spec):
    """The settings of a stage that has next to nothing to do."""

    lines: int = 6


def poem(out, spec, *, seed=None) -> None:
    """Writes a file."""
    out.write_json("poem", {"lines": spec.lines, "seed": seed})


class Timed(Quiet):
    """Notes when something was said: a miss is told before anything is made."""

    def say(self, line: str) -> None:
        """Takes the time."""
        self.said = time.perf_counter()
        self.line = line


def copied(store: Store, manifest: manifests.Manifest, number: int) -> manifests.Manifest:
    """The manifest of a like artifact with another seed, and so another key."""
    identity = {**manifest.identity, "seed": number}
    return manifests.recorded(replace(manifest, identity=identity, key=key_of(identity)))


def misses(root: Path, artifacts: int) -> None:
    """Prints how long a miss takes to explain in a stage with so many artifacts."""
    reporter = Timed()
    store = Store(root, reporter)
    made = store.run(poem, PoemSpec(), seed=0)
    for number in range(1, artifacts):
        other = copied(store, made.manifest, number)
        folder = root / "poem" / other.key
        folder.mkdir()
        (folder / manifests.NAME).write_text(json.dumps(manifests.asdict(other), indent=2, sort_keys=True))
        recent.note_made(root, other)
    told = []
    for lines in range(7, 28):
        began = time.perf_counter()
        store.run(poem, PoemSpec(lines=lines), seed=lines % 3)
        told.append(1000 * (reporter.said - began))
    (root / ".made" / "poem").unlink()
    began = time.perf_counter()
    store.run(poem, PoemSpec(lines=100), seed=0)
    once = 1000 * (reporter.said - began)
    middle = statistics.median(told)
    print(
        f"{artifacts:,} artifacts: a miss told in {middle:.1f} ms (median of {len(told)}, most {max(told):.1f}), "
        f"{once:.0f} ms once where the list is lost; last: {reporter.line}"
    )
    if middle > MISS_MS:
        raise SystemExit(f"a miss takes over {MISS_MS} ms")


def make_cells(runs: Path, cells: int, rounds: int) -> None:
    """One run of `rounds` rounds, and copies of it as the other cells of a sweep of seeds."""
    first = "sweep.seed=0"
    began = time.perf_counter()
    settings = [
        f"run='{first}'",
        f"store.runs={runs}",
        "experiment=scripted",
        f"loop.iterations={rounds}",
        f"monitor.horizon={rounds}",
        *SMALL,
    ]
    done = subprocess.run([sys.executable, "-m", "selfreward", "run", *settings], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    print(f"one run of {rounds} rounds: {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    store = Store(runs / "store", Quiet())
    view = read_run(runs / first)
    config = json.loads((runs / first / "config.json").read_text())
    for number in range(cells):
        name = f"sweep.seed={number}"
        cell = SweepCell(name="sweep", settings={"seed": str(number)})
        home = runs / name
        home.mkdir(exist_ok=True)
        (home / "config.json").write_text(json.dumps({**config, "run": name, "seed": number}))
        write_state(home, CellState(cell=cell, status="done", exit_status=0))
        if number:
            shutil.copytree(runs / first / "sources", home / "sources", symlinks=True)
            for t, stages in enumerate(view.iterations):
                copy_round(store, stages, home / f"iter-{t:03d}", number)
    print(f"{cells - 1} copies: {time.perf_counter() - began:.0f} s")


def copy_round(store: Store, stages, links: Path, number: int) -> None:
    """The artifacts of a round under other keys, with links to them."""
    links.mkdir(parents=True)
    for stage, artifact in stages.items():
        other = copied(store, artifact.manifest, 1000 * number + 1)
        folder = store.root / stage / other.key
        if not folder.exists():
            shutil.copytree(artifact.path, folder, copy_function=link_rows)
            (folder / manifests.NAME).write_text(json.dumps(manifests.asdict(other), indent=2, sort_keys=True))
        (links / stage).symlink_to(os.path.relpath(folder, links))


def link_rows(source: str, target: str) -> None:
    """Rows as hard links, all else as files of their own."""
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def timed(runs: Path, *command: str) -> float:
    """Seconds of a command, with its start, as a user waits for it."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "selfreward", *command, "--runs", str(runs)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    took = time.perf_counter() - began
    print(f"selfreward {' '.join(command)}: {took:.2f} s")
    return took


def main() -> None:
    """Prints how long each thing takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=int, default=10_000)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--keep", type=Path, help="a folder for the runs, used again where it is there")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        misses(Path(scratch) / "store", parsed.artifacts)
        runs = parsed.keep or Path(scratch) / "runs"
        if not runs.exists():
            make_cells(runs, parsed.cells, parsed.rounds)
        one = "sweep.seed=1"
        timed(runs, "status", one)
        timed(runs, "report", one)
        timed(runs, "verify", one)
        if timed(runs, "compare", "sweep") > COMPARE_S:
            raise SystemExit(f"compare takes over {COMPARE_S} s")


if __name__ == "__main__":
    main()
