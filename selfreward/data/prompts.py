"""A prompt with its references, read from a row of any data set."""

import math
from collections.abc import Sequence
from typing import Any, cast, get_args

import regex

from selfreward.answers import is_right
from selfreward.data.columns import Cells, Columns, RowError, find, get, need
from selfreward.data.messages import clean, conversation, is_conversation, without_answer
from selfreward.data.references import cut_reference
from selfreward.data.roles import Role
from selfreward.records import Match, Message, Prompt, Stratum, make_prompt
from selfreward.thought import answer_of


def read_prompt(
    role: Role, row: Cells, columns: Columns, system: str, turns: list[Message], answer: str | None
) -> Prompt:
    """The prompt of `turns` with the references of `row`, or else the `answer` behind it. Raises RowError.

    A reference is compared with answers, so a thought before it is dropped.
    """
    references = _references(row, columns, answer)
    match = columns.match or _one_of(row, "match", "match", get_args(Match))
    stratum = cast("Stratum | None", _stratum(row, columns)) or ("closed" if match else "open")
    if stratum == "closed" and match is None:
        match = "exact"
    prompt = make_prompt(
        turns,
        system=system,
        stratum=stratum,
        source=role,
        references=references,
        match=cast("Match | None", match) if stratum == "closed" else None,
    )
    _check_references(prompt)
    return prompt


def asked_turns(row: Cells, columns: Columns) -> tuple[list[Message], str | None]:
    """The turns of the prompt, and the answer that stands behind them in the same conversation."""
    names = need(columns, "prompt", row)
    value = get(row, names[0])
    if len(names) == 1 and is_conversation(value):
        return without_answer(conversation(value, names[0]))
    parts = [text for name in names if (text := text_of(get(row, name), name, "prompt"))]
    return [Message(role="user", content="\n\n".join(parts))], None


def says_something(turns: Sequence[Message]) -> bool:
    """Whether the turns end with words of the user's. Raises RowError where they end with someone else's."""
    if turns and turns[-1].role != "user":
        raise RowError(f"has a conversation that ends with the {turns[-1].role}: the last turn to answer is the user's")
    return bool(turns) and bool(turns[-1].content.strip())


def stratum_of(row: Cells, columns: Columns) -> Stratum:
    """The stratum that is set or stands in the row, else open."""
    return cast(Stratum, _stratum(row, columns) or "open")


def _stratum(row: Cells, columns: Columns) -> str | None:
    if columns.stratum in get_args(Stratum):
        return columns.stratum
    if columns.stratum is not None and columns.stratum not in row:
        raise RowError(f"has no column {columns.stratum!r} (columns.stratum): set open, closed or a column")
    return _one_of(row, columns.stratum or "stratum", "stratum", get_args(Stratum))


def _one_of(row: Cells, column: str, name: str, allowed: Sequence[str]) -> str | None:
    value = row.get(column)
    if value in (None, ""):
        return None
    if value not in allowed:
        raise RowError(
            f"has {column}={str(value)[:40]!r}, which is none of {', '.join(allowed)}: mend it or set columns.{name}"
        )
    return cast(str, value)


def _references(row: Cells, columns: Columns, answer: str | None) -> tuple[str, ...]:
    names = find(columns, "answer", row)
    if names is None:
        texts = [] if answer is None else [answer]
    else:
        value = get(row, names[0])
        values = value if isinstance(value, list) and len(names) == 1 else [get(row, name) for name in names]
        if is_conversation(values):
            raise RowError(f"has messages in column {names[0]!r}, no answer: set columns.answer")
        texts = [text_of(one, names[0], "answer") for one in values]
    texts = [answer_of(text) for text in texts]
    if columns.reference_pattern is not None:
        texts = [cut_reference(text, columns.reference_pattern) for text in texts]
    return tuple(dict.fromkeys(text for text in texts if text))


def _check_references(prompt: Prompt) -> None:
    """Raises RowError where a closed prompt has no reference, or one that cannot be compared with."""
    if prompt.stratum == "open":
        return
    if not prompt.references:
        raise RowError("is closed and has no reference: set columns.answer, or columns.stratum=open")
    first = prompt.references[0]
    if prompt.match == "regex":
        for reference in prompt.references:
            try:
                regex.compile(reference)
            except regex.error as error:
                shown = repr(reference[:60])
                raise RowError(f"has the reference {shown}, which is no regular expression ({error})") from error
    elif prompt.match == "numeric" and not is_right(prompt, f"The answer is {first}."):
        raise RowError(
            f"has the reference {first[:60]!r}, which is not one number: cut it out with columns.reference_pattern, or "
            "set columns.match"
        )


def said(value: Any, column: str, name: str) -> str:
    """The text of an answer, or the last turn of a conversation that ends with it; `name` as in `text_of`."""
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
        raise RowError(f"has a {type(value).__name__} in column {column!r}, no text: set columns.{name}")
    whole = isinstance(value, float) and value.is_integer()
    return clean(str(int(value) if whole else value), column).strip()
