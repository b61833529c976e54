"""What people do in a labelling tool: read what it was given, choose, and have the tool export it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from selfreward.judge_quality.verdicts import Labelled
from selfreward.labels.items import Item
from selfreward.records import Message

# Who chooses what, given question, answer A and answer B; None skips.
Person = Callable[[str, str, str], str | None]


def pair(name: str, first: str, second: str, question: str | None = None, **known: Any) -> Item:
    """An item of one question."""
    messages = (Message(role="user", content=question or f"What of {name}?"),)
    one = Labelled(id=name, messages=messages, first=first, second=second, verdicts=(), source="here")
    return Item(labelled=one, **known)


def replace_labelled(item: Item, **changes: Any) -> Item:
    """`item` with other values in its pair."""
    return replace(item, labelled=replace(item.labelled, **changes))


def label_studio(folder: Path, people: Mapping[str, Person]) -> Path:
    """The JSON export of a project with the tasks in `folder`, labelled by `people`."""
    tasks = []
    for number, task in enumerate(json.loads((folder / "tasks.json").read_text()), start=1):
        data = task["data"]
        annotations = []
        for labeller, person in people.items():
            choice = person(data["question"], data["answer_a"], data["answer_b"])
            result = [_result("preference", "choices", {"choices": [choice]})] if choice is not None else []
            result.append(_result("comment", "textarea", {"text": [f"says {labeller}"]}))
            annotations.append(
                {
                    "id": number * 100 + len(annotations),
                    "result": result,
                    "was_cancelled": choice is None,
                    "completed_by": {"id": labeller, "email": f"{labeller}@example.org"},
                    "created_at": "2026-03-09T22:16:08.728353Z",
                    "updated_at": "2026-03-10T22:16:08.728353Z",
                }
            )
        tasks.append({"id": number, "data": data, "annotations": annotations, "predictions": [], "project": 1})
    return _written(folder.with_name("export.json"), tasks)


def argilla(folder: Path, people: Mapping[str, Person]) -> Path:
    """The folder that `Dataset.to_disk` leaves of the data set in `folder`, labelled by `people`."""
    records = json.loads((folder / "records.json").read_text())
    for record in records:
        said = _said(record, people)
        record["responses"] = {
            "preference": [{"value": choice, "user_id": who} for who, choice in said.items() if choice is not None],
            "comment": [{"value": f"says {who}", "user_id": who} for who in said],
        }
        record |= {"status": "completed", "_server_id": None}
    out = folder.with_name("to_disk")
    (out / ".argilla").mkdir(parents=True)
    (out / ".argilla/settings.json").write_text((folder / ".argilla/settings.json").read_text())
    return _written(out / "records.json", records).parent


def argilla_flat(folder: Path, people: Mapping[str, Person]) -> Path:
    """What `records.to_list(flatten=True)` gives, drafts among it: those who skip have a draft that says A."""
    rows = []
    for record in json.loads((folder / "records.json").read_text()):
        said = _said(record, people)
        rows.append(
            {
                "id": record["id"],
                **record["fields"],
                "preference.responses": [choice or "A is much better" for choice in said.values()],
                "preference.responses.users": list(said),
                "preference.responses.status": ["submitted" if choice else "draft" for choice in said.values()],
                "comment.responses": [f"says {who}" for who in said],
                "comment.responses.users": list(said),
                "comment.responses.status": ["submitted" for _ in said],
            }
        )
    return _written(folder.with_name("flat.json"), rows)


def prefers(wanted: Mapping[str, str], much: bool = True) -> Person:
    """Chooses the answer that is `wanted` for a question; a tie where it wants none of the two."""
    grade = "much" if much else "slightly"

    def choose(question: str, answer_a: str, answer_b: str) -> str:
        if wanted[question] == answer_a:
            return f"A is {grade} better"
        return f"B is {grade} better" if wanted[question] == answer_b else "Neither is better"

    return choose


def _said(record: Mapping[str, Any], people: Mapping[str, Person]) -> dict[str, str | None]:
    fields = record["fields"]
    return {
        who: person(fields["question"], fields["response_a"], fields["response_b"]) for who, person in people.items()
    }


def _result(name: str, type_: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": "question", "type": type_, "origin": "manual", "value": value}


def _written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path
