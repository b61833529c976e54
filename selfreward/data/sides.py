"""The answers that a row compares and the turns before them, wherever the row keeps those."""

from collections.abc import Sequence
from typing import Any

from selfreward.data.columns import Cells, Columns, RowError, find, first_of, get, get_all, need
from selfreward.data.messages import decoded, is_conversation, is_texts, text_of, turns_of, without_answer
from selfreward.data.question import TAKING_TURNS, asked_turns, prompt_columns, with_system
from selfreward.records import Message


def is_explicit(row: Cells, columns: Columns) -> bool:
    """Whether a row says which answer was chosen by where it stands."""
    return columns.answers is None and find(columns, "chosen", row) is not None


def answer_columns(row: Cells, columns: Columns) -> tuple[str, ...]:
    """The columns of the answers, chosen before rejected. Raises RowError."""
    if is_explicit(row, columns):
        return need(columns, "chosen", row)[:1] + need(columns, "rejected", row)[:1]
    names = find(columns, "answers", row)
    if names is None:
        raise RowError(
            "has neither chosen and rejected nor several answers: set columns.chosen or columns.answers",
            "without_answers",
        )
    return names


def pair_turns(row: Cells, columns: Columns, names: Sequence[str]) -> tuple[list[Message], list[str]]:
    """The turns that the answers in `names` are answers to, and the answers. Raises RowError.

    Answers that are conversations give the turns by what they share; a prompt beside them has to be part of that.
    """
    values = [decoded(value) for value in get_all(row, names)]
    if len(values) < 2:
        raise RowError(f"has fewer than two answers in {names[0]!r}: set columns.answers", "fewer_than_two_answers")
    if all(map(is_texts, values)):
        return _interleaved(row, columns, names, values)
    sides = [turns_of(value, names[min(place, len(names) - 1)]) for place, value in enumerate(values)]
    if not all(sides) and not any(map(is_conversation, values)):
        # A text that looks like a transcript beside one that does not is an answer.
        sides = [None] * len(values)
    setting = "chosen" if is_explicit(row, columns) else "answers"
    talks = [None if turns is None else without_answer(_until(turns, row, columns)) for turns in sides]
    texts = [
        text_of(value, names[0], setting) if talk is None else talk[1] or ""
        for value, talk in zip(values, talks, strict=True)
    ]
    before = [talk[0] for talk in talks if talk is not None]
    if not before:
        return asked_turns(row, columns)[0], texts
    if any(asked != before[0] for asked in before):
        raise RowError(
            f"has conversations in {_named(names)} that part before their last answer, so that they answer different "
            "turns: take the row out, or set data.on_bad_row=skip",
            "conversations_part_early",
        )
    return _joined(before[0], row, columns, names), texts


def _named(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names))


def _until(turns: list[Message], row: Cells, columns: Columns) -> list[Message]:
    """The turns up to the answer that was compared, which `turn` gives the number of; all where nothing does."""
    wanted = first_of(columns, "turn", row)[1]
    if not isinstance(wanted, int | float) or isinstance(wanted, bool) or wanted != wanted // 1:
        return turns
    places = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    return turns[: places[int(wanted) - 1] + 1] if 1 <= wanted <= len(places) else turns


def _interleaved(
    row: Cells, columns: Columns, names: Sequence[str], values: Sequence[Sequence[Any]]
) -> tuple[list[Message], list[str]]:
    """The turns of a row that lists what the user said in one column and what each side answered in others."""
    column = (prompt_columns(row, columns) or need(columns, "prompt", row))[0]
    asked = decoded(get(row, column))
    if not is_texts(asked) or any(len(value) != len(asked) for value in values):
        raise RowError(
            f"has a list of texts in {_named(names)} and not as many in {column!r}: set columns.prompt and "
            "columns.answers",
            "lists_of_different_lengths",
        )
    if any(value[:-1] != values[0][:-1] for value in values):
        raise RowError(
            f"has lists in {_named(names)} that differ before their last answer, so that they answer different turns: "
            "take the row out, or set data.on_bad_row=skip",
            "conversations_part_early",
        )
    turns = [
        Message(role=role, content=text_of(text, column, "prompt"))
        for pair in zip(asked, [*values[0][:-1], None], strict=True)
        for role, text in zip(TAKING_TURNS, pair, strict=True)
    ][:-1]
    texts = [text_of(value[-1], name, "answers") for name, value in zip(names, values, strict=True)]
    return with_system(turns, row, columns), texts


def _joined(shared: list[Message], row: Cells, columns: Columns, names: Sequence[str]) -> list[Message]:
    """The turns that conversations share, with what stands in the columns of the prompt. Raises RowError.

    Turns that begin with the assistant go on from the prompt; others hold it, and its system turn is theirs.
    """
    if prompt_columns(row, columns) is None and shared:
        return with_system(shared, row, columns)
    asked = asked_turns(row, columns)[0]
    question = [turn for turn in asked if turn.role != "system"]
    talk = [turn for turn in shared if turn.role != "system"]
    told = shared[:1] if shared and shared[0].role == "system" else []
    if not talk or talk[0].role == "assistant":
        return [*told, *(question if told else asked), *talk]
    if not _holds(talk, question):
        raise RowError(
            f"has a prompt in {_named(prompt_columns(row, columns) or ())} that is no part of the conversations in "
            f"{_named(names)}: set columns.prompt={names[0]} to read the conversations alone",
            "two_prompts",
        )
    system = [turn for turn in asked if turn.role == "system"]
    return [*system, *talk] if system and not told else shared


def _holds(talk: Sequence[Message], asked: Sequence[Message]) -> bool:
    """Whether the turns of a prompt are some of those of a conversation; a text may be part of a turn, or hold one."""
    ours, theirs = [_squeezed(turn) for turn in asked], [_squeezed(turn) for turn in talk]
    if len(ours) == 1:
        said = [text for turn, (_, text) in zip(talk, theirs, strict=True) if turn.role == "user"]
        return any(ours[0][1] in text or (text and text in ours[0][1]) for text in said)
    places = range(len(theirs) - len(ours) + 1)
    return any(theirs[place : place + len(ours)] == ours for place in places)


def _squeezed(turn: Message) -> tuple[str, str]:
    return turn.role, " ".join(turn.content.split())
