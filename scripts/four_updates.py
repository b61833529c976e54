#!/usr/bin/env python
"""RFT, DPO, a reward model with GRPO, and GRPO on the judge itself: every arm and seed, one small row of figures each.

    python scripts/four_updates.py                        all cells, one after another
    python scripts/four_updates.py --jobs 2               two at a time
    python scripts/four_updates.py --table                writes docs/evidence/four_updates.md, runs nothing

Stop it whenever you like: the same command goes on. A cell whose row is there is done. Further arguments SETTING=VALUE
go to every cell.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from three_arms_table import difference, right_by_prompt

from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import read_run
from selfreward.reading import open_run
from selfreward.tracking import metrics_of_run

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs/evidence/four_updates"
ARMS = ("rft", "dpo", "reward_model", "direct")
SEEDS = (0, 1, 2)
# How far a policy is from the start model is measured where answers are scored beside gold.
DISTANCE = [
    "overoptimisation=default",
    "judge@overoptimisation.gold=likelihood",
    "overoptimisation.gold.policy=initial",
]
COLUMNS = {
    "greedy": "eval/closed/greedy_accuracy",
    "pass@1": "eval/closed/pass_at_1",
    "gain over matched M0": "matched/gain/pass_at_1",
    "distinct": "eval/closed/distinct_share",
    "open distance": "diversity/open/pairwise_distance",
    "human NLL": "diversity/open/human_nll",
    "KL to M0": "overoptimisation/kl",
}
KEPT = {*COLUMNS.values(), "train/tokens_drawn", "train/kl_to_reference", "train/steps", "reward/held_out/accuracy"}
KEPT |= {"cost/sample/tokens", "yield/drawn", "train/completions"}


def main() -> None:
    """Runs the cells whose row is missing, then writes the table of all that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/four_updates")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    given.rows.mkdir(parents=True, exist_ok=True)
    if not given.table:
        cells = [(arm, seed) for seed in SEEDS for arm in ARMS if not row_file(given.rows, arm, seed).exists()]
        with ThreadPoolExecutor(given.jobs) as pool:
            done = list(pool.map(partial(run_cell, given.runs, given.rows, given.settings), cells))
        if not all(done):
            sys.exit("a cell failed; its log stands below the runs")
    rows = [json.loads(path.read_text()) for path in sorted(given.rows.glob("*.json"))]
    write_atomically(given.rows.with_suffix(".md"), "\n".join(table(rows)).encode() + b"\n")


def row_file(folder: Path, arm: str, seed: int) -> Path:
    """Where the row of a cell is kept."""
    return folder / f"{arm}-{seed}.json"


def run_cell(runs: Path, rows: Path, settings: list[str], cell: tuple[str, int]) -> bool:
    """Runs a cell and keeps its row; whether it ran to its end."""
    arm, seed = cell
    name = f"{arm}-seed{seed}"
    command = [
        sys.executable,
        "-m",
        "selfreward",
        "run",
        f"experiment=four_updates_{arm}",
        f"run={name}",
        f"seed={seed}",
        f"store.runs={runs}",
        *DISTANCE,
        *settings,
    ]
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / f"{name}.log").open("a") as log:
        if subprocess.run(command, check=False, stdout=log, stderr=log).returncode:
            return False
    write_atomically(row_file(rows, arm, seed), json.dumps(row_of(runs / name, arm, seed), indent=1).encode())
    return True


def row_of(folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """What is kept of a run: figures of every policy, right answers of the last one by question, engine and minutes."""
    view = read_run(folder)
    lines = metrics_of_run(view)
    names = KEPT | {f"{name}_{side}" for name in KEPT for side in ("low", "high")}
    return {
        "arm": arm,
        "seed": seed,
        "engine": view.iterations[0]["sample"].manifest.identity["engine"],
        "policies": [{name: line[name] for name in sorted(names) if name in line} for line in lines],
        "verdicts": [None if one.verdict is None else one.verdict.state for one in open_run(folder).rounds],
        "right": right_by_prompt(folder),
        "minutes": sum(seconds_of(line) for line in lines) / 60,
    }


def seconds_of(line: Mapping[str, object]) -> float:
    """The wall time of the stages of a round."""
    names = (name for name in line if name.startswith("cost/") and name.endswith("/seconds"))
    return sum(float(str(line[name])) for name in names if "/per_row/" not in name)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The page: the last policies, arms against each other over seeds, and every policy."""
    drawn = {arm: [answers(row) for row in rows if row["arm"] == arm] for arm in ARMS}
    lines = [
        "# Four updates",
        "",
        "Made by `python scripts/four_updates.py --table` from the rows beside it; docs/log.md says what it shows.",
        "",
        f"| last policy, mean over seeds | {' | '.join(COLUMNS)} | answers drawn | minutes |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for arm in ARMS:
        of_arm = [row for row in rows if row["arm"] == arm]
        if of_arm:
            cells = [mean_cell([row["policies"][-1] for row in of_arm], name) for name in COLUMNS.values()]
            minutes = fmean(row["minutes"] for row in of_arm)
            lines.append(f"| {arm} | {' | '.join(cells)} | {fmean(drawn[arm]):,.0f} | {minutes:.1f} |")
    return [*lines, "", *against(rows), "", *each_policy(rows)]


def answers(row: dict[str, Any]) -> float:
    """Answers that a run drew to be chosen from or to be learned from."""
    return sum(line.get("yield/drawn", 0) + line.get("train/completions", 0) for line in row["policies"])


def mean_cell(lines: list[dict[str, float]], name: str) -> str:
    """The mean over seeds."""
    values = [line[name] for line in lines if line.get(name) is not None]
    return f"{fmean(values):.3f}" if values else "-"


def against(rows: list[dict[str, Any]]) -> list[str]:
    """The last policies of each two arms, question by question, over the seeds that both have."""
    found = ["| last policies | greedy | pass@1 |", "|---|---|---|"]
    right = {(row["arm"], row["seed"]): row["right"] for row in rows}
    for place, one in enumerate(ARMS):
        for other in ARMS[place + 1 :]:
            seeds = [seed for seed in SEEDS if (one, seed) in right and (other, seed) in right]
            if seeds:
                by = [
                    difference([right[one, seed][kind] for seed in seeds], [right[other, seed][kind] for seed in seeds])
                    for kind in ("greedy", "sampled")
                ]
                cells = " | ".join(f"{i.value:+.3f} [{i.low:+.3f}, {i.high:+.3f}]" for i in by)
                found.append(f"| {one} minus {other} | {cells} |")
    return found


def each_policy(rows: list[dict[str, Any]]) -> list[str]:
    """One line for each policy of each cell."""
    found = [f"| arm | seed | policy | {' | '.join(COLUMNS)} | monitor |", "|---" * (len(COLUMNS) + 4) + "|"]
    for row in sorted(rows, key=lambda one: (ARMS.index(one["arm"]), one["seed"])):
        for number, (line, verdict) in enumerate(zip(row["policies"], row["verdicts"], strict=True)):
            cells = " | ".join(value_cell(line, name) for name in COLUMNS.values())
            found.append(f"| {row['arm']} | {row['seed']} | M{number} | {cells} | {verdict or '-'} |")
    return found


def value_cell(line: dict[str, float], name: str) -> str:
    """A value, with its interval where it has one."""
    if line.get(name) is None:
        return "-"
    between = f" [{line[f'{name}_low']:.3f}, {line[f'{name}_high']:.3f}]" if f"{name}_low" in line else ""
    return f"{line[name]:.3f}{between}"


if __name__ == "__main__":
    main()
