"""Label Studio: tasks to import, the labelling interface to set up, and annotations as its JSON export holds them.

The formats are those of "Label Studio JSON format of annotated tasks" and of the tags Text, Choices and TextArea.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from selfreward.artifacts.atomic_files import write_atomically, write_json
from selfreward.data.columns import Cells, RowError
from selfreward.data.messages import clean
from selfreward.labels.blind import CHOICES, BlindAnswer, Shown
from selfreward.labels.items import Text
from selfreward.spec import Json

TASKS = "tasks.json"
INTERFACE = "interface.xml"

_CHOICE = "preference"
_COMMENT = "comment"

# No text of the data stands in it. valueType keeps Label Studio from fetching a text that looks like an address.
_XML = f"""<View>
  <Style>.htx-text {{ white-space: pre-wrap; }}</Style>
  <Text name="guidelines" value="$guidelines" valueType="text" selectionEnabled="false"/>
  <Header value="Question"/>
  <Text name="question" value="$question" valueType="text" selectionEnabled="false"/>
  <Header value="Answer A"/>
  <Text name="answer_a" value="$answer_a" valueType="text" selectionEnabled="false"/>
  <Header value="Answer B"/>
  <Text name="answer_b" value="$answer_b" valueType="text" selectionEnabled="false"/>
  <Choices name="{_CHOICE}" toName="question" choice="single-radio" required="true">
{chr(10).join(f'    <Choice value="{choice}"/>' for choice in CHOICES)}
  </Choices>
  <TextArea name="{_COMMENT}" toName="question" placeholder="Why? (optional)" rows="3" maxSubmissions="1"/>
</View>
"""


class _Result(BaseModel):
    from_name: Text
    value: dict[str, Any]


class _Annotation(BaseModel):
    result: list[_Result]
    completed_by: int | Text | dict[str, Any] | None = None
    was_cancelled: bool = False
    created_at: Text | None = None
    updated_at: Text | None = None


class _Data(BaseModel):
    item: Text


class _Task(BaseModel):
    data: _Data
    annotations: list[_Annotation]


def write(folder: Path, shown: Sequence[Shown], guidelines: str) -> None:
    """Writes the tasks and the labelling interface into `folder`."""
    tasks: list[Json] = []
    for one in shown:
        texts = {"question": one.question, "answer_a": one.answer_a, "answer_b": one.answer_b}
        tasks.append({"data": {"item": one.id, "guidelines": guidelines, **texts}})
    write_json(folder / TASKS, tasks)
    write_atomically(folder / INTERFACE, _XML.encode())


def read(row: Cells, place: str) -> Iterator[BlindAnswer | None]:
    """What people said of one exported task, None for an annotation without a choice. Raises ValueError."""
    task = _Task.model_validate(row)
    for one in task.annotations:
        choice = _value(one, _CHOICE, "choices")
        if one.was_cancelled or choice is None:
            yield None
        else:
            at, comment = one.updated_at or one.created_at, _value(one, _COMMENT, "text")
            yield BlindAnswer(task.data.item, _labeller(one), choice, comment, at, place)


def _value(annotation: _Annotation, name: str, type_: str) -> str | None:
    """What one control holds: its one choice, or the lines of its text; None where it was left alone."""
    texts: list[str] = []
    for result in annotation.result:
        if result.from_name == name:
            value = result.value.get(type_)
            for text in value if isinstance(value, list) else [value]:
                if not isinstance(text, str):
                    raise RowError(f"has a {type(text).__name__} for {name!r}, no text")
                texts.append(clean(text, name))
    if type_ == "choices" and len(texts) > 1:
        raise RowError(f"has several choices for {name!r} in one annotation: it takes one")
    return "\n".join(texts) or None


def _labeller(annotation: _Annotation) -> str:
    """The id of the user: the address that some exports hold beside it is not kept."""
    who = annotation.completed_by
    found = who.get("id") if isinstance(who, dict) else who
    if found is None or found == "":
        raise RowError("has an annotation by nobody (completed_by): export it with the details of users")
    return clean(str(found), "completed_by")
