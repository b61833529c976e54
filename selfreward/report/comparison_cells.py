"""Several runs side by side: what is swept among them, what else differs, what each paid and what they shared."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selfreward.artifacts.runs import RunView
from selfreward.reading.final_values import final_values
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Cost, cost_of, total
from selfreward.report.figures import DASH

Row = Mapping[str, Metric]
State = Literal["done", "unfinished", "failed", "not started"]

SEED = "seed"
_NEVER_TOLD = ("run", "sweep", "store", "tracker")


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @property
    def last(self) -> Row | None:
        """The metrics of the last policy that was evaluated, and how the run stood then (`final/`)."""
        ends = (t for t, row in reversed([*enumerate(self.rows)]) if any(name.startswith("eval/") for name in row))
        end = next(ends, None)
        return None if end is None else {**self.rows[end], **final_values(self.rows[: end + 1])}

    def metric(self, name: str) -> float | None:
        """A metric of the last evaluated policy; None where it does not exist."""
        value = None if self.last is None else self.last.get(name)
        return value if isinstance(value, int | float) else None

    @property
    def human_rows(self) -> int | None:
        """Human rows spent on the last evaluated policy; None before anything was mixed."""
        if self.last is None:
            return None
        end = self.last["loop/iteration"]
        mixed = [row for row in self.rows if "mix/human_rows_spent" in row]
        spent = [row["mix/human_rows_spent"] for row in mixed if row["loop/iteration"] != end]
        return spent[-1] if spent and isinstance(spent[-1], int) else None

    @property
    def cost(self) -> Cost:
        """What it would have cost alone."""
        return total(self.costs.values())


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting that differs among runs, and its values in order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """How many artifacts of a stage several runs use, and how many runs use each of them, summed."""

    stage: str
    artifacts: int
    uses: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs under one name. `axes` are what is swept; a swept seed is no axis but makes replicates."""

    name: str
    cells: tuple[Cell, ...]
    axes: tuple[Axis, ...]
    seeds: Axis | None

    @property
    def done(self) -> tuple[Cell, ...]:
        """The runs that came to their end: the only ones that charts compare."""
        return tuple(cell for cell in self.cells if cell.state == "done")

    @property
    def columns(self) -> tuple[Axis, ...]:
        """Everything that tells one run from another."""
        return self.axes if self.seeds is None else (*self.axes, self.seeds)


def compare(name: str, cells: Sequence[Cell]) -> Comparison:
    """The comparison of `cells`.

    Axes are the settings that their sweeps vary; of runs that belong to no sweep, all settings that differ.
    """
    names = sorted({one for cell in cells for one in cell.settings}) or _differing(cells)
    found = [Axis(one, _ordered(setting(cell, one) for cell in cells)) for one in names]
    axes = [axis for axis in found if len(axis.values) > 1]
    seeds = next((axis for axis in axes if axis.name == SEED), None)
    if seeds is not None and len(axes) > 1:
        axes.remove(seeds)
        ordered = (*axes, seeds)
    else:
        seeds, ordered = None, tuple(axes)
    rank = {axis.name: {value: place for place, value in enumerate(axis.values)} for axis in ordered}
    placed = sorted(cells, key=lambda cell: [rank[axis.name][setting(cell, axis.name)] for axis in ordered])
    return Comparison(name, tuple(placed), tuple(axes), seeds)


def setting(cell: Cell, name: str) -> str:
    """The value of a swept setting, as typed or else from the run's settings; a dash where neither has it."""
    if name in cell.settings:
        return _setting_text(cell.settings[name])
    config = cell.config or {}
    for place in (name, f"{name}.kind"):
        if place in config:
            return _setting_text(config[place])
    return DASH


def untold_differences(comparison: Comparison) -> dict[str, tuple[str, ...]]:
    """Settings that differ among the runs although nobody swept them, with their values."""
    known = [cell for cell in comparison.cells if cell.config is not None]
    swept = {axis.name for axis in comparison.columns}
    if "experiment" in swept:
        return {}
    copies = {tuple(setting(cell, name) for cell in known) for name in swept}
    found = {}
    for name in _differing(known):
        values = tuple(setting(cell, name) for cell in known)
        inside = any(name == one or name.startswith(f"{one}.") for one in swept)
        if not inside and values not in copies:
            found[name] = _ordered(values)
    return found


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


def shared(cells: Iterable[Cell]) -> list[Shared]:
    """What several runs use, by stage, the most expensive stage first."""
    listed = list(cells)
    uses = Counter(key for cell in listed for key in cell.costs)
    several = {key: number for key, number in uses.items() if number > 1}
    costs = {key: cost.seconds for cell in listed for key, cost in cell.costs.items()}
    stages = sorted(
        {stage for stage, _ in several}, key=lambda one: (-sum(costs[key] for key in several if key[0] == one), one)
    )
    return [
        Shared(one, len(numbers := [n for key, n in several.items() if key[0] == one]), sum(numbers)) for one in stages
    ]


def costs_of(view: RunView) -> dict[tuple[str, str], Cost]:
    """What every artifact of a run took to make, each of them once."""
    return {(one.manifest.stage, one.key): cost_of(one) for _, one in view.artifacts()}


def _differing(cells: Sequence[Cell]) -> list[str]:
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
        return DASH
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text
