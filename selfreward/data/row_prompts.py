"""A prompt with its references, read from a row of any data set."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast, get_args

import regex

from selfreward.answers import is_right
from selfreward.answers.latex import boxes
from selfreward.answers.marks import hashed
from selfreward.answers.patterns import PatternTooSlow, found_in_time
from selfreward.artifacts.atomic_files import canonical
from selfreward.data.columns import Cells, Columns, RowError, find, first_of, get, get_all, key_of, need
from selfreward.data.messages import decoded, is_conversation, text_of, text_value
from selfreward.data.question import shown_choices
from selfreward.data.roles import Role
from selfreward.records import Match, Message, Prompt, RowPrompt, Stratum, make_prompt
from selfreward.thought import answer_of

_LIKED = ("true", "1", "+1", "yes", "up", "good", "positive", "liked", "thumbs_up", "desirable")
_DISLIKED = ("false", "0", "-1", "no", "down", "bad", "negative", "disliked", "thumbs_down", "undesirable")


def read_prompt(
    role: Role, row: Cells, columns: Columns, system: str, turns: Sequence[Message], answer: str | None
) -> Prompt:
    """The prompt of `turns` with the references of `row`, or else the `answer` behind it. Raises RowError.

    A reference is compared with answers, so a thought before it is dropped. An answer that names a choice, by letter,
    by number or by its text, gives two references: the letter and the text.
    """
    references = _references(row, columns, answer)
    if choices := shown_choices(row, columns):
        references = _with_choices(references, first_of(columns, "answer", row)[1], columns, choices)
    match = columns.match or cast("Match | None", _one_of(row, "match", "match", get_args(Match)))
    stratum = _stratum(row, columns) or ("closed" if match else "open")
    prompt = make_prompt(
        turns,
        system=system,
        stratum=stratum,
        source=role,
        references=references,
        match=(match or "exact") if stratum == "closed" else None,
    )
    _check_references(prompt)
    return _with_columns(prompt, row, columns) if role == "train" else prompt


def _with_columns(prompt: Prompt, row: Cells, columns: Columns) -> Prompt:
    """`prompt` with the columns of `row` that `columns.extra` names. Raises RowError for a value that is no JSON."""
    names = find(columns, "extra", row)
    if names is None:
        return prompt
    try:
        held = canonical({name: get(row, name) for name in names}).decode()
    except (TypeError, ValueError) as error:
        told = f"has a value in {', '.join(names)} that is no JSON ({error}): take it out of columns.extra"
        raise RowError(told, "no_json") from error
    return RowPrompt(**{field.name: getattr(prompt, field.name) for field in fields(prompt)}, columns=held)


def says_whether_liked(row: Cells, columns: Columns) -> bool:
    """Whether a row has a thumb up or down. A usual column that nobody named has to hold true or false."""
    value = first_of(columns, "liked", row)[1]
    return value is not None and (columns.liked is not None or key_of(value) in ("true", "false"))


def is_disliked(row: Cells, columns: Columns) -> bool:
    """Whether a row says that its answer is no good."""
    return says_whether_liked(row, columns) and key_of(first_of(columns, "liked", row)[1]) in _DISLIKED


def thumb_of(row: Cells, columns: Columns) -> bool | None:
    """Whether the answer of a row was liked; None where nobody said. Raises RowError for a value that says neither."""
    (column,) = need(columns, "liked", row)[:1]
    value = get(row, column)
    if value is None or key_of(value) in ("", "none", "null", "nan"):
        return None
    if key_of(value) not in (*_LIKED, *_DISLIKED):
        raise RowError(
            f"has {column}={str(value)[:40]!r}, which is no thumb up or down: give true or false, 1 or 0, up or down, "
            "or set columns.liked",
            "thumb_not_told",
        )
    return key_of(value) in _LIKED


def stratum_of(row: Cells, columns: Columns) -> Stratum:
    """The stratum that is set or stands in the row, else open."""
    return _stratum(row, columns) or "open"


def _stratum(row: Cells, columns: Columns) -> Stratum | None:
    if columns.stratum in get_args(Stratum):
        return cast(Stratum, columns.stratum)
    if columns.stratum is not None and columns.stratum not in row:
        raise RowError(
            f"has no column {columns.stratum!r} (columns.stratum): set open, closed or a column", "without_stratum"
        )
    return cast("Stratum | None", _one_of(row, columns.stratum or "stratum", "stratum", get_args(Stratum)))


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
    elif is_conversation(decoded(get(row, names[0]))):
        texts = [text_value(get(row, names[0]), names[0], "answer")]
    else:
        values = _of_the_turn(get_all(row, names), row, columns)
        texts = [text_of(one, names[0], "answer") for one in values]
    texts = [answer_of(text) for text in texts]
    if columns.reference_pattern is not None:
        texts = [cut_reference(text, columns.reference_pattern) for text in texts]
    return tuple(dict.fromkeys(text for text in texts if text))


def _of_the_turn(values: list[Any], row: Cells, columns: Columns) -> list[Any]:
    """Where the prompt is one of several turns in a list, the reference of that turn alone."""
    names = find(columns, "prompt", row)
    if names is None or len(names) > 1:
        return values
    parent, _, place = names[0].rpartition(".")
    if not parent or not place.isdecimal() or names[0] in row:
        return values
    turns = decoded(get(row, parent))
    together = isinstance(turns, list) and len(turns) == len(values) > 1
    return [values[int(place)]] if together else values


def cut_reference(text: str, pattern: str) -> str:
    r"""The last `\boxed{..}` of `text` (`boxed`), what its last #### brings (`hashes`), or the group of `pattern`.

    Raises RowError where there is none, and where a pattern takes too long.
    """
    found: Sequence[str | None]
    try:
        match pattern:
            case "boxed":
                found = [content for *_, content in boxes(text)]
            case "hashes":
                found = hashed(text)
            case _:
                found = [group[1]] if (group := found_in_time(pattern, text)) else []
    except PatternTooSlow as error:
        raise RowError(
            f"cannot be cut: {error}, or set columns.reference_pattern to boxed or hashes", "pattern_too_slow"
        ) from error
    if not found or found[-1] is None:
        raise RowError(
            f"has an answer without {pattern!r} ({text[-60:]!r}): change columns.reference_pattern", "no_reference"
        )
    return found[-1].strip()


def _with_choices(
    references: Sequence[str], value: Any, columns: Columns, choices: Mapping[str, str]
) -> tuple[str, ...]:
    """`references` with the letter and the text of the choice that each, or the number `value`, names."""
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
