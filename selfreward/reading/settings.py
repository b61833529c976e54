"""The settings that a run was started with, and how far it came of what they ask for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfreward.errors import StoreError
from selfreward.reading.rounds import Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many updates a run has made and how many were asked for, None if that is not known.

    `complete`: the last policy asked for is evaluated. `stop` says why the gate or the controller ended the run.
    """

    updates: int
    asked: int | None
    complete: bool
    stop: str | None


def read_config(folder: Path) -> dict[str, Any] | None:
    """The settings that the run in `folder` was started with. Raises StoreError where they cannot be read."""
    path = folder / "config.json"
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        told = f"{path} cannot be read ({error}): give the command of the run again to write it anew"
        raise StoreError(told) from error


def progress_of(config: Mapping[str, Any] | None, rounds: Sequence[Round]) -> Progress:
    """How far a run with these settings came in its rounds."""
    asked: int | None = None if config is None else config["loop"]["iterations"]
    return Progress(
        updates=sum("update" in one.stages for one in rounds),
        asked=asked,
        complete=asked is not None and len(rounds) > asked and "evaluate" in rounds[asked].stages,
        stop=rounds[-1].stop if rounds else None,
    )
