#!/usr/bin/env python
"""How fast rows go through sample, judge, select, decide and mix, and whether memory grows with them.

Each size runs in a process of its own with the scripted backend, so the figures are those of the loop's own
machinery: drawing from the script, records, Parquet, digests. Peak memory is the process's high-water mark.

    python scripts/bench_loop.py                   10,000 and 100,000 candidates

It fails where 100,000 candidates take longer than 60 s, or ten times the input more than 1.15 times the memory.
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
from selfreward.backends import open_backend
from selfreward.config import answer_lengths, validate
from selfreward.data.models import start_policy
from selfreward.stages.decide import decide
from selfreward.stages.diagnose import diagnose
from selfreward.stages.judge import judge
from selfreward.stages.measure import measure
from selfreward.stages.mix import mix
from selfreward.stages.prompts import prompts as choose_prompts
from selfreward.stages.sample import sample
from selfreward.stages.select import select
from selfreward.stages.source import load_sources

K = 4
SECONDS, GROWTH = 60, 1.15


def run_size(candidates: int, folder: Path) -> dict[str, float]:
    """Seconds of each stage, and the peak memory of this process in MB, for a number of candidates."""
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
    with open_backend(config.backend, start) as backend:
        sources = load_sources(config.data, run, backend, start, answer_lengths(config))
    seconds: dict[str, float] = {}

    def timed(stage, *arguments, **inputs) -> Artifact:
        began = time.perf_counter()
        artifact = run.stage(0, stage, *arguments, **inputs)
        seconds[stage.__name__] = time.perf_counter() - began
        return artifact

    with open_backend(config.backend, start) as backend:
        held = {"backend": backend, "policy": start}
        measured = run.stage(0, measure, config.measure, probe=sources.probe, baseline=None, **held)
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
        drawn = timed(sample, config.sample, prompts=asked, **held)
        judged = timed(judge, config.judge, candidates=drawn, prompts=asked, **held)
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
    timed(mix, config.mix, selected=chosen, decision=decision.part("orders"), **people, previous=None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**seconds, "total": sum(seconds.values()), "peak_mb": peak}


def main() -> None:
    """Prints one line for each size and the ratio of their peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run_size(arguments.one, Path(folder))))
        return
    peaks, slowest = [], 0.0
    for size in arguments.sizes:
        child = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True
        )
        found = json.loads(child.stdout)
        peaks.append(found["peak_mb"])
        slowest = max(slowest, found["total"] * 100_000 / size if size >= 100_000 else 0.0)
        print(f"{size:>9,} candidates  " + "  ".join(f"{name} {value:.1f}" for name, value in found.items()))
    print(f"peak memory, last to first: {peaks[-1] / peaks[0]:.2f}")
    if slowest > SECONDS or peaks[-1] > GROWTH * peaks[0]:
        raise SystemExit(
            f"too slow or too large: at most {SECONDS} s for 100,000 candidates and {GROWTH} times the memory"
        )


if __name__ == "__main__":
    main()
