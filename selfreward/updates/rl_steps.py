"""What reinforcement learning did at every step: one row for each draw of completions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

Entry = dict[str, float | int | None]
"""What a trainer logged of one optimiser step."""
_EDGE = 0.1
"""The share of steps at either end that a report compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStep:
    """What one source of rewards said at a step: of `applied` completions it said nothing about `missing`.

    `mean` and `deviation` (of n - 1) are of its own scores, before its weight; None where there are too few. `tokens`
    are those that judges read and wrote for them.
    """

    name: str
    applied: int
    missing: int
    mean: float | None
    deviation: float | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RlStep:
    """One draw and the training on it; figures that a step does not have are None.

    Of `completions`, `missing` have no reward and bear no loss: a source said nothing of them, or of all others of
    their group. `tokens` is the mean length drawn, `tokens_trained` the sum over those with a reward, `cut` the share
    that did not end by itself. `reward` and `reward_deviation` (of n - 1) are of the weighted sums. `flat_groups` is
    the share of groups with equal rewards, from which nothing is learned but to stay near the reference.

    `loss`, `entropy` (nats a token), `kl` (nats a token, to the reference) and `clipped` (the share of tokens, with
    RLOO of completions, whose ratio was clipped) are means over the epochs.
    """

    step: int
    loss: float
    completions: int
    missing: int
    sources: tuple[SourceStep, ...]
    reward: float | None
    reward_deviation: float | None
    flat_groups: float | None
    kl: float | None
    entropy: float | None
    tokens: float
    tokens_trained: int
    cut: float
    clipped: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEnds:
    """What one source of rewards said over all steps: of `applied` completions it said nothing about `missing`.

    `mean_*` and `deviation_*` are those of SourceStep, their means over the first and the last tenth of the steps.
    """

    applied: int
    missing: int
    mean_first: float | None
    mean_last: float | None
    deviation_first: float | None
    deviation_last: float | None


def ends_of(steps: Sequence[RlStep]) -> tuple[Sequence[RlStep], Sequence[RlStep]]:
    """The first tenth and the last tenth of the steps, one at least, which a report compares."""
    some = max(1, round(_EDGE * len(steps)))
    return steps[:some], steps[-some:]


def mean_of(found: Iterable[float | None]) -> float | None:
    """The mean of what is there; None where nothing is."""
    there = [value for value in found if value is not None]
    return fmean(there) if there else None


def sources_of(steps: Sequence[RlStep]) -> dict[str, SourceEnds]:
    """What each source said, by name."""
    names = dict.fromkeys(one.name for step in steps for one in step.sources)
    first, last = ends_of(steps)
    return {name: _ends(*(_of(name, some) for some in (steps, first, last))) for name in names}


def steps_of(history: Sequence[Entry], epochs: int) -> tuple[RlStep, ...]:
    """The steps that a trainer logged, in order; each is `epochs` optimiser steps."""
    logged = (entry for entry in history if "loss" in entry)
    drawn = groupby(logged, key=lambda entry: (int(entry["step"] or 0) - 1) // epochs + 1)
    return tuple(_step(number, list(entries)) for number, entries in drawn)


def _of(name: str, steps: Sequence[RlStep]) -> list[SourceStep]:
    return [one for step in steps for one in step.sources if one.name == name]


def _ends(every: Sequence[SourceStep], first: Sequence[SourceStep], last: Sequence[SourceStep]) -> SourceEnds:
    return SourceEnds(
        applied=sum(one.applied for one in every),
        missing=sum(one.missing for one in every),
        mean_first=mean_of(one.mean for one in first),
        mean_last=mean_of(one.mean for one in last),
        deviation_first=mean_of(one.deviation for one in first),
        deviation_last=mean_of(one.deviation for one in last),
    )


def _step(number: int, entries: Sequence[Entry]) -> RlStep:
    first = entries[0]
    return RlStep(
        step=number,
        loss=_mean(entries, "loss") or 0.0,
        completions=_count(first, "rl/completions"),
        missing=_count(first, "rl/missing"),
        sources=tuple(_sources(first)),
        reward=first.get("rl/reward"),
        reward_deviation=first.get("rl/reward_deviation"),
        flat_groups=first.get("rl/flat_groups"),
        kl=_mean(entries, "kl"),
        entropy=_mean(entries, "entropy"),
        tokens=float(first["rl/tokens"] or 0),
        tokens_trained=_count(first, "rl/tokens_trained"),
        cut=float(first["rl/cut"] or 0),
        clipped=_mean(entries, "clip_ratio/region_mean"),
    )


def _sources(entry: Entry) -> Iterator[SourceStep]:
    """By name: what stands in a checkpoint is sorted, and what was logged since is not."""
    for name in sorted(key.split("/")[1] for key in entry if key.startswith("source/") and key.endswith("/applied")):
        yield SourceStep(
            name=name,
            applied=_count(entry, f"source/{name}/applied"),
            missing=_count(entry, f"source/{name}/missing"),
            mean=entry.get(f"source/{name}/mean"),
            deviation=entry.get(f"source/{name}/deviation"),
            tokens=_count(entry, f"source/{name}/tokens"),
        )


def _count(entry: Entry, name: str) -> int:
    value = entry[name]
    assert value is not None
    return round(value)


def _mean(entries: Sequence[Entry], name: str) -> float | None:
    return mean_of(entry.get(name) for entry in entries)


def figures_of(steps: Sequence[RlStep]) -> dict[str, Any]:
    """What a report says of all steps, and of the first and the last of them, by the names of Training."""
    ends = dict(zip(("first", "last"), ends_of(steps), strict=True))
    found: dict[str, Any] = {
        "completions": sum(one.completions for one in steps),
        "completions_missing": sum(one.missing for one in steps),
        "tokens_judged": sum(source.tokens for one in steps for source in one.sources),
        "tokens_drawn": round(sum(one.tokens * one.completions for one in steps)),
        "sources": sources_of(steps),
    }
    for name in ("reward", "entropy", "tokens"):
        for when, some_steps in ends.items():
            found[f"{name}_{when}"] = _mean_of(some_steps, name)
    for name in ("flat_groups", "cut", "clipped"):
        found[name] = _mean_of(steps, name)
    return {**found, "kl_to_reference": _mean_of(ends["last"], "kl")}


def _mean_of(steps: Sequence[RlStep], name: str) -> float | None:
    return mean_of(getattr(one, name) for one in steps)
