"""A row of any data set as what a role wants: a prompt, a human answer, human pairs or a gold pair."""

from collections.abc import Iterator

from selfreward.data.columns import Cells, Columns, Name, find, get, need
from selfreward.data.messages import decoded, is_conversation, text_value, texts_of, turns_of
from selfreward.data.question import (
    answer_columns,
    asked_turns,
    is_explicit,
    pair_turns,
    prompt_columns,
    says_something,
    shown_choices,
)
from selfreward.data.roles import PROMPT_ROLES, HumanAnswer, Kept, LeftOut, Role
from selfreward.data.row_pairs import read_pairs
from selfreward.data.row_prompts import is_disliked, read_prompt, says_whether_liked, stratum_of
from selfreward.data.winners import ORDERING, winner_columns
from selfreward.records import make_prompt
from selfreward.thought import split_thought


def read_row(role: Role, row: Cells, columns: Columns, system: str, *, skip: bool = False) -> Iterator[Kept | LeftOut]:
    """What `row` gives for `role`: one thing, or for human pairs any number. Raises RowError.

    Where bad rows are to `skip`, a rating that is no number is a missing one.
    """
    if role in PROMPT_ROLES:
        if compares_conversations(row, columns):
            turns, texts = pair_turns(row, columns, answer_columns(row, columns))
            answer = texts[0] if is_explicit(row, columns) else None
        else:
            turns, answer = asked_turns(row, columns)
        if says_something(turns):
            yield read_prompt(role, row, columns, system, turns, answer)
        else:
            yield LeftOut("empty")
    elif role == "human":
        yield _human(row, columns, system)
    else:
        yield from read_pairs(role, row, columns, system, skip=skip)


def columns_read(role: Role, row: Cells, columns: Columns) -> dict[str, str]:
    """What `read_row` reads each column of `row` as; a column that it does not read is left out."""
    asks = role in PROMPT_ROLES
    pairs = not asks and role != "human"
    compares = role != "human" and compares_conversations(row, columns)
    judged = pairs and not is_explicit(row, columns)
    wanted: dict[Name, bool] = {
        **dict.fromkeys((*ORDERING, "strength"), pairs),
        "authors": pairs and role != "human_pairs",
        "answers": pairs or compares,
        "turn": compares,
        "liked": not pairs and not compares and says_whether_liked(row, columns),
        "answer": not pairs and not compares,
        "choices": not compares and bool(shown_choices(row, columns)),
        "system": True,
        "history": True,
    }
    taken: dict[str, tuple[str, ...] | None] = {
        "prompt": prompt_columns(row, columns) if pairs or not compares else None,
        "winner": winner_columns(row, columns, answer_columns(row, columns)) if judged else None,
        **{name: find(columns, name, row) for name, is_read in wanted.items() if is_read},
        "stratum": (columns.stratum or "stratum",),
        "match": ("match",) if asks and columns.match is None else None,
    }
    if wanted["answers"]:
        taken["answers"] = answer_columns(row, columns)
    found: dict[str, str] = {}
    for name, names in taken.items():
        for column in names or ():
            top = column if column in row else column.split(".")[0]
            if top in row:
                found.setdefault(top, name)
    return found


def compares_conversations(row: Cells, columns: Columns) -> bool:
    """Whether the turns of a row's prompt stand in the conversations that it compares."""
    if columns.prompt is not None or (not is_explicit(row, columns) and find(columns, "answers", row) is None):
        return False
    name = answer_columns(row, columns)[0]
    return turns_of(get(row, name), name) is not None


def _human(row: Cells, columns: Columns, system: str) -> HumanAnswer | LeftOut:
    turns, answer = asked_turns(row, columns)
    if not says_something(turns):
        return LeftOut("empty")
    names = find(columns, "answer", row) if answer is not None else need(columns, "answer", row)
    if names is not None and len(names) > 1:
        answer = "\n\n".join(texts_of(row, names, "answer"))
    elif names is not None:
        value = decoded(get(row, names[0]))
        if isinstance(value, list) and not is_conversation(value):
            value = value[0] if value else None
        answer = text_value(value, names[0], "answer")
    thought, text = split_thought(answer or "")
    if not text.strip():
        return LeftOut("no_answer")
    if is_disliked(row, columns):
        return LeftOut("disliked")
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source="human")
    return HumanAnswer(prompt=prompt, text=text, thought=thought)
