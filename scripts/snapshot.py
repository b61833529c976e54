#!/usr/bin/env python
"""Takes what users see of scripted runs, by content, to compare it before and after a change of structure.

    python scripts/snapshot.py take before      # makes the runs in a scratch folder, about two minutes
    python scripts/snapshot.py take after       # after the change
    python scripts/snapshot.py compare before after

A snapshot holds the rows of every table, the metrics and decisions, and the words of every page and command, as text
files. Keys, digests, seeds, paths and times are left out, and floats keep six decimals. It reads Parquet, JSON and HTML
from the disk and imports nothing of the package: moving modules cannot change what it sees.
"""

import argparse
import csv
import difflib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

SCRIPTED = ("experiment=scripted", "data.held_out_closed=30", "evaluate.ladder=[0.4]")
RUNS: dict[str, tuple[str, ...]] = {
    "act": ("monitor=act", "monitor.budget=250", "loop.iterations=5"),
    "jury": ("judge=jury", "select=preference_pairs", "loop.iterations=2", "judge.members.rubric.policy=initial"),
    "duel": ("model.skill=0.1", "judge=verifier", "select.threshold=1", "mix.real_share=0", "duel=pairwise"),
    "pairs": ("judge=rubric", "select=preference_pairs", "select.pairs=all", "prompts.human=12", "mix.real_share=0.2"),
    "random": ("select=random_pick", "loop.iterations=2", "backend.unparsed_share=0.1", "mix.data=accumulate"),
}
JUDGES: dict[str, tuple[str, ...]] = {
    "rubric": ("judge=rubric", "judge.method=expected"),
    "pairwise": ("judge=pairwise", "judge.reasoning=false", "backend.position_bias=0.4", "backend.unparsed_share=0.2"),
}
SWEEP = ("run=ksweep", "loop.iterations=1", "select.k=2,4", "mix.real_share=0,0.2")
COMMANDS = (
    *(("report", name) for name in RUNS),
    *(("status", name) for name in RUNS),
    ("verify", "jury"),
    ("explain", "act"),
    ("explain", "pairs"),
    ("explain", "jury", "--iteration", "1"),
    ("compare", "ksweep"),
    ("monitor", "check", "act"),
    ("monitor", "replay", "act", "alpha=0.01"),
    ("monitor", "calibrate", *SCRIPTED),
    ("gc", "act", "--dry-run"),
)
# What names bytes, machines and moments, not content.
_HEX = re.compile(r"(?<![\w.])[0-9a-f]{8,64}\b")
_SHORT_KEY = re.compile(r"\b([a-z_]+) [0-9a-f]{4}\b")
_TIME = re.compile(
    r"\b[\d,]+(?:\.\d+)?(?= ?(?:s|ms|seconds|minutes|MB|GB|kB)\b|/s\b| x the dearest)"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?\S*"
)
_NUMBER = re.compile(r"-?\d+\.\d{7,}(?:e-?\d+)?")
_UNSEEN = ("key", "digest", "seed", "_hash", "seconds", "seconds_per_row", "seconds_shared")
# Of a comparison: the column before the tokens, and the order of what cost alike.
_SECONDS = re.compile(r"\d+\.\d\d(?= +[\d,]+$)", re.MULTILINE)
_SHARED = re.compile(r"^made once for several runs: .*$", re.MULTILINE)


class _Words(HTMLParser):
    """The words of a page, a line for each piece of text; styles and scripts left out."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and (words := " ".join(data.split())):
            self.lines.append(words)


def words_of(page: str) -> str:
    """The words of an HTML page, one piece a line."""
    parser = _Words()
    parser.feed(page)
    return "\n".join(parser.lines)


def neutral(text: str) -> str:
    """`text` without digests, keys, times and sizes, and with six decimals of every number."""
    text = _SHORT_KEY.sub(r"\1 KEY", _HEX.sub("HEX", text))
    text = _SHARED.sub(lambda found: ", ".join(sorted(found[0].split(", "))), _SECONDS.sub("N", text))
    return _NUMBER.sub(lambda found: f"{float(found[0]):.6f}", _TIME.sub("N", text))


def plain(value: Any) -> Any:
    """A JSON value with floats rounded and what names bytes left out."""
    match value:
        case float():
            return round(value, 6) + 0.0
        case dict():
            return {name: plain(one) for name, one in sorted(value.items()) if not name.endswith(_UNSEEN)}
        case list():
            return [plain(one) for one in value]
        case str():
            return neutral(value)
        case _:
            return value


def take(folder: Path) -> None:
    """Makes the runs in a scratch folder and writes the snapshot into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        for name, settings in RUNS.items():
            said = command(home, "run", *SCRIPTED, f"run={name}", *settings)
            write(folder / "said" / f"run-{name}.txt", neutral(said))
        write(folder / "said" / "sweep.txt", neutral(command(home, "run", "-m", *SCRIPTED, *SWEEP)))
        for arguments in COMMANDS:
            write(folder / "said" / f"{'-'.join(arguments).replace('/', '-')}.txt", neutral(command(home, *arguments)))
        write(home / "gold.jsonl", "".join(f"{json.dumps(gold_pair(number))}\n" for number in range(40)))
        for judge, settings in JUDGES.items():
            calibrate = (
                "judge",
                "calibrate",
                "experiment=scripted",
                "--gold",
                "gold.jsonl",
                "--out",
                f"runs/of-{judge}",
            )
            write(folder / "said" / f"judge-{judge}.txt", neutral(command(home, *calibrate, *settings)))
        for run in sorted(path for path in (home / "runs").iterdir() if path.is_dir() and path.name != "store"):
            for name, content in content_of(run):
                write(folder / run.name / name, content)


def gold_pair(number: int) -> dict[str, Any]:
    """A sum with a right and a wrong answer, every other time the wrong one first, and what three people said."""
    first, second = f"It is {2 * number + 7}.", f"It is {2 * number + 8 + number % 5}."
    sides = ["first", "first", "tie" if number % 3 else "first"]
    if number % 2:
        first, second, sides = second, first, ["second" if side == "first" else side for side in sides]
    question = {"id": str(number), "question": f"What is {number} + {number + 7}?", "source": "sums"}
    return question | {"first": first, "second": second, "verdicts": sides}


def command(home: Path, *arguments: str) -> str:
    """What `selfreward` says, given in the folder `home`, and its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "selfreward", *arguments], cwd=home, capture_output=True, text=True, check=False
    )
    return f"$ selfreward {' '.join(arguments)}\n{done.stdout}{done.stderr}exit {done.returncode}\n".replace(
        str(home), "HOME"
    )


def content_of(run: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each part of a run or of a sweep: its tables, its metrics and decisions, its pages."""
    for stage in sorted(path for path in run.glob("*/*") if (path / "manifest.json").is_file()):
        tables = {path.name.rpartition("-")[0] for path in stage.glob("*.parquet")}
        for table in sorted(tables):
            shards = sorted(stage.glob(f"{table}-*.parquet"))
            rows = [plain(row) for shard in shards for row in pq.read_table(shard).to_pylist()]
            lines = "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows)
            yield f"{stage.relative_to(run)}-{table}.jsonl", lines
    for path in sorted([*run.glob("*.jsonl"), *run.glob("iter-*/decide/decision.json"), *run.glob("measures.json")]):
        rows = [plain(json.loads(line)) for line in path.read_text().splitlines() if path.suffix == ".jsonl"]
        rows = rows or [plain(json.loads(path.read_text()))]
        yield str(path.relative_to(run)), "".join(f"{json.dumps(row, sort_keys=True, indent=0)}\n" for row in rows)
    for path in sorted(run.glob("*.html")):
        yield f"{path.name}.txt", neutral(words_of(path.read_text()))
    for path in sorted(run.glob("*.csv")):
        with path.open(newline="") as file:
            rows = [plain(row) for row in csv.DictReader(file)]
        yield path.name, "".join(f"{json.dumps(row, indent=0)}\n" for row in rows)


def write(path: Path, content: str) -> None:
    """Writes a text file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def compare(before: Path, after: Path) -> bool:
    """Whether two snapshots are alike; prints the first lines of each difference."""
    names = sorted({str(path.relative_to(top)) for top in (before, after) for path in top.rglob("*") if path.is_file()})
    differ = 0
    for name in names:
        one, other = ((top / name).read_text() if (top / name).exists() else "" for top in (before, after))
        if one != other:
            differ += 1
            lines = list(difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=0))
            print(f"{name}: {len(lines)} lines differ")
            print("\n".join(f"  {line[:200]}" for line in lines[2:8]))
    print(f"{len(names)} files, {differ} differ")
    return not differ


def main() -> int:
    """0 if all is well, 1 if two snapshots differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("take").add_argument("folder", type=Path)
    comparing = kinds.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    parsed = parser.parse_args()
    if parsed.kind == "compare":
        return int(not compare(parsed.before, parsed.after))
    take(parsed.folder.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
