"""A row of any data set as what a role wants: a prompt, a human answer, human pairs or a gold pair."""

from collections.abc import Iterator, Sequence

from selfreward.data.columns import Cells, Columns, find, get, need
from selfreward.data.gold import gold_pair
from selfreward.data.messages import decoded, is_conversation, turns_of
from selfreward.data.preferences import read_pairs
from selfreward.data.prompts import is_disliked, read_prompt, stratum_of, text_of, text_value
from selfreward.data.question import asked_turns, choices_of, says_something, shows_choices
from selfreward.data.roles import PROMPT_ROLES, HumanAnswer, HumanPair, LeftOut, Role, Row
from selfreward.data.sides import answer_columns, is_explicit, pair_turns
from selfreward.records import Message, make_prompt
from selfreward.thought import split_thought


def read_row(role: Role, row: Cells, columns: Columns, system: str, *, skip: bool = False) -> Iterator[Row]:
    """What `row` gives for `role`: one thing, or for human pairs any number. Raises RowError.

    Where bad rows are to `skip`, a rating that is no number is a missing one.
    """
    if role in PROMPT_ROLES:
        turns, answer = _prompt_turns(row, columns)
        if not says_something(turns):
            yield LeftOut("empty")
            return
        choices = choices_of(row, columns) if shows_choices(row, columns) else {}
        yield read_prompt(role, row, columns, system, turns, answer, choices)
    elif role == "human":
        yield _human(row, columns, system)
    else:
        for pair in read_pairs(row, columns, system, skip=skip):
            gold = role != "human_pairs"
            yield gold_pair(role, pair, row, columns) if gold and isinstance(pair, HumanPair) else pair


def compares_conversations(row: Cells, columns: Columns) -> bool:
    """Whether the turns of a row's prompt stand in the conversations that it compares."""
    if columns.prompt is not None or (not is_explicit(row, columns) and find(columns, "answers", row) is None):
        return False
    name = answer_columns(row, columns)[0]
    return turns_of(get(row, name), name) is not None


def _prompt_turns(row: Cells, columns: Columns) -> tuple[list[Message], str | None]:
    """The turns to answer and an answer to them that people or others gave, None where there is none."""
    if not compares_conversations(row, columns):
        return asked_turns(row, columns)
    turns, texts = pair_turns(row, columns, answer_columns(row, columns))
    return turns, texts[0] if is_explicit(row, columns) else None


def _human(row: Cells, columns: Columns, system: str) -> Row:
    turns, answer = asked_turns(row, columns)
    if not says_something(turns):
        return LeftOut("empty")
    names = find(columns, "answer", row)
    if names is not None:
        value = decoded(get(row, names[0]))
        if isinstance(value, list) and not is_conversation(value):
            value = value[0] if value else None
        answer = text_value(value, names[0], "answer") if len(names) == 1 else _joined(row, names)
    elif answer is None:
        need(columns, "answer", row)
    thought, text = split_thought(answer or "")
    if not text.strip():
        return LeftOut("no_answer")
    if is_disliked(row, columns):
        return LeftOut("disliked")
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source="human")
    return HumanAnswer(prompt=prompt, text=text, thought=thought)


def _joined(row: Cells, names: Sequence[str]) -> str:
    return "\n\n".join(text for name in names if (text := text_of(get(row, name), name, "answer")))
