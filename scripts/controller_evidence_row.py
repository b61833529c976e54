"""What is kept of one cell of scripts/controller_evidence.py: a small row of figures, read from the run's artifacts."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView, read_run
from selfreward.metrics.evaluation import Evaluation
from selfreward.metrics.intervals import Interval
from selfreward.metrics.probe_rows import Measurement, PromptMeasure
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.reading.rounds import Round, rounds_of
from selfreward.selection.mixing import Mixing, Spent
from selfreward.spec import Json

DIGITS = 4
# Of the settings, all groups but those that say where and how fast; of a finding, what the tables use.
SETTINGS = ("model", "data", "loop", "measure", "evaluate", "prompts", "sample", "judge", "select", "monitor", "mix")
FINDING = ("part", "drop", "margin", "z", "hit", "detectable")
VECTORS = {"sem": "sem_beside_human", "human_sem": "human_sem", "human_nll": "human_nll", "recall": "recall"}
"""The per-prompt values of a row, by the names they have there."""

Stages = Mapping[str, Artifact]


def row_of(folder: Path, arm: str, seed: int, ended: str) -> dict[str, Json]:
    """The row of the run in `folder`: settings, one entry a round, and per-prompt values of the first and last policy.

    `ended` is `complete`, or `starved` where the run had too little left to train on. Numbers keep four digits; a
    value that a round does not have is left out, or null where it does not exist.
    """
    view = read_run(folder)
    config = json.loads((folder / "config.json").read_text())
    rounds = [_round(one) for one in rounds_of(view) if "evaluate" in one.stages]
    _add_rises(rounds)
    last = len(rounds) - 1
    row = {
        "arm": arm,
        "seed": seed,
        "ended": ended,
        "settings": {name: config[name] for name in (*SETTINGS, "update")},
        "engine": view.iterations[0]["evaluate"].manifest.identity["engine"],
        "commits": _commits(view),
        "seconds": sum(artifact.manifest.seconds for _, artifact in view.artifacts()),
        "mean_real_share": _mean_real_share(rounds),
        "rounds": rounds,
        "prompts": {
            str(t): _by_prompt(view.iterations[t], config["evaluate"]["temperature"]) for t in sorted({0, last})
        },
    }
    rounded: dict[str, Json] = _rounded(row)
    return rounded


def _round(one: Round) -> dict[str, Any]:
    assert one.evaluation is not None
    assert one.measurement is not None
    entry: dict[str, Any] = {"t": one.t, **_evaluated(one.evaluation), **_measured(one.measurement)}
    if (verdict := one.verdict) is not None:
        entry["state"] = verdict.state
        entry["findings"] = {
            family: {name: getattr(finding, name) for name in FINDING} for family, finding in verdict.findings.items()
        }
    if one.decision is not None:
        entry |= {"action": one.decision.course.action, "rung": one.decision.course.rung}
    if one.mixing is not None:
        entry |= _mixed(one.mixing, one.stages["mix"])
    return entry


def _evaluated(found: Evaluation) -> dict[str, Any]:
    """Of the closed questions: how often they are answered rightly, beside the start model at equal diversity."""
    assert found.closed is not None
    entry = {
        "greedy": _interval(found.greedy),
        "pass_at_1": _interval(found.pass_1),
        "distinct_share": found.closed.distinct_share,
    }
    if found.matched is not None:
        entry["matched_pass_at_1"] = found.matched.pass_at_1
        entry["gain"] = _interval(found.matched.gain.pass_at_1)
    return entry


def _measured(found: Measurement) -> dict[str, Any]:
    """Of the open questions: diversity at matched length, human NLL, recall, length."""
    opened = found.open
    assert opened is not None
    matched = opened.matched
    assert matched is not None
    return {
        "words": matched.human_words,
        "sem": matched.sem_beside_human,
        "baseline_sem": matched.baseline_sem_beside_human,
        "human_sem": matched.human_sem,
        "pairwise_distance": opened.pairwise_distance,
        "recall": matched.recall,
        "baseline_recall": matched.baseline_recall,
        "human_nll": opened.human_nll,
        "mean_tokens": opened.mean_tokens,
        "truncation_rate": opened.truncation_rate,
    }


def _mixed(mixing: Mixing, training: Artifact) -> dict[str, Any]:
    """The real share of the round, and the human rows and answer tokens that the run has spent up to it."""
    return {
        "real_share": {"asked": mixing.real_share_asked, "realised": mixing.real_share_tokens},
        "human_rows_spent": mixing.human_rows_spent,
        "human_tokens_spent": sum(entry.tokens for entry in training.records(Spent, "ledger")),
        "self_rows": mixing.self_rows,
        "self_tokens": mixing.self_tokens,
        "human_tokens": mixing.human_tokens,
    }


def _mean_real_share(rounds: Iterable[Mapping[str, Any]]) -> float | None:
    """The human share of all tokens that were trained on: a fixed share as high spends as much, if answers are as long.

    A mean of the rounds' shares would spend less, because human tokens grow faster than their share.
    """
    mixed = [entry for entry in rounds if "real_share" in entry]
    human = sum(entry["human_tokens"] for entry in mixed)
    return human / (human + sum(entry["self_tokens"] for entry in mixed)) if mixed else None


def _add_rises(rounds: list[dict[str, Any]]) -> None:
    """`human_nll_rise`: human NLL above the lowest of all earlier rounds; below 0 while it still falls."""
    for t, entry in enumerate(rounds):
        earlier = [one["human_nll"] for one in rounds[:t] if one["human_nll"] is not None]
        known = earlier and entry["human_nll"] is not None
        entry["human_nll_rise"] = entry["human_nll"] - min(earlier) if known else None


def _by_prompt(stages: Stages, temperature: float) -> dict[str, Any]:
    """What comparisons between the arms of a seed are paired by: one value a question."""
    measures = stages["measure"].records(PromptMeasure, "prompts")
    answers = stages["evaluate"].records(EvaluatedAnswer)
    return {
        "open": {
            one.prompt_id: {name: getattr(one, field) for name, field in VECTORS.items()}
            for one in measures
            if one.stratum == "open"
        },
        "closed": _right(one for one in answers if one.stratum == "closed" and one.temperature == temperature),
    }


def _right(answers: Iterable[EvaluatedAnswer]) -> dict[str, float]:
    """The share of right answers to each question, among those that can be compared with a reference."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        if answer.right is not None:
            groups[answer.prompt_id].append(answer.right)
    return {prompt: fmean(given) for prompt, given in groups.items()}


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}


def _commits(view: RunView) -> list[str]:
    """The commits that the artifacts were made at, in the order they first came up."""
    made = sorted((artifact.manifest for _, artifact in view.artifacts()), key=lambda manifest: manifest.made)
    return list(dict.fromkeys(manifest.commit for manifest in made if manifest.commit is not None))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
