#!/usr/bin/env python
"""How fast rows go through sample, judge, select, decide and mix, and whether memory grows with them.

Each size runs in a process of its own with the scripted backend, so the figures are those of the loop's own
machinery: drawing from the script, records, Parquet, digests. Peak memory is the high-water mark of the process.
Another one has loaded the data, checked them for overlap and asked them before: every prompt is compared there.

    python scripts/bench_loop.py                   100,000 and 1,000,000 candidates

It fails where judge, select, decide and mix together write fewer than 50,000 rows a second (a judgment and a fate for
each candidate, and those that are chosen twice), or ten times the input takes more than 1.10 times the memory. How many
candidates go through them a second is told beside.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quiet import Quiet

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run
from selfreward.config import answer_lengths, validate
from selfreward.data.models import start_policy
from selfreward.stages.decide import decide
from selfreward.stages.diagnose import diagnose
from selfreward.stages.judge import judge
from selfreward.stages.measure import measure
from selfreward.stages.mix import mix, mix_spec
from selfreward.stages.prompts import prompts as choose_prompts
from selfreward.stages.sample import sample
from selfreward.stages.select import select
from selfreward.stages.source import load_sources

K = 4
AFTER = ("judge", "select", "decide", "mix")
RATE, GROWTH = 50_000, 1.10


def run_size(candidates: int, folder: Path, *, prepare: bool = False) -> dict[str, float]:
    """Seconds of each stage, the peak memory of this process in MB, and the rows that were written after sampling.

    With `prepare`, only the data and the prompts are made, which another process then finds.
    """
    prompts = candidates // K
    config = validate(
        compose(
            [
                "experiment=scripted",
                f"data.train_closed={prompts // 2}",
                f"data.train_open={prompts - prompts // 2}",
                "sample.shard_prompts=512",
            ]
        )
    )
    run = Run(folder / "bench", Store(folder / "store", Quiet()), config.seed)
    start = start_policy(config.model, run.store.root)
    with config.backend.open(start) as backend:
        sources = load_sources(config.data, run, backend, start, answer_lengths(config))
    seconds: dict[str, float] = {}

    def timed(stage, *arguments, **inputs) -> Artifact:
        began = time.perf_counter()
        artifact = run.stage(0, stage, *arguments, **inputs)
        seconds[stage.__name__] = time.perf_counter() - began
        return artifact

    with config.backend.open(start) as backend:
        measured = run.stage(
            0, measure, config.measure, probe=sources.probe, baseline=None, backend=backend, policy=start
        )
        people = {"human": sources.human, "human_pairs": sources.human_pairs}
        asked = run.stage(
            0,
            choose_prompts,
            config.prompts,
            random=False,
            train=sources.train,
            human=sources.human,
            previous=None,
            training=None,
        )
        if prepare:
            return {}
        drawn = timed(sample, config.sample, prompts=asked, backend=backend, policy=start)
        judged = timed(judge, config.judge, candidates=drawn, prompts=asked, backend=backend, policy=start)
    detector = config.monitor.detector
    diagnosis = run.stage(0, diagnose, detector, random=False, measured=measured, baseline=measured, previous=None)
    made = {"candidates": drawn, "judgments": judged, "prompts": asked}
    chosen = timed(select, config.select, **made, decision=None, first_candidates=None, first_judgments=None)
    decision = timed(
        decide,
        config.monitor.controller,
        diagnosis=diagnosis.part("verdict"),
        selected=chosen,
        **made,
        training=None,
        previous=None,
    )
    spec = mix_spec(config.mix, config.update, config.meta)
    mixed = timed(mix, spec, selected=chosen, decision=decision.part("orders"), **people, previous=None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(table.rows for one in (judged, chosen, decision, mixed) for table in one.manifest.tables)
    return {**seconds, "total": sum(seconds.values()), "peak_mb": peak, "rows": rows}


def child(size: int, folder: str, *more: str) -> dict[str, float]:
    """What a process of its own says of a size."""
    command = [sys.executable, __file__, "--one", str(size), "--folder", folder, *more]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Prints one line for each size and the ratio of their peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_size(arguments.one, arguments.folder, prepare=arguments.prepare)))
        return
    peaks, rates = [], []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            child(size, folder, "--prepare")
            found = child(size, folder)
        peaks.append(found["peak_mb"])
        after = sum(found[stage] for stage in AFTER)
        rows = found.pop("rows")
        rates.append(rows / after)
        told = "  ".join(f"{name} {value:.1f}" for name, value in found.items())
        print(f"{size:>9,} candidates  {told}", flush=True)
        print(f"after sampling: {rates[-1]:,.0f} rows a second ({rows:,.0f}), {size / after:,.0f} candidates a second")
    print(f"peak memory, last to first: {peaks[-1] / peaks[0]:.2f}")
    if min(rates) < RATE or peaks[-1] > GROWTH * peaks[0]:
        raise SystemExit(
            f"too slow or too large: at least {RATE:,} rows a second and at most {GROWTH} times the memory"
        )


if __name__ == "__main__":
    main()
