"""`selfreward explain RUN [ID]`: a training row, a candidate or a prompt back to everything that led to it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.arguments import run_folder, run_parser
from selfreward.reading.chain import explain
from selfreward.reading.lookup import iterations_of
from selfreward.records import Example, TrainingRow
from selfreward.report.explanation import explanation_lines
from selfreward.report.markup import visible
from selfreward.selection.training_rows import training_table
from selfreward.spec import Json, Spec

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
    for t, mixed, rows in _training_sets(view, iteration):
        table, _ = training_table(mixed)
        yield f"iteration {t} (M{t} → M{t + 1}): {mixed.rows(table):,} {table} to train on, mix/{mixed.key}"
        for row in rows:
            score, prompt, answer = _in_short(row)
            told = "-" if score is None else f"{score:.4f}"
            kept = "" if row.iteration == t else f"  (from iteration {row.iteration})"
            yield f"  {row.id}  {row.origin:<5}  {told:>9}  {_first(prompt):<{_WORDS}}  {_first(answer)}{kept}"
            listed += 1
    if listed == 0:
        yield f"{view.name} has no training row yet"
    elif iteration is None:
        yield f"each row is listed where it came in; `selfreward explain {view.name} ID` tells all about one"


def _training_sets(view: RunView, asked: int | None) -> Iterator[tuple[int, Artifact, Iterator[TrainingRow]]]:
    """Every training set of the run with the rows that came in then; of the iteration asked for, with all its rows."""
    for t in iterations_of(view, asked):
        if (mixed := view.iterations[t].get("mix")) is not None:
            table, record_type = training_table(mixed)
            records = mixed.records(record_type, table)
            yield t, mixed, (row for row in records if asked is not None or row.iteration == t)


def _in_short(row: TrainingRow) -> tuple[float | None, str, str]:
    """The score of a training row, of a pair its margin, the last turn of its prompt, and the answer to prefer."""
    score, answer = (row.score, row.text) if isinstance(row, Example) else (row.margin, row.chosen)
    return score, row.messages[-1].content, answer


def _first(text: str) -> str:
    """The first words of `text` on one line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…")


def _listing_json(view: RunView, iteration: int | None) -> str:
    sets = []
    for t, mixed, rows in _training_sets(view, iteration):
        table, _ = training_table(mixed)
        listed = [_row_json(row) for row in rows]
        sets.append({"iteration": t, "key": mixed.key, "total": mixed.rows(table), table: listed})
    # ASCII only: what a terminal would obey is written as an escape.
    return json.dumps({"run": view.name, "iterations": sets}, indent=2)


def _row_json(row: TrainingRow) -> dict[str, Json]:
    score, prompt, answer = _in_short(row)
    return {
        "id": row.id,
        "origin": row.origin,
        "iteration": row.iteration,
        "score": score,
        "prompt": prompt,
        "answer": answer,
    }


def _settings(value: object) -> object:
    assert isinstance(value, Spec)
    return value.model_dump(mode="json")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
