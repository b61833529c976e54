"""A prompt with its references, read from a row of any data set."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import regex

from selfreward.answers import is_right
from selfreward.data.columns import Cells, Columns, RowError, find, get, key_of
from selfreward.data.messages import clean, conversation, decoded, is_conversation, without_answer
from selfreward.data.references import cut_reference
from selfreward.data.roles import Role
from selfreward.records import Match, Message, Prompt, Stratum, make_prompt
from selfreward.thought import answer_of

_DISLIKED = ("false", "0", "-1", "no", "down", "bad", "negative", "disliked", "thumbs_down")


def read_prompt(
    role: Role,
    row: Cells,
    columns: Columns,
    system: str,
    turns: list[Message],
    answer: str | None,
    choices: Mapping[str, str],
) -> Prompt:
    """The prompt of `turns` with the references of `row`, or else the `answer` behind it. Raises RowError.

    A reference is compared with answers, so a thought before it is dropped. An answer that names one of the `choices`,
    by letter, by number or by its text, gives two references: the letter and the text.
    """
    references = _chosen(_references(row, columns, answer), row, columns, choices)
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


def says_whether_liked(row: Cells, columns: Columns) -> bool:
    """Whether a row has a thumb up or down. A usual column that nobody named has to hold true or false."""
    names = find(columns, "liked", row)
    value = None if names is None else get(row, names[0])
    return value is not None and (
        columns.liked is not None or isinstance(value, bool) or key_of(value) in ("true", "false")
    )


def is_disliked(row: Cells, columns: Columns) -> bool:
    """Whether a row says that its answer is no good."""
    names = find(columns, "liked", row)
    return names is not None and says_whether_liked(row, columns) and key_of(get(row, names[0])) in _DISLIKED


def stratum_of(row: Cells, columns: Columns) -> Stratum:
    """The stratum that is set or stands in the row, else open."""
    return cast(Stratum, _stratum(row, columns) or "open")


def _stratum(row: Cells, columns: Columns) -> str | None:
    if columns.stratum in get_args(Stratum):
        return columns.stratum
    if columns.stratum is not None and columns.stratum not in row:
        raise RowError(
            f"has no column {columns.stratum!r} (columns.stratum): set open, closed or a column", "without_stratum"
        )
    return _one_of(row, columns.stratum or "stratum", "stratum", get_args(Stratum))


def _one_of(row: Cells, column: str, name: str, allowed: Sequence[str]) -> str | None:
    value = row.get(column)
    if value in (None, ""):
        return None
    if value not in allowed:
        raise RowError(
            f"has {column}={str(value)[:40]!r}, which is none of {', '.join(allowed)}: mend it or set columns.{name}",
            f"unknown_{name}",
        )
    return cast(str, value)


def _references(row: Cells, columns: Columns, answer: str | None) -> tuple[str, ...]:
    names = find(columns, "answer", row)
    if is_disliked(row, columns):
        texts = []
    elif names is None:
        texts = [] if answer is None else [answer]
    else:
        value = get(row, names[0])
        values = value if isinstance(value, list) and len(names) == 1 else [get(row, name) for name in names]
        if is_conversation(decoded(value)):
            texts = [text_value(value, names[0], "answer")]
        else:
            texts = [text_of(one, names[0], "answer") for one in _of_the_turn(values, row, columns)]
    texts = [answer_of(text) for text in texts]
    if columns.reference_pattern is not None:
        texts = [cut_reference(text, columns.reference_pattern) for text in texts]
    return tuple(dict.fromkeys(text for text in texts if text))


def _of_the_turn(values: list[Any], row: Cells, columns: Columns) -> list[Any]:
    """Where the prompt is one of several turns in a list, the reference of that turn alone."""
    if columns.prompt is None and find(columns, "prompt", row) == ("turns.0",):
        column = "turns.0"
    elif isinstance(columns.prompt, str):
        column = columns.prompt
    else:
        return values
    parent, _, place = column.rpartition(".")
    if not parent or not place.isdecimal() or column in row:
        return values
    turns = decoded(get(row, parent))
    together = isinstance(turns, list) and len(turns) == len(values) > 1
    return [values[int(place)]] if together else values


def _chosen(references: tuple[str, ...], row: Cells, columns: Columns, choices: Mapping[str, str]) -> tuple[str, ...]:
    """`references` with the letter and the text of the choice that each of them names. Raises RowError."""
    if not choices:
        return references
    names = find(columns, "answer", row)
    value = None if names is None else get(row, names[0])
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    found: list[str] = []
    for reference in references:
        letter = next((one for one, text in choices.items() if reference in (one, text)), None)
        if number is not None and (letter is None or not set(choices) <= set("0123456789")):
            if columns.first_choice is None:
                raise RowError(
                    f"has the number {number} for the right one of {len(choices)} options, and nothing says how they "
                    "are counted: set columns.first_choice to 0 or 1",
                    "choices_not_told_apart",
                )
            place = number - columns.first_choice
            letter = [*choices][place] if 0 <= place < len(choices) else None
        found += [reference] if letter is None else [letter, choices[letter]]
    return tuple(dict.fromkeys(found))


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
            f"has a {type(value).__name__} in column {column!r}, no text: set columns.{name}", f"no_text_for_{name}"
        )
    whole = isinstance(value, float) and value.is_integer()
    return clean(str(int(value) if whole else value), column).strip()
