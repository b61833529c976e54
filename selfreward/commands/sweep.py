"""A sweep: its cells are planned, run one after the other, and told about."""

import re
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selfreward.artifacts import Store
from selfreward.commands.arguments import Values
from selfreward.commands.cells import STATE_FILE, CellState, cell_run, read_state, write_state
from selfreward.commands.gc import collect
from selfreward.commands.run import run
from selfreward.config import RUN_NAME, SweepCell
from selfreward.console import ConsoleReporter
from selfreward.errors import ConfigError, SelfrewardError, of_system

_CRASHED = 1
_MISTAKE = 2
_LONGEST_SWEEP = 60  # half of a cell's name, so that its settings are seen
_NOT_SWEPT = ("run", "store.runs")


@dataclass(frozen=True, slots=True)
class Sweep:
    """All cells of one command, and the folder of runs they share."""

    name: str
    runs: Path
    cells: tuple[SweepCell, ...]


def plan_sweep(name: str, runs: Path, overrides: Sequence[Sequence[str]], swept: Collection[str]) -> Sweep:
    """The sweep whose cells are given by `overrides`. Raises ConfigError for settings that no sweep can have."""
    if not re.fullmatch(RUN_NAME, name):
        raise ConfigError(f"run={name}: a name is made of letters, digits and ._=,- and starts with a letter or digit")
    if len(name) > _LONGEST_SWEEP:
        raise ConfigError(f"run={name} has {len(name)} characters: the name of a sweep has at most {_LONGEST_SWEEP}")
    for setting in _NOT_SWEPT:
        if setting in swept:
            raise ConfigError(f"{setting} cannot be swept: cells share a store and are named by what differs in them")
    if "experiment" in swept and not any(one.startswith("run=") for one in overrides[0]):
        raise ConfigError("a sweep of experiment has no name of its own: give it one, run=NAME")
    return Sweep(name, runs, tuple(SweepCell(name=name, settings=settings_of(one, swept)) for one in overrides))


def settings_of(overrides: Sequence[str], swept: Collection[str]) -> dict[str, str]:
    """The swept settings among `overrides`, by name."""
    pairs = (one.lstrip("+").partition("=") for one in overrides)
    return dict(sorted((name, value) for name, _, value in pairs if name in swept))


def run_cell(compose: Callable[[], Values], sweep: Sweep, cell: SweepCell) -> None:
    """Runs one cell with the settings that `compose` gives; whatever goes wrong is noted and told, and others go on."""
    for other in sweep.cells:  # one that is never reached is missed all the same
        write_state(sweep.runs / cell_run(other), CellState(cell=other), over=False)
    reporter = ConsoleReporter()
    name = cell_run(cell)
    reporter.say(f"cell {sweep.cells.index(cell) + 1} of {len(sweep.cells)}: {name}")
    state, collects = CellState(cell=cell), False
    write_state(sweep.runs / name, state)
    try:
        settings = compose()
        run({**settings, "run": name, "sweep": cell.model_dump()})
        state = replace(state, status="done", exit_status=0)
        collects = settings["store"]["keep_policies"] == "last"
    except Exception as error:  # noqa: BLE001 - a defect in one cell is no reason to lose the others; it is told whole
        state = _failed(state, error, reporter.say)
    write_state(sweep.runs / name, state)
    # Cells share policies: none is deleted before all have come to their end.
    if collects and all(one.status == "done" for one in _states(sweep)):
        folders = [sweep.runs / cell_run(other) for other in sweep.cells]
        collect(folders, Store(sweep.runs / "store", reporter), reporter.say)


def _failed(state: CellState, error: Exception, say: Callable[[str], None]) -> CellState:
    """How a cell ended with `error`, which is told."""
    mistake = error if isinstance(error, SelfrewardError) else of_system(error)
    if mistake is None:
        traceback.print_exception(error)
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return replace(state, status="failed", error=told, exit_status=_CRASHED)
    told = "; ".join((str(mistake), *getattr(mistake, "__notes__", ())))
    say(f"selfreward: {told}")
    return replace(state, status="failed", error=told, exit_status=mistake.exit_status)


def summary(sweep: Sweep) -> tuple[list[str], int]:
    """A line for the sweep and for each cell; the exit status: 0 if all are done, that which all failed with, or 2."""
    states = _states(sweep)
    done = sum(state.status == "done" for state in states)
    lines = [f"sweep {sweep.name}: {done} of {len(states)} cells done", *(_line(state) for state in states)]
    statuses = {_MISTAKE if state.exit_status is None else state.exit_status for state in states} - {0}
    return lines, 0 if not statuses else statuses.pop() if len(statuses) == 1 else _MISTAKE


def begun(sweep: Sweep) -> bool:
    """Whether any cell was reached, now or earlier."""
    return any((sweep.runs / cell_run(cell) / STATE_FILE).exists() for cell in sweep.cells)


def _states(sweep: Sweep) -> list[CellState]:
    return [read_state(sweep.runs / cell_run(cell)) or CellState(cell=cell) for cell in sweep.cells]


def _line(state: CellState) -> str:
    settings = " ".join(f"{name}={value}" for name, value in state.cell.settings.items()) or cell_run(state.cell)
    ended = f"  {state.status:<8} {settings}"
    return ended if state.error is None else f"{ended}: {state.error} (exit status {state.exit_status})"
