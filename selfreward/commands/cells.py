"""The cells of a sweep as they lie in the folder of runs: what each is called, and how it ended.

Cells may run in other processes or on other machines, so each one leaves `cell.json` in its run's folder.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from selfreward.artifacts.atomic_files import canonical, locked, write_json
from selfreward.config import LONGEST_NAME, SweepCell
from selfreward.errors import StoreError

STATE_FILE = "cell.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """How a cell ended. It is `pending` until it has: not reached yet, at work, or stopped on the way."""

    cell: SweepCell
    status: Literal["pending", "done", "failed"] = "pending"
    error: str | None = None
    exit_status: int | None = None


_READER = TypeAdapter(CellState)


def cell_run(cell: SweepCell) -> str:
    """The name of a cell's run: the sweep's name and what is swept, whatever order it was typed in.

    A name that had to be shortened, or cleaned of characters that a run's name cannot have, ends with a digest of
    the settings, so that two cells never share one.
    """
    if not cell.settings:
        return cell.name
    exact = ",".join(f"{name}={value}" for name, value in sorted(cell.settings.items()))
    clean = ",".join(
        f"{re.sub(r'[^A-Za-z0-9._]', '-', name)}={re.sub(r'[^A-Za-z0-9._-]', '-', value)}"
        for name, value in sorted(cell.settings.items())
    )
    whole = f"{cell.name}.{clean}"
    if clean == exact and len(whole) <= LONGEST_NAME:
        return whole
    digest = hashlib.sha256(canonical(dict(cell.settings))).hexdigest()[:8]
    return f"{whole[: LONGEST_NAME - 9]}-{digest}"


def write_state(folder: Path, state: CellState, *, over: bool = True) -> None:
    """Writes `cell.json`, `over` one that is there, which another process may have written, or only where none is."""
    with locked(folder / f".{STATE_FILE}.lock", on_wait=lambda: None):
        if over or not (folder / STATE_FILE).exists():
            write_json(folder / STATE_FILE, {**asdict(state), "cell": state.cell.model_dump()})


def read_state(folder: Path) -> CellState | None:
    """How the cell in `folder` ended; None where there is none."""
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        return _READER.validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(f"{path} does not say how a cell ended: delete it and sweep again") from error


def members_of(named: Iterable[Path]) -> list[Path]:
    """The runs that are asked for by folders `named` after runs or sweeps: a sweep stands for all its cells, once."""
    return list(dict.fromkeys(one for folder in named for one in _cells_of(folder) or [folder]))


def _cells_of(folder: Path) -> list[Path]:
    """The cells of the sweep that `folder` is named after; none if there is no such sweep."""
    states = {path.parent: read_state(path.parent) for path in sorted(folder.parent.glob(f"*/{STATE_FILE}"))}
    return [one for one, state in states.items() if state is not None and state.cell.name == folder.name]
