#!/usr/bin/env python
"""The table of docs/log.md from the runs of scripts/small_beta.sh: reward and right answers over the root of KL.

python scripts/small_beta_table.py [RUNS]
"""

import sys
from math import sqrt
from pathlib import Path
from statistics import fmean

from selfreward.artifacts.runs import read_run
from selfreward.updates.rl_steps import RlStep

BINS = 6


def main() -> None:
    """Prints a Markdown row for each sixth of the steps of each arm."""
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    print("| arm | steps | root of KL a completion | reward model | right | tokens | entropy |")
    print("|---|---|---|---|---|---|---|")
    for arm in ("beta-0.001", "beta-0.3", "lower-0.001"):
        steps = list(read_run(runs / arm).iterations[0]["update"].records(RlStep, "steps"))
        size = -(-len(steps) // BINS)
        for start in range(0, len(steps), size):
            some = steps[start : start + size]
            far = fmean(sqrt(one.kl * one.tokens) for one in some if one.kl is not None)
            print(
                f"| {arm} | {some[0].step} to {some[-1].step} | {far:.2f} | {mean_of(some, 'model'):.3f} | "
                f"{mean_of(some, 'verifier'):.3f} | {fmean(one.tokens for one in some):.1f} | "
                f"{fmean(one.entropy for one in some if one.entropy is not None):.2f} |"
            )


def mean_of(steps: list[RlStep], name: str) -> float:
    """The mean of a source over steps."""
    return fmean(one.mean for step in steps for one in step.sources if one.name == name and one.mean is not None)


if __name__ == "__main__":
    main()
