"""A finished or growing run, opened to be read: its rounds with typed figures, and any table of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import SOURCES, RunView, read_run
from selfreward.errors import StoreError
from selfreward.reading.metrics import metrics_of_run
from selfreward.reading.monitor_metrics import Metric
from selfreward.reading.rounds import Round, rounds_of
from selfreward.reading.settings import read_config
from selfreward.stages.reward import Rewarding, rewarding_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class OpenRun:
    """What a run has committed. Nothing is loaded before it is asked for."""

    view: RunView

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the run was started with, as plain values."""
        return read_config(self.view.folder) or {}

    @property
    def rounds(self) -> tuple[Round, ...]:
        """For each policy M0, M1 ... its figures, and those of the round that trains the next one."""
        return rounds_of(self.view)

    @property
    def reward(self) -> Rewarding | None:
        """What came of the reward model that was trained before round 0; None where none was."""
        trained = self.view.sources.get("reward")
        return None if trained is None else rewarding_of(trained)

    @property
    def metrics(self) -> list[dict[str, Metric]]:
        """The lines of `metrics.jsonl`; docs/metrics.md defines each name."""
        return metrics_of_run(self.view)

    def tables(self, t: int | None = None) -> tuple[str, ...]:
        """The names of the tables of iteration `t`, as in `select/fates`; without `t`, those of the data."""
        made = self._artifacts(t)
        return tuple(f"{name}/{table.name}" for name, one in sorted(made.items()) for table in one.manifest.tables)

    def dataset(self, name: str, t: int | None = None) -> "Dataset":
        """A table as a data set of the library `datasets`; see `frame`."""
        from datasets import Dataset

        return Dataset(self._arrow(name, t))

    def frame(self, name: str, t: int | None = None) -> "pd.DataFrame":
        """The table `name` of iteration `t` (`select/fates`; `sample` for `sample/rows`), or of the data (`train`).

        Raises StoreError, with the names that there are, for a table that does not exist, CollectedArtifact for one
        whose bytes were deleted.
        """
        return self._arrow(name, t).to_pandas()

    def _arrow(self, name: str, t: int | None) -> "pa.Table":
        import pyarrow as pa
        import pyarrow.parquet as pq

        stage, _, table = name.partition("/")
        found = self._artifacts(t).get(stage)
        entries = {} if found is None else {one.name: one for one in found.manifest.tables}
        entry = entries.get(table or "rows")
        if found is None or entry is None:
            there = ", ".join(self.tables(t)) or "none yet"
            place = SOURCES if t is None else f"iteration {t}"
            raise StoreError(f"{self.view.name} has no table {name!r} in {place}; its tables: {there}")
        found.check()
        shards = [pq.read_table(path) for path in entry.paths(found.path)]
        return pa.concat_tables(shards) if shards else pa.table({})

    def _artifacts(self, t: int | None) -> dict[str, Artifact]:
        if t is None:
            return dict(self.view.sources)
        if not 0 <= t < len(self.view.iterations):
            raise StoreError(f"{self.view.name} has iterations 0 to {len(self.view.iterations) - 1}, not {t}")
        return dict(self.view.iterations[t])


def open_run(folder: str | Path) -> OpenRun:
    """The run in `folder`, such as `runs/quickstart`. Raises StoreError where there is none."""
    return OpenRun(read_run(Path(folder)))
