"""Conversations in the forms that data sets write them: role and content, from and value, or a transcript."""

import re
from collections.abc import Mapping
from typing import Any

from selfreward.data.columns import RowError
from selfreward.records import Message, Role

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
}
_TRANSCRIPT = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")


def is_conversation(value: Any) -> bool:
    """Whether `value` is a list of messages, in either spelling."""
    return isinstance(value, list) and bool(value) and all(isinstance(turn, Mapping) for turn in value)


def conversation(value: list[Mapping[str, Any]], column: str) -> list[Message]:
    """The turns of a list of messages. Raises RowError for a turn that is none, or by someone unknown."""
    turns = []
    for number, turn in enumerate(value, start=1):
        who, said = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        role = _ROLES.get(who.lower()) if isinstance(who, str) else None
        if role is None or not isinstance(said, str):
            raise RowError(
                f"has in column {column!r} a turn {number} by {str(who)[:40]!r} with {type(said).__name__} content: "
                "turns are text by system, user (human) or assistant (gpt)"
            )
        turns.append(Message(role=role, content=clean(said, column)))
    return turns


def transcript(text: str, column: str) -> list[Message] | None:
    r"""The turns of "\n\nHuman: ...\n\nAssistant: ..."; None for a text that does not begin so."""
    text = text.strip()
    if not text.startswith("Human:"):
        return None
    parts = _TRANSCRIPT.split(text)[1:]
    return [
        Message(role="user" if who == "Human" else "assistant", content=clean(said.strip(), column))
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def without_answer(turns: list[Message]) -> tuple[list[Message], str | None]:
    """The turns up to the last one of the user's, and the assistant's answer to it if there is one."""
    if turns and turns[-1].role == "assistant":
        return turns[:-1], turns[-1].content
    return turns, None


def clean(text: str, column: str) -> str:
    """`text` as it is. Raises RowError for half a surrogate pair, which no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(f"has half a surrogate pair in column {column!r}: delete the row or write it anew") from error
    return text
