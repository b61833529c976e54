"""Several runs side by side: what is swept among them, what else differs, what each paid and what they shared."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from selfreward.artifacts.runs import RunView
from selfreward.reading.metrics import ending_metrics, final_values, metrics_of_round
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Cost, Round, cost_of, total
from selfreward.spec import Json

Row = Mapping[str, Metric]
State = Literal["done", "unfinished", "failed", "not started"]

_SEED = "seed"
_UNSET = "\u2013"
_NEVER_TOLD = ("run", "sweep", "store", "tracker")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: `settings` are what its sweep varies, as typed; `rows` its metrics, one row an iteration.

    `config` is flat (`select.k` -> 4) and None where the run never came to write it. `costs` are of every artifact it
    uses, by stage and key; most cells of a sweep use some that others use too.
    """

    name: str
    settings: Mapping[str, str]
    config: Mapping[str, Any] | None
    state: State
    error: str | None
    rows: Sequence[Row]
    costs: Mapping[tuple[str, str], Cost]

    @cached_property
    def last(self) -> Row | None:
        """The metrics of the last policy that was evaluated, and how the run stood then (`final/`)."""
        ends = [t for t, row in enumerate(self.rows, start=1) if any(name.startswith("eval/") for name in row)]
        return {**self.rows[ends[-1] - 1], **final_values(self.rows[: ends[-1]])} if ends else None

    def metric(self, name: str) -> float | None:
        """A metric of the last evaluated policy; None where it does not exist."""
        value = (self.last or {}).get(name)
        return value if isinstance(value, int | float) else None

    @property
    def human_rows(self) -> int | None:
        """Human rows spent on the last evaluated policy; None before anything was mixed."""
        if self.last is None:
            return None
        before = [row for row in self.rows if row["loop/iteration"] != self.last["loop/iteration"]]
        spent = [row["mix/human_rows_spent"] for row in before if "mix/human_rows_spent" in row]
        return spent[-1] if spent and isinstance(spent[-1], int) else None

    @cached_property
    def cost(self) -> Cost:
        """What it would have cost alone."""
        return total(self.costs.values())


@dataclass(frozen=True)
class Comparison:
    """Several runs under one name. `axes` are what is swept, with the values in order.

    A swept seed is no axis but makes replicates, unless nothing else is swept: its values are `seeds`.
    """

    name: str
    cells: Sequence[Cell]
    axes: Mapping[str, Sequence[str]]
    seeds: Sequence[str]

    @cached_property
    def uses(self) -> Mapping[tuple[str, str], int]:
        """How many runs use each artifact, by stage and key."""
        return Counter(key for cell in self.cells for key in cell.costs)

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        """Everything that tells one run from another."""
        return {**self.axes, _SEED: self.seeds} if self.seeds else self.axes


def compare(name: str, cells: Sequence[Cell]) -> Comparison:
    """The comparison of `cells`.

    Axes are the settings that their sweeps vary; of runs that belong to no sweep, all settings that differ.
    """
    names = sorted({one for cell in cells for one in cell.settings}) or _differing(cells)
    found = {one: _ordered(setting(cell, one) for cell in cells) for one in names}
    axes = {one: values for one, values in found.items() if len(values) > 1}
    seeds = axes.pop(_SEED, ()) if len(axes) > 1 else ()
    ordered = Comparison(name, cells, axes, seeds).columns.items()
    placed = sorted(cells, key=lambda cell: [values.index(setting(cell, one)) for one, values in ordered])
    return Comparison(name, placed, axes, seeds)


def setting(cell: Cell, name: str) -> str:
    """The value of a swept setting, as typed or else from the run's settings; a dash where neither has it."""
    config = cell.config or {}
    for place in (name, f"{name}.kind"):
        if place in cell.settings or place in config:
            return _setting_text(cell.settings.get(place, config.get(place)))
    return _setting_text(None)


def unswept(comparison: Comparison) -> dict[str, Sequence[str]]:
    """Settings that differ among the runs although nobody swept them, with their values."""
    known = [cell for cell in comparison.cells if cell.config is not None]
    swept = comparison.columns
    if "experiment" in swept:
        return {}
    copies = [[setting(cell, name) for cell in known] for name in swept]
    found: dict[str, Sequence[str]] = {}
    for name in _differing(known):
        values = [setting(cell, name) for cell in known]
        if values not in copies and not any(f"{name}.".startswith(f"{one}.") for one in swept):
            found[name] = _ordered(values)
    return found


def own_settings(config: Mapping[str, Json], others: Mapping[str, Json]) -> list[str]:
    """What flat settings have that others have not, as `name=value`."""
    told = [name for name in config if name.split(".")[0] not in _NEVER_TOLD]
    return [f"{name}={_setting_text(config[name])}" for name in told if config[name] != others.get(name, ...)]


def replicates(comparison: Comparison, wanted: Mapping[str, str]) -> list[Cell]:
    """The runs that have the `wanted` values of some axes, over all values of the others and all seeds."""
    return [cell for cell in comparison.cells if all(setting(cell, name) == value for name, value in wanted.items())]


def values_of(cells: Iterable[Cell], metric: str) -> list[float]:
    """A metric of each finished run that has it."""
    found = [cell.metric(metric) for cell in cells if cell.state == "done"]
    return [value for value in found if value is not None]


def paid(cells: Iterable[Cell]) -> Cost:
    """What the runs cost together: an artifact that several of them use was made once."""
    return total({key: cost for cell in cells for key, cost in cell.costs.items()}.values())


def shared(cells: Sequence[Cell]) -> dict[str, list[int]]:
    """What several runs use: how many use each artifact, by stage, the most expensive stage first."""
    uses = Counter(key for cell in cells for key in cell.costs)
    found: defaultdict[str, list[int]] = defaultdict(list)
    seconds: defaultdict[str, float] = defaultdict(float)
    for (stage, key), cost in {key: cost for cell in cells for key, cost in cell.costs.items()}.items():
        if uses[stage, key] > 1:
            found[stage].append(uses[stage, key])
            seconds[stage] += cost.seconds
    return {stage: found[stage] for stage in sorted(found, key=lambda one: (-seconds[one], one))}


def shared_seconds(comparison: Comparison, cell: Cell) -> float:
    """How much of what a run cost went into artifacts that other runs use too."""
    return sum(cost.seconds for key, cost in cell.costs.items() if comparison.uses[key] > 1)


def rows_to_compare(rounds: Sequence[Round]) -> list[Row]:
    """The metrics of the first and the last evaluated policy of a run; of the others, what `final_values` goes by."""
    evaluated = [one.t for one in rounds if "evaluate" in one.stages]
    whole = {0, *evaluated[-1:]}
    pairs = zip(rounds, (None, *rounds), strict=False)
    return [metrics_of_round(one, before) if one.t in whole else ending_metrics(one) for one, before in pairs]


def costs_of(view: RunView) -> dict[tuple[str, str], Cost]:
    """What every artifact of a run took to make, each of them once."""
    return {(one.manifest.stage, one.key): cost_of(one) for _, one in view.artifacts()}


def _differing(cells: Iterable[Cell]) -> list[str]:
    known = [cell for cell in cells if cell.config is not None]
    names = {name for cell in known for name in cell.config or {} if name.split(".")[0] not in _NEVER_TOLD}
    return sorted(name for name in names if len({setting(cell, name) for cell in known}) > 1)


def _ordered(values: Iterable[str]) -> tuple[str, ...]:
    """Distinct values, numbers by size and before words."""

    def place(value: str) -> tuple[bool, float, str]:
        try:
            return False, float(value), value
        except ValueError:
            return True, 0.0, value

    return tuple(sorted(set(values), key=place))


def _setting_text(value: Any) -> str:
    """One way to write what may be typed in several: 0, 0.0 and 0.00 are one value."""
    if value is None:
        return _UNSET
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text
