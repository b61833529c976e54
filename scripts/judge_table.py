#!/usr/bin/env python
"""How well does the embedded model judge? Every way to ask it, on files of labelled pairs, with intervals and flips.

    python scripts/gold_items.py llmbar Natural.json natural.jsonl     # and pandalm, truthfulqa
    python scripts/judge_table.py natural.jsonl pandalm.jsonl truthfulqa.jsonl
    python scripts/judge_table.py --judges likelihood natural.jsonl    # one way to ask
    python scripts/judge_table.py --table                              # writes the page, asks nothing

Each cell, a judge on a file, is one `selfreward judge calibrate` of up to 200 pairs and one small JSON file in
docs/evidence/judges; docs/evidence/judges.md is made from those files alone. Stop it whenever you like: the same
command goes on at the shard where it was, and a cell is done once its file stands for the same pairs and settings.
Further arguments SETTING=VALUE go to every cell.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfreward.artifacts.atomic_files import write_json
from selfreward.data.readers import content_digest

ROOT = Path(__file__).resolve().parent.parent
ITEMS = 200
_RUBRIC = ["judge=rubric", "rubric@judge.rubric=right_or_wrong"]
_PAIRWISE = ["judge=pairwise", "judge.method=probability"]
JUDGES = {
    "likelihood": ["judge=likelihood"],
    "rubric, sampled": _RUBRIC,
    "rubric, expected": [*_RUBRIC, "judge.method=expected"],
    "pairwise, right answer": [*_PAIRWISE, "comparison@judge.comparison=right_answer"],
    "pairwise, better answer": [*_PAIRWISE, "comparison@judge.comparison=better_answer"],
}
COLUMNS = {
    "accuracy": "accuracy",
    "kappa": "kappa",
    "flip_rate": "flips",
    "same_position": "same position",
    "length_slope": "length slope",
    "parse_rate": "parse rate",
}
FEWEST = 20
INTERRUPTED = 130
Row = Mapping[str, Any]


def wanted(judge: str, gold: Path, items: int, settings: Sequence[str]) -> dict[str, Any]:
    """What a row has to stand for."""
    return {
        "judge": judge,
        "gold": gold.stem,
        "content": content_digest(gold),
        "items": items,
        "settings": [*JUDGES[judge], *settings],
    }


def row_file(rows: Path, judge: str, gold: str) -> Path:
    """Where the row of a cell is."""
    return rows / f"{gold}-{judge.replace(', ', '-').replace(' ', '-')}.json"


def is_done(path: Path, row: Row) -> bool:
    """Whether a row is there for the same pairs and settings."""
    if not path.exists():
        return False
    found = json.loads(path.read_text())
    return all(found.get(name) == value for name, value in row.items())


def run_cell(row: Row, gold: Path, runs: Path, path: Path) -> bool:
    """Asks the judge of a cell and writes its row; False, and a line, where the command failed."""
    name = path.stem
    out = runs / name / "calibration"
    command = [sys.executable, "-m", "selfreward", "judge", "calibrate", f"run={name}", f"store.runs={runs}"]
    command += [*row["settings"], "--gold", str(gold), "--items", str(row["items"]), "--out", str(out)]
    print(f"{name}: {' '.join(row['settings'])}", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"{name} failed with status {done.returncode}", file=sys.stderr)
        return False
    found = json.loads((out / "measures.json").read_text())
    kept = ("pairs", "measures", "people", "outcomes", "tokens", "seconds", "policy", "artifact")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**row, **{name: found[name] for name in kept}, "gate": found["gate"]["action"]})
    return True


def reading(row: Row) -> str:
    """What the interval of the accuracy says, in a few words."""
    one = row["measures"]["accuracy"]
    if one["value"] is None:
        return "not measured"
    if one["n"] < FEWEST:
        return f"too few verdicts ({one['n']})"
    if one["low"] <= 0.5 <= one["high"]:
        return "near chance"
    return "better than chance" if one["low"] > 0.5 else "worse than chance"


def page(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    sets = list(dict.fromkeys(row["gold"] for row in rows))
    measured = sum(row["measures"]["accuracy"]["value"] is not None for row in rows)
    intro = f"""# The embedded model as a judge

Written by `python scripts/judge_table.py --table` from the files in `judges/`. Each row is one `selfreward judge
calibrate`, on up to {ITEMS} pairs of a file at random. In brackets: 95% bootstrap intervals over pairs.

**Accuracy** is the share of pairs on which the judge prefers what most people prefer; a tie counts half, so it is the
AUC within pairs, and .5 is a coin. It is over the pairs that the judge gave a verdict on (n); the parse rate says how
many that were. **Near chance** means that the interval contains .5: nothing was shown, in either direction.
**Flips** are verdicts that change with the order of the answers. A judge of single answers has no order to change.
**Length slope** is what being twice as long adds to the preference, at equal human label. Seconds are those of the
process that finished a cell.

There are {measured} accuracies below. Of coins alone, about one 95% interval in twenty would leave .5."""
    return "\n\n".join([intro, *(_section(one, [row for row in rows if row["gold"] == one]) for one in sets)]) + "\n"


def _section(gold: str, rows: Sequence[Row]) -> str:
    order = list(JUDGES)
    head = ["judge", "reads as", "n", *COLUMNS.values(), "tokens", "seconds"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in sorted(rows, key=lambda row: order.index(row["judge"])):
        measures = row["measures"]
        cells = [row["judge"], reading(row), str(measures["accuracy"]["n"]), *(_told(measures[one]) for one in COLUMNS)]
        lines.append(_line([*cells, f"{row['tokens'] or 0:,}", f"{row['seconds']:,.0f}"]))
    return f"## {gold}\n\n{_people(rows[0])}\n\n" + "\n".join(lines)


def _people(row: Row) -> str:
    one = row["people"]["mean_pairwise_kappa"]
    told = (
        "Each pair was labelled once, so how far people agree is not known."
        if one["value"] is None
        else f"People among themselves: kappa {_told(one)}, mean of two at a time, on {one['n']} pairs."
    )
    return f"{row['pairs']} pairs. {told}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _told(measure: Mapping[str, Any]) -> str:
    if measure["value"] is None:
        return "-"
    value, low, high = (f"{round(measure[name], 3) + 0.0:.3f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def read_rows(folder: Path) -> list[Row]:
    """The rows that are there, by file and judge."""
    rows = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(rows, key=lambda row: (row["gold"], row["judge"]))


def main() -> int:
    """Asks the cells that have no row, then writes the page; 1 where a cell failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="*", metavar="FILE|SETTING=VALUE")
    parser.add_argument("--items", type=int, default=ITEMS, help=f"pairs of each file (default: {ITEMS})")
    parser.add_argument("--judges", type=lambda text: text.split(";"), default=list(JUDGES), metavar="JUDGE;...")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/judges")
    parser.add_argument("--rows", type=Path, default=ROOT / "docs/evidence/judges")
    parser.add_argument("--table", action="store_true", help="write the page beside the folder of rows, ask nothing")
    parsed = parser.parse_intermixed_args()
    if unknown := [one for one in parsed.judges if one not in JUDGES]:
        parser.error(f"no judge {unknown[0]!r}; there are {'; '.join(JUDGES)}")
    files = [Path(one).resolve() for one in parsed.given if "=" not in one]
    settings = [one for one in parsed.given if "=" in one]
    rows, runs, failed = parsed.rows.resolve(), parsed.runs.resolve(), 0
    for gold in [] if parsed.table else files:
        for judge in parsed.judges:
            row, path = wanted(judge, gold, parsed.items, settings), row_file(rows, judge, gold.stem)
            if not is_done(path, row):
                failed += not run_cell(row, gold, runs, path)
    found = read_rows(rows)
    if found:
        rows.with_suffix(".md").write_text(page(found))
    print(f"{rows.with_suffix('.md')}: {len(found)} rows")
    return min(1, failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(INTERRUPTED)
