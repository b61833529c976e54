"""`selfreward explain RUN`: the training rows of a run, a line each."""

import json
from collections.abc import Iterator

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.reading.lookup import iterations_of
from selfreward.reading.rounds import Round
from selfreward.records import TrainingRow
from selfreward.report.pages import visible
from selfreward.row_kinds import PROMPTS, answers_of, facts_of, rating_of
from selfreward.selection.training_rows import row_kind
from selfreward.spec import Json
from selfreward.tracking.rl_lines import rl_lines

_WORDS = 44  # characters of a prompt or an answer in the list


def listing_lines(view: RunView, iteration: int | None) -> Iterator[str]:
    """One line for each training row, under a line for its training set."""
    listed = 0
    for t, mixed, rows in _training_sets(view, iteration):
        table = row_kind(mixed).table
        drawn_to = f" and {mixed.rows(PROMPTS.table):,} prompts" if mixed.has(PROMPTS.table) else ""
        held = f"{mixed.rows(table):,} {table.replace('_', ' ')}{drawn_to}"
        yield f"iteration {t} (M{t} → M{t + 1}): {held} to train on, mix/{mixed.key}"
        yield from rl_lines(Round(t, view.iterations[t], view.sources))
        for row in rows:
            score, prompt, answer = _in_short(row)
            told = "-" if score is None else f"{score:.4f}"
            answer = answer if answers_of(row)[0].wanted else f"undesirable: {answer}"
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
            kind = row_kind(mixed)
            records = mixed.records(kind.record, kind.table)
            yield t, mixed, (row for row in records if asked is not None or row.iteration == t)


def _in_short(row: TrainingRow) -> tuple[float | None, str, str]:
    """The score of a training row, of a pair its margin, the last turn of its prompt, and the answer to prefer."""
    return rating_of(row), row.messages[-1].content, answers_of(row)[0].text


def _first(text: str) -> str:
    """The first words of `text` on one line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _WORDS else f"{line[: _WORDS - 1]}…")


def listing_json(view: RunView, iteration: int | None) -> str:
    """The training sets with their rows as one JSON object."""
    sets = []
    for t, mixed, rows in _training_sets(view, iteration):
        table = row_kind(mixed).table
        listed = [_row_json(row) for row in rows]
        sets.append({"iteration": t, "key": mixed.key, "total": mixed.rows(table), table: listed})
    # ASCII only: what a terminal would obey is written as an escape.
    return json.dumps({"run": view.name, "iterations": sets}, indent=2)


def _row_json(row: TrainingRow) -> dict[str, Json]:
    label = {name: value for name, value in facts_of(row) if name == "label"}
    told = {**dict(zip(("score", "prompt", "answer"), _in_short(row), strict=True)), **label}
    return {"id": row.id, "origin": row.origin, "iteration": row.iteration, **told}
