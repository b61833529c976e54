"""`selfreward bench detector`: the monitor's detector and controller on cases whose truth is known."""

import argparse
import sys
import time

from selfreward.testbench.bench import FULL, QUICK, detector_bench
from selfreward.testbench.table import failures, markdown


def main(arguments: list[str]) -> int:
    """Prints the tables as Markdown, and the seconds of each on standard error. 0 if every row holds, else 1."""
    parser = argparse.ArgumentParser(
        prog="selfreward bench", description="Hold the monitor against cases whose truth is known; see docs/bench.md."
    )
    parser.add_argument("subject", choices=["detector"], help="detector: the alarm and what the controller does of it")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same tables (default: 0)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs: shows that it works, proves little")
    parsed = parser.parse_args(arguments)
    failed: list[str] = []
    before = time.monotonic()
    for sections in detector_bench(parsed.seed, QUICK if parsed.quick else FULL):
        print(markdown(sections), flush=True)
        now = time.monotonic()
        print(f"{sections[0].title}: {now - before:.1f} s", file=sys.stderr)
        failed += failures(sections)
        before = now
    for line in failed:
        print(f"does not hold: {line}")
    if not failed:
        print("every row holds")
    return 1 if failed else 0
