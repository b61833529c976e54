"""Conversations in the forms that data sets write them.

A list of messages with role and content or from and value, the same as JSON in a string, or a text that names who
speaks: "Human: ... Assistant: ...", "### Human: ... ### Assistant: ..." or "... <extra_id_1>Assistant ...".
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from selfreward.data.columns import Cells, RowError, get
from selfreward.records import Message, Role

_ROLES: dict[str, Role] = {
    "system": "system",
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "chatbot"), "assistant"),
}
_TRANSCRIPTS = re.compile(r"(?:^|\n\n)(Human|Assistant): ?"), re.compile(r"(?:^|\s)### ?(Human|Assistant): ?")
# The form of HelpSteer and of SteerLM (2310.05344).
_MARKED = re.compile(r"(?:^|\n)<extra_id_[01]>(System|User|Assistant)(?:\n|$)")


def is_conversation(value: Any) -> bool:
    """Whether `value` is a list of messages, in either spelling."""
    return isinstance(value, list) and bool(value) and all(isinstance(turn, Mapping) for turn in value)


def turns_of(value: Any, column: str) -> list[Message] | None:
    """The turns of a conversation in any form; None for what is no conversation. Raises RowError as `conversation`."""
    value = decoded(value)
    if is_conversation(value):
        return conversation(value, column)
    return _transcript(value.strip(), column) if isinstance(value, str) else None


def decoded(value: Any) -> Any:
    """The list of messages or of texts that a string spells as JSON; any other value as it is."""
    if not isinstance(value, str) or not re.match(r'\s*\[\s*["{]', value):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    turns = is_conversation(found) and all(
        {"role", "content"} <= turn.keys() or {"from", "value"} <= turn.keys() for turn in found
    )
    return found if turns or is_texts(found) else value


def is_texts(value: Any) -> bool:
    """Whether `value` is a list of texts; null stands for a missing one."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, str | None) for one in value)


def conversation(value: Sequence[Cells], column: str) -> list[Message]:
    """The turns of a list of messages. Raises RowError for a turn that is none, or by someone unknown."""
    turns = []
    for number, turn in enumerate(value, start=1):
        who, said = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        role = _ROLES.get(who.lower()) if isinstance(who, str) else None
        text = _text(said)
        if role is None or text is None:
            raise RowError(
                f"has in column {column!r} a turn {number} by {str(who)[:40]!r} with {_kind(said)}: "
                "turns are text by system, user (human) or assistant (gpt); mend the row",
                "turn_by_another_role" if role is None else "turn_without_text",
            )
        turns.append(Message(role=role, content=clean(text, column)))
    return turns


def _text(said: Any) -> str | None:
    """What a turn says: its text, or that of parts that are all text."""
    if isinstance(said, str):
        return said
    parts = said if isinstance(said, list) and said else [None]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    return "\n".join(texts) if all(isinstance(text, str) for text in texts) else None  # type: ignore[arg-type]


def _kind(said: Any) -> str:
    if isinstance(said, list) and said:
        kinds = {str(part.get("type"))[:20] if isinstance(part, Mapping) else type(part).__name__ for part in said}
        return f"parts of type {', '.join(sorted(kinds))}"
    return "no content" if said is None else f"{type(said).__name__} content"


def _transcript(text: str, column: str) -> list[Message] | None:
    """The turns of a text that names who speaks; None for one that does not. What stands before marks is a user's."""
    for pattern in _TRANSCRIPTS:
        before, *parts = pattern.split(text)
        if parts and not before and parts[0] == "Human":
            break
    else:
        before, *parts = _MARKED.split(text)
        if not parts:
            return None
        parts = ["User", before, *parts] if before.strip() else parts
    return [
        Message(role=_ROLES[who.lower()], content=clean(said.strip(), column))
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def without_answer(turns: Sequence[Message]) -> tuple[list[Message], str | None]:
    """The turns up to the user's last, and the assistant's answer to it; one without words waits for its answer."""
    if turns and turns[-1].role == "assistant":
        return list(turns[:-1]), turns[-1].content or None
    return list(turns), None


def text_value(value: Any, column: str, name: str) -> str:
    """The text of an answer, or the last turn of a conversation that ends with it; `name` as in `text_of`."""
    value = decoded(value)
    if is_conversation(value):
        return without_answer(conversation(value, column))[1] or ""
    return text_of(value, column, name)


def text_of(value: Any, column: str, name: str) -> str:
    """`value` as stripped text, empty for null and NaN; a number stands for itself, a whole one without a point.

    Raises RowError for anything else, saying to set `name` of the columns.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RowError(
            f"has a {type(value).__name__} in column {column!r}, no text: set columns.{name}, or data.on_bad_row=skip "
            "where other rows have text there",
            f"no_text_for_{name}",
        )
    whole = isinstance(value, float) and value.is_integer()
    return clean(str(int(value) if whole else value), column).strip()


def texts_of(row: Cells, names: Sequence[str], setting: str) -> list[str]:
    """The texts of the columns `names`, empty ones left out; `setting` and errors as in `text_of`."""
    return [text for name in names if (text := text_of(get(row, name), name, setting))]


def clean(text: str, column: str) -> str:
    """`text` as it is. Raises RowError for half a surrogate pair, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(
            f"has half a surrogate pair in column {column!r}: delete the row or write it anew", "half_a_surrogate_pair"
        ) from error
    return text
