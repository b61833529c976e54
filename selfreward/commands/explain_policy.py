"""`selfreward explain RUN M1`: how a policy was trained."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict

from selfreward.artifacts.runs import RunView
from selfreward.console import table_lines
from selfreward.errors import StoreError
from selfreward.reading.metrics import trained_metrics
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Round, rounds_of
from selfreward.reading.step_table import step_table
from selfreward.tracking.rl_lines import rl_lines

POLICY = re.compile(r"[Mm](\d{1,6})")


def policy_lines(view: RunView, asked: str) -> Iterator[str]:
    """What is known of the update that made the policy called `asked`, and each step of reinforcement learning.

    Raises StoreError for a policy that no update made.
    """
    one = _round_of(view, asked)
    manifest = one.stages["update"].manifest
    yield f"M{one.t + 1} of run {view.name}, trained from M{one.t}: update/{manifest.key} (digest {manifest.digest})"
    yield from rl_lines(one)
    yield from (f"  {name:<44}{_told(value)}" for name, value in trained_metrics(one.training).items())
    if one.rl_steps is not None:
        head, rows = step_table(one.t, one.rl_steps)
        yield from ("", *table_lines([dict(zip(head, map(_told, row), strict=True)) for row in rows]))


def policy_json(view: RunView, asked: str) -> str:
    """The same as one JSON object."""
    one = _round_of(view, asked)
    manifest, steps = one.stages["update"].manifest, one.rl_steps
    found = {
        "run": view.name,
        "policy": one.t + 1,
        "key": manifest.key,
        "digest": manifest.digest,
        "trained": trained_metrics(one.training),
        "steps": None if steps is None else [asdict(step) for step in steps],
    }
    return json.dumps(found, indent=2)


def _round_of(view: RunView, asked: str) -> Round:
    """The round that trained the policy."""
    read = POLICY.fullmatch(asked)
    assert read is not None
    made = {one.t + 1: one for one in rounds_of(view) if "update" in one.stages}
    number = int(read[1])
    if number not in made:
        there = "no policy was trained yet" if not made else f"give one of M{min(made)} to M{max(made)}"
        why = "is the start model, which no update made" if number == 0 else "was not trained"
        raise StoreError(f"M{number} of {view.name} {why}: {there}")
    return made[number]


def _told(value: Metric) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
