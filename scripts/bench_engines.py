#!/usr/bin/env python
"""What our engines, stages, updates and loop cost beside the libraries below them: rows for docs/benchmarks.md.

Everything runs on the CPU with the embedded model (`selfreward assets` first). Both sides of a row take turns in one
run, start-up is not counted, and a row says its interval. Give the machine to it alone.

    python scripts/bench_engines.py                      all parts, five pairs each: about an hour on two cores
    python scripts/bench_engines.py sampling training    some of them
    python scripts/bench_engines.py --small              minutes: shows that all of it runs

`vllm` needs scripts/setup_vllm.sh, and is skipped with a line where vLLM is not installed; --python names an
interpreter that has it.
"""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from bench_engines_judging import judging, vllm_judging
from bench_engines_orchestration import orchestration
from bench_engines_sampling import sampling, vllm
from bench_engines_training import training
from pairs import HEAD

from selfreward.backends.device import resolve_dtype, usable_threads
from selfreward.backends.vllm_process import versions
from selfreward.data.models import HfModel, start_policy
from selfreward.errors import BackendError
from selfreward.policies import Policy

PARTS = ("sampling", "judging", "vllm", "training", "orchestration")


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is given")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rubric", default="right_or_wrong", help="what the judges of `judging` and `vllm` ask")
    parser.add_argument("--python", type=Path, help="an interpreter with vLLM; this one where none is given")
    parser.add_argument("--small", action="store_true", help="few rows; two pairs unless --pairs says otherwise")
    arguments = parser.parse_args()
    if unknown := {*arguments.parts} - {*PARTS}:
        parser.error(f"no part {', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    print(f"{machine()}\n\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as store:
        policy = start_policy(HfModel(), Path(store))
        for part in arguments.parts or PARTS:
            run_part(part, policy, arguments)


def run_part(part: str, policy: Policy, arguments: argparse.Namespace) -> None:
    """Prints the rows of a part."""
    small = arguments.small
    pairs = 2 if small and arguments.pairs == 5 else arguments.pairs
    prompts, rows = (8, 16) if small else (64, 60)
    match part:
        case "sampling":
            sampling(policy, pairs, prompts)
        case "judging":
            judging(policy, pairs, arguments.rubric, small=small)
        case "vllm":
            try:
                versions(arguments.python)
            except BackendError as error:
                print(f"| vllm: skipped ({error}) | | | | | | |")
                return
            vllm(policy, pairs, prompts, arguments.python)
            vllm_judging(policy, pairs, arguments.rubric, arguments.python, small=small)
        case "training":
            training(policy, pairs, rows)
        case "orchestration":
            orchestration(pairs, small=small)


def machine() -> str:
    """What the figures are had with."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl"))
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return (
        f"SmolLM2-135M-Instruct, {resolve_dtype('auto', 'cpu')}, {libraries}; {platform.machine()}, "
        f"{usable_threads()} of {os.cpu_count()} cores (OMP_NUM_THREADS {threads})"
    )


if __name__ == "__main__":
    main()
