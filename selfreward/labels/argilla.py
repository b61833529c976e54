"""Argilla 2: a data set on disk to load, and records as it writes them: nested, or flattened with their status.

The formats are those of `Dataset.from_disk`, `Dataset.to_disk`, and of `records.to_list(flatten=True)`, which
`records.to_datasets` shares. Checked against the Python package, version 2.8.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from selfreward.artifacts.atomic_files import write_json
from selfreward.data.columns import Cells, RowError
from selfreward.labels.blind import CHOICES, BlindAnswer, Shown
from selfreward.labels.items import Text
from selfreward.records import digest_of
from selfreward.spec import Json

RECORDS = "records.json"
SETTINGS = ".argilla/settings.json"
DATASET = ".argilla/dataset.json"

_CHOICE = "preference"
_COMMENT = "comment"
_SUBMITTED = "submitted"
_FIELDS = {"question": "Question", "response_a": "Answer A", "response_b": "Answer B"}
_UNUSED = ("metadata", "suggestions", "responses", "vectors")


class _Response(BaseModel):
    value: Text | None
    user_id: Text
    status: Text | None = None


def write(folder: Path, shown: Sequence[Shown], guidelines: str) -> None:
    """Writes data set, settings and records into `folder`."""
    (folder / DATASET).parent.mkdir()
    # The name says which export it is: Argilla adds records to a data set of the same name.
    name = f"labels-{digest_of([one.id for one in shown], guidelines)}"
    write_json(folder / DATASET, {"name": name, "guidelines": guidelines, "allow_extra_metadata": False})
    write_json(folder / SETTINGS, _settings(guidelines))
    records: list[Json] = []
    for one in shown:
        fields: Json = dict(zip(_FIELDS, (one.question, one.answer_a, one.answer_b), strict=True))
        records.append({"id": one.id, "fields": fields} | {name: {} for name in _UNUSED})
    write_json(folder / RECORDS, records)


def read(row: Cells, place: str) -> Iterator[BlindAnswer | None]:
    """What people said of one record, None where that is no choice, or a draft as flattened ones tell. ValueError."""
    shown = row.get("id")
    if not isinstance(shown, str):
        raise RowError("has no text in column 'id'")
    comments = {one.user_id: one.value or None for one in _responses(row, _COMMENT)}
    for one in _responses(row, _CHOICE):
        if one.value is None or one.status not in (None, _SUBMITTED):
            yield None
        else:
            yield BlindAnswer(shown, one.user_id, one.value, comments.get(one.user_id), None, place)


def is_record(row: Cells) -> bool:
    """Whether a row is a record of a data set with our question."""
    return "responses" in row or f"{_CHOICE}.responses" in row


def _responses(row: Cells, question: str) -> Iterator[_Response]:
    flat = f"{question}.responses"
    if "responses" not in row:
        values, users, states = (_list(row, name) for name in (flat, f"{flat}.users", f"{flat}.status"))
        if not len(values) == len(users) == len(states):
            raise RowError(f"has {len(values)} values of {flat!r}, {len(users)} users and {len(states)} states")
        for value, user, state in zip(values, users, states, strict=True):
            yield _Response(value=value, user_id=user, status=state)
        return
    nested = row["responses"] or {}
    if not isinstance(nested, dict):
        raise RowError("has a column 'responses' that is no object")
    for one in _list(nested, question):
        yield _Response.model_validate(one)


def _list(cells: Cells, name: str) -> list[Any]:
    """The list in a cell, empty where there is nothing. Raises RowError for anything else."""
    found = cells.get(name)
    if found is not None and not isinstance(found, list):
        raise RowError(f"has a {type(found).__name__} in {name!r}, where a list of responses belongs")
    return found or []


def _settings(guidelines: str) -> Json:
    plain: dict[str, Json] = {"type": "text", "use_markdown": False}
    options: list[Json] = [{"value": choice, "text": choice} for choice in CHOICES]
    choices: dict[str, Json] = {"type": "label_selection", "options": options, "visible_options": len(options)}
    return {
        "guidelines": guidelines,
        "fields": [_property(name, title, plain) for name, title in _FIELDS.items()],
        "questions": [
            _property(_CHOICE, "Which answer is better?", choices),
            _property(_COMMENT, "Why?", plain, required=False),
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }


def _property(name: str, title: str, settings: dict[str, Any], *, required: bool = True) -> Json:
    return {"name": name, "title": title, "required": required, "settings": settings, "type": settings["type"]}
