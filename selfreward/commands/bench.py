"""`selfreward bench`: the monitor, measures of judges, and over-optimisation, on cases whose truth is known."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from selfreward.benchmarks import over_optimisation_bench as over_optimisation
from selfreward.benchmarks.bench_table import Section, failures, markdown
from selfreward.benchmarks.detector_bench import FULL, QUICK, detector_bench
from selfreward.benchmarks.judge_bench import judge_bench
from selfreward.benchmarks.labelled_items import made_gold, read_gold
from selfreward.commands.arguments import positive


def main(arguments: list[str]) -> int:
    """Prints the tables as Markdown, and the seconds of each on standard error. 0 if every row holds, else 1.

    Raises DataError for a gold file that cannot be read.
    """
    parsed = _parser().parse_args(arguments)
    if parsed.subject == "detector":
        return _tell(detector_bench(parsed.seed, QUICK if parsed.quick else FULL))
    if parsed.subject == "overoptimisation":
        runs = over_optimisation.QUICK if parsed.quick else over_optimisation.FULL
        return _tell(over_optimisation.over_optimisation_bench(parsed.seed, runs))
    gold = made_gold(parsed.items) if parsed.gold is None else read_gold(parsed.gold, parsed.items)
    return _tell(judge_bench(gold, parsed.seed, parsed.seeds))


def _tell(parts: Iterable[Sequence[Section]]) -> int:
    failed: list[str] = []
    before = time.monotonic()
    for sections in parts:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="selfreward bench", description="Cases whose truth is known; see docs/bench.md."
    )
    subjects = parser.add_subparsers(dest="subject", required=True)
    detector = subjects.add_parser("detector", help="the alarm and what the controller does of it")
    judges = subjects.add_parser("judges", help="which bias measures judges with a known fault move")
    proxies = subjects.add_parser("overoptimisation", help="whether a proxy that turns harmful is told, and when")
    for one in (detector, judges, proxies):
        one.add_argument("--seed", type=int, default=0, help="the same seed gives the same tables (default: 0)")
    for one in (detector, proxies):
        one.add_argument("--quick", action="store_true", help="a tenth of the runs: shows that it works, proves little")
    judges.add_argument(
        "--gold", type=Path, metavar="FILE", help="labelled pairs, see docs/labels.md (default: made at random)"
    )
    judges.add_argument("--items", type=positive, default=200, help="pairs in a draw (default: 200)")
    judges.add_argument("--seeds", type=positive, default=20, help="draws of pairs and luck (default: 20)")
    return parser
