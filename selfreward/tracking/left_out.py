"""What was left out of the data, as metrics of the first iteration."""

from collections.abc import Mapping

from selfreward.artifacts import Artifact
from selfreward.stages.source import LEFT_OUT, counted
from selfreward.tracking.monitor import Metric


def data_metrics(sources: Mapping[str, Artifact]) -> dict[str, Metric]:
    """`data/<role>/left_out/<reason>` for each role and reason that there was."""
    return {
        f"data/{role}/left_out/{reason}": count
        for role, table in sources.items()
        for reason, count in sorted(counted(table.manifest.counts, LEFT_OUT).items())
    }
