#!/usr/bin/env python
"""The tables of docs/log.md from the runs of scripts/three_arms.sh or update_arms.sh.

python scripts/three_arms_table.py [RUNS [ONE-OTHER ...]], the arms to set against each other
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from selfreward.artifacts.runs import read_run
from selfreward.metrics.intervals import Interval, bootstrap_mean
from selfreward.metrics.sharpening import GREEDY, EvaluatedAnswer
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
PAIRS = ["likelihood-random", "verifier-likelihood", "verifier-random"]


def main() -> None:
    """Prints one Markdown row for each policy of each run, then the arms against each other over all seeds."""
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    pairs = [pair.split("-") for pair in sys.argv[2:] or PAIRS]
    arms = {arm for pair in pairs for arm in pair}
    folders = sorted(path for path in runs.iterdir() if path.name.split("-seed")[0] in arms)
    print(f"| arm | seed | policy | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for folder in folders:
        arm, seed = folder.name.split("-seed")
        for row in metrics_of_run(read_run(folder)):
            if "eval/closed/pass_at_1" in row:
                cells = [cell(row, name, column in SIGNED) for column, name in COLUMNS.items()]
                print(f"| {arm} | {seed} | M{row['loop/iteration']} | {' | '.join(cells)} |")
    print("\n| last policy, mean over seeds | greedy | pass@1 |\n|---|---|---|")
    right = {folder.name: right_by_prompt(folder) for folder in folders}
    for one, other in pairs:
        seeds = [name.split("-seed")[1] for name in right if name.startswith(one) and name.replace(one, other) in right]
        found = [
            difference(
                [right[f"{one}-seed{seed}"][kind] for seed in seeds],
                [right[f"{other}-seed{seed}"][kind] for seed in seeds],
            )
            for kind in ("greedy", "sampled")
        ]
        print(f"| {one} minus {other} | {' | '.join(f'{i.value:+.3f} [{i.low:+.3f}, {i.high:+.3f}]' for i in found)} |")


def right_by_prompt(folder: Path) -> dict[str, dict[str, float]]:
    """The share of right answers of the last policy for each closed prompt, greedy and sampled."""
    evaluated = read_run(folder).iterations[-1]["evaluate"]
    groups: dict[str, dict[str, list[bool]]] = {"greedy": defaultdict(list), "sampled": defaultdict(list)}
    for answer in evaluated.records(EvaluatedAnswer):
        if answer.right is not None:
            kind = "greedy" if answer.temperature == GREEDY else "sampled"
            groups[kind][answer.prompt_id].append(answer.right)
    return {kind: {prompt: fmean(given) for prompt, given in by.items()} for kind, by in groups.items()}


def difference(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> Interval:
    """The mean difference over seeds, with an interval over prompts; seeds are averaged within a prompt."""
    values = [fmean(a[prompt] - b[prompt] for a, b in zip(ours, theirs, strict=True)) for prompt in sorted(ours[0])]
    found = bootstrap_mean(values, seed=0)
    assert found is not None
    return found


def cell(row: Mapping[str, object], name: str, signed: bool) -> str:
    """A value, with its interval where a difference has one."""
    value = row.get(name)
    if value is None:
        return "-"
    if signed:
        return f"{value:+.3f} [{row[f'{name}_low']:+.3f}, {row[f'{name}_high']:+.3f}]"
    return f"{value:.3f}"


if __name__ == "__main__":
    main()
