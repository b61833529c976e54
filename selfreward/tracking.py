"""Metrics of a run, read from what it committed: metrics.jsonl, and a table in the terminal.

Every name is defined in docs/metrics.md.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from selfreward.artifacts import Artifact
from selfreward.artifacts.files import write_atomically
from selfreward.artifacts.runs import read_run

Metric = int | float | bool | str | None
METRICS_FILE = "metrics.jsonl"

_SUMMARY = {
    "t": "loop/iteration",
    "greedy": "eval/closed/greedy_accuracy",
    "pass@1": "eval/closed/pass_at_1",
    "matched": "matched/pass_at_1",
    "gain": "matched/gain/pass_at_1",
    "distinct": "eval/closed/distinct_share",
    "open": "diversity/open/pairwise_distance",
    "NLL": "diversity/open/human_nll",
    "gold": "eval/gold/accuracy",
    "rows": "train/rows_trained",
    "human": "mix/human_rows_drawn",
}
_TITLE = "{run} after iteration {t} (gain: pass@1 beyond M0 at the same diversity, matched; see docs/metrics.md)"


class SummaryPrinter(Protocol):
    """Where the table of a run is shown."""

    def say(self, line: str) -> None:
        """Shows one line."""
        ...

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        """Shows one table."""
        ...


@dataclass(frozen=True)
class Tracker:
    """Follows one run. It reads committed artifacts only, so a resumed run logs what an unbroken one does."""

    folder: Path
    printer: SummaryPrinter

    def iteration(self, t: int) -> None:
        """Writes the metrics of all iterations up to `t` to metrics.jsonl and shows them."""
        rows = metrics_of_run(self.folder)[: t + 1]
        lines = "".join(f"{json.dumps(row, sort_keys=True, allow_nan=False)}\n" for row in rows)
        write_atomically(self.folder / METRICS_FILE, lines.encode())
        shown = [{column: _cell(row.get(name)) for column, name in _SUMMARY.items()} for row in rows]
        for line in training_counts(rows[t]):
            self.printer.say(line)
        self.printer.table(_TITLE.format(run=self.folder.name, t=t), list(_SUMMARY), shown)


def training_counts(row: Mapping[str, Metric]) -> list[str]:
    """What changed this iteration's training set, each count with what it is out of; nothing for the last policy."""
    if "mix/self_rows" not in row:
        return []
    reasons = ("cut", "empty", "below_threshold", "duplicate", "passed_over")
    left_out = [f"{name} {row[f'select/{name}']}" for name in reasons if row.get(f"select/{name}")]
    left_out += [f"{name.removeprefix('select/')} {value}" for name, value in row.items() if "/unscored:" in name]
    lines = [
        f"  selected {row['select/selected']} of {row['select/candidates']} candidates "
        f"({', '.join(left_out) or 'all'}); "
        f"{row['select/prompts_without_selection']} of {row['select/prompts']} prompts gave none",
        f"  mixed {row['mix/self_rows']} own rows and {row['mix/human_rows']} human ones, "
        f"{row['mix/real_share_tokens']:.1%} of the tokens ({row['mix/real_share_asked']:.1%} asked); "
        f"{row['mix/human_rows_left']} human rows are left",
    ]
    if row["mix/short_tokens"]:
        lines.append(f"  the human pool is dry: {row['mix/short_tokens']} tokens short of the share asked for")
    if row.get("train/rows_too_long"):
        lines.append(f"  {row['train/rows_too_long']} rows were too long to train on (update.max_tokens)")
    return lines


def metrics_of_run(folder: Path) -> list[dict[str, Metric]]:
    """One flat dict of metrics for each iteration of the run in `folder`; see docs/metrics.md for the names."""
    return [metrics_of_iteration(t, stages) for t, stages in enumerate(read_run(folder).iterations)]


def metrics_of_iteration(t: int, stages: Mapping[str, Artifact]) -> dict[str, Metric]:
    """The metrics of one iteration from its artifacts; a stage that has not run gives none."""
    row: dict[str, Metric] = {"loop/iteration": t}
    evaluated = _json(stages.get("evaluate"), "metrics") or {}
    for name in ("closed", "open", "gold"):
        row |= _flat(f"eval/{name}", evaluated.get(name))
    for name in ("since_start", "matched"):
        row |= _flat(name, evaluated.get(name))
    row |= _flat("diversity", _json(stages.get("measure"), "metrics"))
    if (judged := stages.get("judge")) is not None:
        row |= {f"judge/{name}": value for name, value in judged.manifest.counts.items() if name != "tokens"}
    row |= _flat("select", _json(stages.get("select"), "selection"))
    row |= _flat("mix", _json(stages.get("mix"), "mixing"))
    row |= _flat("train", _json(stages.get("update"), "training"))
    for name, artifact in stages.items():
        row[f"cost/{name}/seconds"] = artifact.manifest.seconds
        tokens = [value for count, value in artifact.manifest.counts.items() if count.endswith("tokens")]
        if tokens:
            row[f"cost/{name}/tokens"] = sum(tokens)
    return row


def _json(artifact: Artifact | None, name: str) -> dict[str, Any] | None:
    return None if artifact is None else artifact.json(name)


def _flat(prefix: str, value: Any) -> dict[str, Metric]:
    """Nested dicts as slash-separated names; an interval keeps its value under the plain name."""
    if not isinstance(value, Mapping):
        return {prefix: value} if value is not None else {}
    if value.keys() == {"value", "low", "high", "n"}:
        return {prefix: value["value"], f"{prefix}_low": value["low"], f"{prefix}_high": value["high"]}
    flat: dict[str, Metric] = {}
    for name, inner in value.items():
        flat |= _flat(f"{prefix}/{name}", inner)
    return flat


def _cell(value: Metric) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
