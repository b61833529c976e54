#!/usr/bin/env python
"""The table of docs/log.md from the runs of scripts/three_arms.sh: python scripts/three_arms_table.py [RUNS]."""

import sys
from pathlib import Path

from selfreward.tracking import metrics_of_run

COLUMNS = {
    "greedy": "eval/closed/greedy_accuracy",
    "pass@1": "eval/closed/pass_at_1",
    "pass@4": "eval/closed/pass_at_4",
    "distinct": "eval/closed/distinct_share",
    "matched M0 pass@1": "matched/pass_at_1",
    "gain over matched M0": "matched/gain/pass_at_1",
    "greedy gain": "since_start/greedy_accuracy",
    "tokens": "eval/closed/mean_tokens",
    "open distance": "diversity/open/pairwise_distance",
    "human NLL": "diversity/open/human_nll",
}
SIGNED = {"gain over matched M0", "greedy gain"}


def main() -> None:
    """Prints one Markdown row for each policy of each run."""
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    print(f"| arm | seed | policy | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for folder in sorted(path for path in runs.iterdir() if "-seed" in path.name):
        arm, seed = folder.name.split("-seed")
        for row in metrics_of_run(folder):
            if "eval/closed/pass_at_1" in row:
                cells = [cell(row, name, column in SIGNED) for column, name in COLUMNS.items()]
                print(f"| {arm} | {seed} | M{row['loop/iteration']} | {' | '.join(cells)} |")


def cell(row: dict[str, object], name: str, signed: bool) -> str:
    """A value, with its interval where a difference has one."""
    value = row.get(name)
    if value is None:
        return "-"
    if signed:
        return f"{value:+.3f} [{row[f'{name}_low']:+.3f}, {row[f'{name}_high']:+.3f}]"
    return f"{value:.3f}"


if __name__ == "__main__":
    main()
