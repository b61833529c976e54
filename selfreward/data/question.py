"""What a row asks and the answers that it compares: turns and texts, whatever columns they stand in."""

from collections.abc import Sequence
from typing import Any

from selfreward.data.columns import CONVERSATIONS, Cells, Columns, RowError, find, first_of, get, get_all, need, spelt
from selfreward.data.messages import decoded, is_conversation, is_texts, text_of, texts_of, turns_of, without_answer
from selfreward.records import Message, Role

_QUESTIONS = ("question", "problem", "query")
# What a question may be about, shown above it.
_ABOUT = ("context", "passage", "body", "article", "paragraph", "background")
_TAKING_TURNS: tuple[Role, Role] = ("user", "assistant")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def prompt_columns(row: Cells, columns: Columns) -> tuple[str, ...] | None:
    """The prompt's columns: those set, else a conversation, else usual ones behind a context. Raises RowError."""
    if columns.prompt is None:
        for name in CONVERSATIONS:
            found = spelt(row, name)
            if found is not None and is_conversation(decoded(row[found])):
                return (found,)
    names = find(columns, "prompt", row)
    if columns.prompt is None and names is not None and names[0].lower() in _QUESTIONS:
        return (*(found for name in _ABOUT if (found := spelt(row, name)) is not None), *names)
    return names


def asked_turns(row: Cells, columns: Columns) -> tuple[list[Message], str | None]:
    """The turns of the prompt, and the answer that stands behind them in the same conversation. Raises RowError.

    A system turn, a history and the options of a question that stand in columns of their own are part of it.
    """
    names = prompt_columns(row, columns) or need(columns, "prompt", row)
    value = get(row, names[0])
    turns = turns_of(value, names[0]) if len(names) == 1 else None
    if turns is not None:
        asked, answer = without_answer(turns)
    else:
        asked, answer = [_question(row, names, columns)], None
    return with_system([*_history(row, columns, names, asked), *asked], row, columns), answer


def with_system(turns: Sequence[Message], row: Cells, columns: Columns) -> list[Message]:
    """`turns` behind the system turn of a column, if there is one. Raises RowError where the turns have another."""
    column, value = first_of(columns, "system", row)
    text = text_of(value, column, "system")
    own = turns[0].content.strip() if turns and turns[0].role == "system" else None
    if text and own not in (None, text):
        raise RowError(
            f"has a system turn in column {column!r} and another in its conversation: set columns.prompt or "
            "columns.system to say where it stands",
            "two_system_turns",
        )
    return [Message(role="system", content=text), *turns] if text and own is None else list(turns)


def says_something(turns: Sequence[Message]) -> bool:
    """Whether the turns end with words of the user's. Raises RowError where they end with someone else's."""
    if turns and turns[-1].role != "user":
        raise RowError(
            f"has a conversation that ends with the {turns[-1].role}: the last turn to answer is the user's",
            "last_turn_not_of_the_user",
        )
    return bool(turns) and bool(turns[-1].content.strip())


def shown_choices(row: Cells, columns: Columns) -> dict[str, str]:
    """The options of a question by their letters, where they are part of the prompt: a text whose columns nobody set.

    They are a list of texts, or {text, label} as lists, or a list of {text, label}. Raises RowError.
    """
    asked = prompt_columns(row, columns)
    if asked is None or (columns.prompt is not None and columns.choices is None):
        return {}
    if len(asked) == 1 and turns_of(get(row, asked[0]), asked[0]) is not None:
        return {}
    names = find(columns, "choices", row)
    value = None if names is None else decoded(get(row, names[0]) if len(names) == 1 else get_all(row, names))
    if names is None or value in (None, "", []):
        return {}
    labels: Any = None
    if isinstance(value, dict) and {"text", "label"} <= value.keys():
        value, labels = value["text"], value["label"]
    elif is_conversation(value) and all({"text", "label"} <= one.keys() for one in value):
        value, labels = [one["text"] for one in value], [one["label"] for one in value]
    fits = isinstance(value, list) and len(value) <= len(_LETTERS)
    if not fits or (labels is not None and len(labels) != len(value)):
        raise RowError(
            f"has a {type(value).__name__} in column {names[0]!r}, no list of options: set columns.choices, or "
            "columns.prompt to ask without them",
            "unreadable_choices",
        )
    texts = [text_of(one, names[0], "choices") for one in value]
    letters = list(_LETTERS[: len(texts)]) if labels is None else [str(label) for label in labels]
    return dict(zip(letters, texts, strict=True))


def _question(row: Cells, names: Sequence[str], columns: Columns) -> Message:
    for name in names:
        if is_texts(decoded(get(row, name))):
            raise RowError(
                f"has a list in column {name!r}, no text: set columns.prompt={name}.0 for the first of its turns alone",
                "list_for_a_prompt",
            )
    parts = texts_of(row, names, "prompt")
    if parts and (choices := shown_choices(row, columns)):
        marked = all(text.startswith((f"{letter}.", f"{letter})", f"({letter})")) for letter, text in choices.items())
        parts.append("\n".join(text if marked else f"{letter}. {text}" for letter, text in choices.items()))
    return Message(role="user", content="\n\n".join(parts))


def _history(row: Cells, columns: Columns, names: Sequence[str], asked: Sequence[Message]) -> list[Message]:
    """The turns before the prompt. Raises RowError."""
    column, value = first_of(columns, "history", row)
    value = decoded(value)
    if column in names or value in (None, "", []):
        return []
    if len(asked) > 1:
        raise RowError(
            f"has turns in column {column!r} and several in {names[0]!r}: set columns.prompt to the whole conversation "
            "alone, or take one of the two columns out",
            "two_histories",
        )
    turns = turns_of(value, column)
    if turns is None and isinstance(value, list) and all(is_texts(pair) and len(pair) == 2 for pair in value):
        turns = [
            Message(role=role, content=text_of(text, column, "history"))
            for pair in value
            for role, text in zip(_TAKING_TURNS, pair, strict=True)
        ]
    if turns is None:
        raise RowError(
            f"has a {type(value).__name__} in column {column!r}, no turns before the prompt: set columns.history, or "
            "name it in columns.prompt if it is part of the question",
            "unreadable_history",
        )
    return turns


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
        for role, text in zip(_TAKING_TURNS, pair, strict=True)
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
