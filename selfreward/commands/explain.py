"""`selfreward explain RUN [ID]`: a training row, a candidate or a prompt back to everything that led to it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.chain import explain
from selfreward.reading.listing import ListedRow, list_rows
from selfreward.report.explanation import explanation_lines
from selfreward.report.pages import visible
from selfreward.spec import Spec

_WORDS = 44  # characters of a prompt or an answer in the list


def main(arguments: list[str]) -> int:
    """Prints the explanation of an id, or the list of training rows. 0; raises StoreError for an unknown id."""
    parser = run_parser("explain", "Trace a training row, a candidate or a prompt back; without ID, list the rows.")
    parser.add_argument("id", metavar="ID", nargs="?", help="an id of this run, or its first 4 characters or more")
    parser.add_argument("--iteration", type=int, metavar="N", help="only what iteration N knows")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parsed = parser.parse_intermixed_args(arguments)
    view = read_run(run_folder(parsed.run, parsed.runs))
    if parsed.id is None:
        _print([_listing_json(view, parsed.iteration)] if parsed.json else listing_lines(view, parsed.iteration))
    else:
        told = explain(view, parsed.id, parsed.iteration)
        _print([json.dumps(asdict(told), default=_settings, indent=2)] if parsed.json else explanation_lines(told))
    return 0


def listing_lines(view: RunView, iteration: int | None) -> Iterator[str]:
    """One line for each training row, under a line for its training set."""
    listed = 0
    for one in list_rows(view, iteration):
        t = one.iteration
        yield f"iteration {t} (M{t} → M{t + 1}): {one.total:,} {one.table} to train on, mix/{one.key}"
        for row in one.rows:
            yield _listing_line(row, t)
            listed += 1
    if listed == 0:
        yield f"{view.name} has no training row yet"
    elif iteration is None:
        yield f"each row is listed where it came in; `selfreward explain {view.name} ID` tells all about one"


def _listing_line(row: ListedRow, iteration: int) -> str:
    score = "-" if row.score is None else f"{row.score:.4f}"
    kept = "" if row.iteration == iteration else f"  (from iteration {row.iteration})"
    return f"  {row.id}  {row.origin:<5}  {score:>9}  {_first(row.prompt):<{_WORDS}}  {_first(row.answer)}{kept}"


def _first(text: str) -> str:
    """The first words of `text` on one line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…")


def _listing_json(view: RunView, iteration: int | None) -> str:
    sets = [
        {"iteration": one.iteration, "key": one.key, "total": one.total, one.table: [asdict(row) for row in one.rows]}
        for one in list_rows(view, iteration)
    ]
    # ASCII only: what a terminal would obey is written as an escape.
    return json.dumps({"run": view.name, "iterations": sets}, indent=2)


def _settings(value: object) -> object:
    assert isinstance(value, Spec)
    return value.model_dump(mode="json")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
