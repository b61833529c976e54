"""The training rows of a run, iteration by iteration, in one line each."""

from collections.abc import Iterator
from dataclasses import dataclass

from selfreward.artifacts.runs import RunView
from selfreward.reading.lookup import iterations_of
from selfreward.records import Example, Origin, TrainingRow
from selfreward.selection.training_rows import training_table


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """A training row in short. `score` is a pair's margin; `iteration` the one the row came in."""

    id: str
    origin: Origin
    iteration: int | None
    score: float | None
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSet:
    """The training set of an iteration: how many rows it has, and those that are listed."""

    iteration: int
    key: str
    table: str
    total: int
    rows: Iterator[ListedRow]


def list_rows(view: RunView, iteration: int | None = None) -> Iterator[ListedSet]:
    """Every training set of the run with the rows that came in then; of the one asked for, with all its rows.

    Rows are read as they are asked for. Raises StoreError for an iteration that the run has not.
    """
    for t in iterations_of(view, iteration):
        if (mixed := view.iterations[t].get("mix")) is not None:
            table, record_type = training_table(mixed)
            records = mixed.records(record_type, table)
            rows = (_listed(row) for row in records if iteration is not None or row.iteration == t)
            yield ListedSet(iteration=t, key=mixed.key, table=table, total=mixed.rows(table), rows=rows)


def _listed(row: TrainingRow) -> ListedRow:
    return ListedRow(
        id=row.id,
        origin=row.origin,
        iteration=row.iteration,
        score=row.score if isinstance(row, Example) else row.margin,
        prompt=row.messages[-1].content,
        answer=row.text if isinstance(row, Example) else row.chosen,
    )
