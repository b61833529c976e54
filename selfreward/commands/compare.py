"""`selfreward compare RUN [RUN ...]`: one table and one page of several runs, or of the cells of a sweep."""

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from selfreward.artifacts.atomic_files import canonical, write_atomically
from selfreward.artifacts.identity import flat_settings
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.runs import check_links, read_run
from selfreward.commands.arguments import Values, run_folder, runs_parser
from selfreward.commands.cells import CellState, members_of, read_state
from selfreward.console import table_lines
from selfreward.reading.compared_runs import (
    Cell,
    Comparison,
    State,
    compare,
    costs_of,
    rows_to_compare,
    setting,
    shared_seconds,
    unswept,
)
from selfreward.reading.rounds import Round, rounds_of
from selfreward.reading.settings import progress_of, read_config
from selfreward.report.comparison import render_comparison
from selfreward.report.comparison_table import (
    ComparedMetric,
    columns_of,
    first_alarm,
    identity,
    last_policy,
    measures_of,
    notes,
)
from selfreward.report.figures import amount, change, count

PAGE_FILE = "comparison.html"
TABLE_FILE = "comparison.csv"


def main(arguments: list[str]) -> int:
    """Prints the table, writes it and the page, prints where. 0; raises StoreError for a run that is not there."""
    parser = runs_parser(
        "compare", "Compare runs by quality, diversity and cost; the name of a sweep stands for all its cells."
    )
    parser.add_argument(
        "--out", type=Path, help="the folder to write into (default: the sweep's, or RUNS/comparison-DIGEST)"
    )
    parsed = parser.parse_args(arguments)
    asked = [run_folder(name, parsed.runs) for name in parsed.run]
    named = list(dict.fromkeys(asked))
    with few_collections():
        cells = [read_cell(folder) for folder in members_of(named)]
    comparison = compare(" ".join(folder.name for folder in named), cells)
    out: Path = parsed.out or _default_out(named)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / TABLE_FILE, csv_text(comparison).encode())
    write_atomically(out / PAGE_FILE, render_comparison(comparison).encode())
    differing = unswept(comparison)
    also = [f"these runs also differ in {', '.join(differing)}"] if differing else []
    print(*plain_table(comparison), "", *notes(comparison), *also, out / TABLE_FILE, out / PAGE_FILE, sep="\n")
    return 0


def read_cell(folder: Path) -> Cell:
    """The run in `folder` with its metrics and costs. Raises StoreError where there is none."""
    view, state = read_run(folder), read_state(folder)
    check_links(view)
    config, rounds = read_config(folder), rounds_of(view)
    return Cell(
        name=view.name,
        settings=state.cell.settings if state is not None else {},
        config=None if config is None else flat_settings(config),
        state=_state(config, rounds, state),
        error=state.error if state is not None and state.status == "failed" else None,
        rows=rows_to_compare(rounds),
        costs=costs_of(view),
    )


def _state(config: Values | None, rounds: Sequence[Round], state: CellState | None) -> State:
    """What is committed tells whether a run is done: a cell that is being looked at again says that it is pending.

    A run that the gate or the monitor stopped has come to its end.
    """
    if state is not None and state.status == "failed":
        return "failed"
    found = progress_of(config, rounds)
    if found.complete or found.stop is not None:
        return "done"
    return "unfinished" if rounds else "not started"


def _default_out(asked: Sequence[Path]) -> Path:
    first = asked[0]
    if len(asked) == 1:
        return first
    digest = hashlib.sha256(canonical(dict.fromkeys(sorted(folder.name for folder in asked)))).hexdigest()[:8]
    return first.parent / f"comparison-{digest}"


def plain_table(comparison: Comparison) -> list[str]:
    """The lines of the table: one for each run, columns aligned."""
    measures = measures_of(comparison)
    shorts = [one.short for one in measures]
    head = ("#", *columns_of(comparison), "state", "t", "alarm", *shorts, "human", "seconds", "tokens")
    rows = []
    for number, cell in enumerate(comparison.cells, start=1):
        values = [_figure(cell, one) for one in measures]
        told = (*identity(comparison, number, cell), last_policy(cell), first_alarm(cell), *values)
        cost = count(cell.human_rows), f"{cell.cost.seconds:,.2f}", count(cell.cost.tokens)
        rows.append(dict(zip(head, (*told, *cost), strict=True)))
    return table_lines(rows)


def _figure(cell: Cell, one: ComparedMetric) -> str:
    value = cell.metric(one.metric)
    if one.signed or value is None:
        return change(value)
    return amount(value)


def csv_text(comparison: Comparison) -> str:
    """The table with all digits; what does not exist is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    measured = [f"{one.metric}{end}" for one in measures_of(comparison) for end in ("", "_low", "_high")]
    swept = comparison.columns
    costs = ["seconds", "seconds_shared", "tokens"]
    writer.writerow(["run", "state", "error", *swept, "iteration", *measured, "first_alarm", "human_rows", *costs])
    for cell in comparison.cells:
        last = cell.last or {}
        told = [cell.name, cell.state, cell.error, *(setting(cell, name) for name in swept)]
        values = [last.get(name) for name in ("loop/iteration", *measured, "final/first_alarm")]
        spent = [round(one, 3) for one in (cell.cost.seconds, shared_seconds(comparison, cell))]
        writer.writerow([*told, *values, cell.human_rows, *spent, cell.cost.tokens])
    return out.getvalue()
