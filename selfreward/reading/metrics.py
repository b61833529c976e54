"""Metrics of a run, read from what it committed. Every name is defined in docs/metrics.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import read_run
from selfreward.reading.data_metrics import data_metrics
from selfreward.reading.judge_metrics import judge_metrics
from selfreward.reading.monitor_metrics import Metric, monitor_metrics
from selfreward.reading.sample_metrics import drawn_metrics
from selfreward.reading.yields import yield_metrics

METRICS_FILE = "metrics.jsonl"


def training_counts(row: Mapping[str, Metric]) -> list[str]:
    """What changed this iteration's training set, each count with what it is out of; nothing for the last policy."""
    if "mix/self_rows" not in row:
        return []
    reasons = ("cut", "empty", "below_threshold", "duplicate", "passed_over", "over_cluster_cap")
    left_out = [f"{name} {row[f'select/{name}']}" for name in reasons if row.get(f"select/{name}")]
    left_out += [f"{name.removeprefix('select/')} {value}" for name, value in row.items() if "/unscored:" in name]
    pairs = f" in {row['select/pairs']} pairs" if "select/pairs" in row else ""
    share = row["mix/real_share_rows" if row["mix/unit"] == "pairs" else "mix/real_share_tokens"]
    fresh = row["mix/human_rows_fresh"]
    lines = [
        f"  selected {row['select/selected']} of {row['select/candidates']} candidates{pairs} "
        f"({', '.join(left_out) or 'all'}); "
        f"{row['select/prompts_without_selection']} of {row['select/prompts']} prompts gave none",
        f"  mixed {row['mix/self_rows']} own rows and {row['mix/human_rows']} human ones"
        f"{'' if fresh == row['mix/human_rows_drawn'] else f' ({fresh} never used before)'}, "
        f"{share:.1%} of the {row['mix/unit']} ({row['mix/real_share_asked']:.1%} asked); "
        f"{row['mix/human_rows_left']} human rows are left",
    ]
    if row.get("select/ties") or row.get("select/below_margin"):
        lines.append(f"  no pairs: {row['select/ties']} ties, {row['select/below_margin']} within select.margin")
    if row["mix/short"]:
        why = "the human pool is dry"
        if row["mix/human_rows_left"]:
            why = "the budget of human data is spent" if "mix/human_left" in row else "too few of its rows were at hand"
        lines.append(f"  {why}: {row['mix/short']} {row['mix/unit']} short of the share asked for")
    if row.get("train/rows_too_long"):
        lines.append(f"  {row['train/rows_too_long']} rows were too long to train on (update.max_tokens)")
    if row.get("train/displaced_share"):
        lines.append(
            f"  in {row['train/displaced_share']:.0%} of the pairs the chosen answer became less likely while its "
            "margin grew (likelihood displacement); update.loss=[sigmoid,sft] holds it up"
        )
    return lines


def metrics_of_run(folder: Path) -> list[dict[str, Metric]]:
    """One flat dict of metrics for each iteration of the run in `folder`; see docs/metrics.md for the names."""
    view = read_run(folder)
    return [
        metrics_of_iteration(t, stages, before) | data_metrics(folder, t)
        for t, (stages, before) in enumerate(zip(view.iterations, ({}, *view.iterations), strict=False))
    ]


def metrics_of_iteration(t: int, stages: Mapping[str, Artifact], before: Mapping[str, Artifact]) -> dict[str, Metric]:
    """The metrics of one iteration from its artifacts and those of the iteration `before`, empty for the first.

    A stage that has not run gives none.
    """
    row: dict[str, Metric] = {"loop/iteration": t}
    evaluated = _json(stages.get("evaluate"), "metrics") or {}
    for name in ("closed", "open", "gold"):
        row |= _flat(f"eval/{name}", evaluated.get(name))
    for name in ("since_start", "matched"):
        row |= _flat(name, evaluated.get(name))
    row |= _flat("diversity", _json(stages.get("measure"), "metrics"))
    # The policy's own words: no number, and W&B is sent no text.
    row.pop("diversity/open/matched/opening", None)
    row |= monitor_metrics(t, stages, before)
    row |= drawn_metrics(stages.get("sample"))
    if (judged := stages.get("judge")) is not None:
        row |= {f"judge/{name}": value for name, value in judged.manifest.counts.items() if name != "tokens"}
    row |= judge_metrics(stages)
    row |= _flat("select", _json(stages.get("select"), "selection"))
    row |= _flat("mix", _json(stages.get("mix"), "mixing"))
    row |= _flat("train", _json(stages.get("update"), "training"))
    for name, artifact in stages.items():
        row[f"cost/{name}/seconds"] = artifact.manifest.seconds
        if artifact.tokens is not None:
            row[f"cost/{name}/tokens"] = artifact.tokens
    return row | yield_metrics(stages)


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
