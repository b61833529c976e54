"""What a run committed, as the page needs it. None stands for what was not made or does not exist."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.errors import StoreError
from selfreward.metrics.intervals import Interval, paired_difference
from selfreward.metrics.probe_rows import PromptMeasure
from selfreward.metrics.sharpening import EvaluatedAnswer
from selfreward.reading.samples import first_prompts, greedy_answers
from selfreward.records import Outcome, Prompt, Stratum
from selfreward.selection.choice import selection_counts
from selfreward.stages.decide import stop_reason
from selfreward.stages.gate import gate_reason
from selfreward.stages.mix import Mixing, mixing_of

_SEED = 0  # of the intervals taken here; those of the stages come with their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The start model at the temperature that gives the same distinct share, and what the policy gains over it."""

    temperature: float
    distinct_share: float
    off_ladder: bool
    pass_1: float
    gain: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `evaluate` found out about one policy; `since_*` are paired differences from the start model."""

    greedy: Interval | None
    pass_1: Interval | None
    pass_k: Interval | None
    k: int | None
    distinct_share: float | None
    gold: Interval | None
    mean_tokens: Mapping[Stratum, float | None]
    since_greedy: Interval | None
    since_pass_1: Interval | None
    matched: Matched | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What `measure` found out about one policy on the probe; `mean_tokens` by stratum."""

    closed_distinct_share: float | None
    open_distance: float | None
    open_distinct2: float | None
    human_nll: float | None
    mean_tokens: Mapping[Stratum, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """How candidates became training rows: rows drawn, judgments by outcome, `selection.json`, `mixing.json`."""

    drawn: int | None
    outcomes: Mapping[str, int]
    selection: Mapping[str, int] | None
    mixing: Mixing | None
    rows_trained: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time of a stage and the tokens it produced or read, where it counts them."""

    seconds: float
    tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One iteration: policy M`t`, and the round that trains the next one."""

    t: int
    evaluation: Evaluation | None
    measurement: Measurement | None
    yielded: Yield | None
    costs: Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Sample:
    """A held-out prompt and what each policy answers when greedy; None where a policy was not evaluated."""

    prompt: Prompt
    answers: tuple[EvaluatedAnswer | None, ...]


def read_config(folder: Path) -> dict[str, Any] | None:
    """The settings that the run in `folder` was started with. Raises StoreError where they cannot be read."""
    path = folder / "config.json"
    if not path.exists():
        return None
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise StoreError(
            f"{path} cannot be read ({error}): give the command of the run again to write it anew"
        ) from error
    return config


def read_steps(view: RunView) -> tuple[Step, ...]:
    """Every iteration of the run, however far it came."""
    return tuple(_step(t, stages) for t, stages in enumerate(view.iterations))


def why_stopped(view: RunView) -> str | None:
    """Why the gate or the controller ended the run; None where neither did."""
    last = view.iterations[-1] if view.iterations else {}
    reasons = (("gate", gate_reason), ("decide", stop_reason))
    return next((why for stage, reason in reasons if stage in last and (why := reason(last[stage])) is not None), None)


def read_samples(view: RunView) -> list[Sample]:
    """The first held-out prompts of both strata with the greedy answers of all policies."""
    if "held_out" not in view.sources:
        return []
    columns = [greedy_answers(stages["evaluate"]) if "evaluate" in stages else {} for stages in view.iterations]
    prompts = first_prompts(view.sources["held_out"])
    return [Sample(prompt, tuple(column.get(prompt.id) for column in columns)) for prompt in prompts]


def running_minimum(steps: tuple[Step, ...]) -> list[tuple[int, float]]:
    """For every policy with a human NLL, (t, the lowest human NLL up to then)."""
    known = [
        (step.t, step.measurement.human_nll)
        for step in steps
        if step.measurement is not None and step.measurement.human_nll is not None
    ]
    lowest = accumulate((nll for _, nll in known), min)
    return [(t, nll) for (t, _), nll in zip(known, lowest, strict=True)]


def probe_change(view: RunView, stratum: Stratum, quantity: str, until: int) -> Interval | None:
    """The paired difference from M0 of a PromptMeasure quantity, over a stratum's prompts that have it in both."""
    before, after = (_probe_values(view.iterations[t].get("measure"), stratum, quantity) for t in (0, until))
    both = sorted(before.keys() & after.keys())
    return paired_difference([after[one] for one in both], [before[one] for one in both], _SEED)


def control_gap(view: RunView, control: RunView) -> tuple[int, Interval] | None:
    """At the last policy that both runs evaluated, how much higher this run's pass@1 is, prompt by prompt."""
    for t in reversed(range(1, min(len(view.iterations), len(control.iterations)))):
        own, other = (_right_shares(run.iterations[t].get("evaluate")) for run in (view, control))
        both = sorted(own.keys() & other.keys())
        gap = paired_difference([own[one] for one in both], [other[one] for one in both], _SEED)
        if gap is not None:
            return t, gap
    return None


def cost_of(artifact: Artifact) -> Cost:
    """What an artifact took to make."""
    return Cost(artifact.manifest.seconds, artifact.tokens)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs; tokens are None if none of them counts any."""
    listed = list(costs)
    counted = [one.tokens for one in listed if one.tokens is not None]
    return Cost(sum(one.seconds for one in listed), sum(counted) if counted else None)


def _step(t: int, stages: Mapping[str, Artifact]) -> Step:
    return Step(
        t=t,
        evaluation=_evaluation(stages["evaluate"]) if "evaluate" in stages else None,
        measurement=_measurement(stages["measure"]) if "measure" in stages else None,
        yielded=_yield(stages) if "sample" in stages else None,
        costs={name: cost_of(artifact) for name, artifact in stages.items()},
    )


def _evaluation(artifact: Artifact) -> Evaluation:
    metrics = artifact.json("metrics")
    closed, since = metrics.get("closed") or {}, metrics.get("since_start") or {}
    k = _setting(artifact, "k")
    return Evaluation(
        greedy=_interval(closed.get("greedy_accuracy")),
        pass_1=_interval(closed.get("pass_at_1")),
        pass_k=_interval(closed.get(f"pass_at_{k}")),
        k=k,
        distinct_share=closed.get("distinct_share"),
        gold=_interval((metrics.get("gold") or {}).get("accuracy")),
        mean_tokens=_mean_tokens(metrics),
        since_greedy=_interval(since.get("greedy_accuracy")),
        since_pass_1=_interval(since.get("pass_at_1")),
        matched=_matched(metrics.get("matched")),
    )


def _matched(found: dict[str, Any] | None) -> Matched | None:
    if found is None:
        return None
    return Matched(
        temperature=found["temperature"],
        distinct_share=found["distinct_share"],
        off_ladder=found["off_ladder"],
        pass_1=found["pass_at_1"],
        gain=_interval(found["gain"]["pass_at_1"]),
    )


def _measurement(artifact: Artifact) -> Measurement:
    metrics = artifact.json("metrics")
    closed, open_ = metrics.get("closed") or {}, metrics.get("open") or {}
    return Measurement(
        closed_distinct_share=closed.get("distinct_share"),
        open_distance=open_.get("pairwise_distance"),
        open_distinct2=(open_.get("across") or {}).get("distinct2"),
        human_nll=open_.get("human_nll"),
        mean_tokens=_mean_tokens(metrics),
    )


def _yield(stages: Mapping[str, Artifact]) -> Yield:
    judged = stages["judge"].manifest.counts if "judge" in stages else {}
    return Yield(
        drawn=stages["sample"].rows(),
        outcomes={name: int(judged[name]) for name in get_args(Outcome) if name in judged},
        selection=selection_counts(stages["select"]) if "select" in stages else None,
        mixing=mixing_of(stages["mix"]) if "mix" in stages else None,
        rows_trained=stages["update"].json("training").get("rows_trained") if "update" in stages else None,
    )


def _setting(artifact: Artifact, name: str) -> Any:
    """A setting of the stage, as it is part of the artifact's identity."""
    spec = artifact.manifest.identity["spec"]
    assert isinstance(spec, dict)
    return spec[name]


def _mean_tokens(metrics: dict[str, Any]) -> dict[Stratum, float | None]:
    strata: tuple[Stratum, ...] = ("closed", "open")
    return {stratum: (metrics.get(stratum) or {}).get("mean_tokens") for stratum in strata}


def _interval(found: dict[str, Any] | None) -> Interval | None:
    return None if found is None else Interval(**found)


def _right_shares(evaluated: Artifact | None) -> dict[str, float]:
    """The share of right sampled answers of each held-out prompt, at the temperature of the evaluation."""
    if evaluated is None:
        return {}
    temperature = _setting(evaluated, "temperature")
    right: dict[str, list[bool]] = {}
    for row in evaluated.records(EvaluatedAnswer):
        if row.temperature == temperature and row.right is not None:
            right.setdefault(row.prompt_id, []).append(row.right)
    return {prompt_id: fmean(marks) for prompt_id, marks in right.items()}


def _probe_values(measured: Artifact | None, stratum: Stratum, quantity: str) -> dict[str, float]:
    if measured is None:
        return {}
    rows = (row for row in measured.records(PromptMeasure, "prompts") if row.stratum == stratum)
    return {row.prompt_id: value for row in rows if (value := getattr(row, quantity)) is not None}
