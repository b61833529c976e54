"""What was left out of the data, as metrics of the first iteration."""

from pathlib import Path

from selfreward.artifacts.runs import read_run
from selfreward.reading.monitor_metrics import Metric
from selfreward.stages.source import LEFT_OUT, counted


def data_metrics(folder: Path, t: int) -> dict[str, Metric]:
    """`data/<role>/left_out/<reason>` for each role and reason that there was in a run; empty but for iteration 0."""
    if t > 0:
        return {}
    return {
        f"data/{role}/left_out/{reason}": count
        for role, table in read_run(folder).sources.items()
        for reason, count in sorted(counted(table.manifest.counts, LEFT_OUT).items())
    }
