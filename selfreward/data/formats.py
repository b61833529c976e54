"""A row of any data set as what a role wants: a prompt, a human answer, human pairs or a gold pair."""

from collections.abc import Iterator, Sequence

from selfreward.data.columns import Cells, Columns, find, get, need
from selfreward.data.gold import gold_pair
from selfreward.data.messages import is_conversation
from selfreward.data.preferences import read_pairs
from selfreward.data.prompts import asked_turns, read_prompt, said, says_something, stratum_of, text_of
from selfreward.data.roles import PROMPT_ROLES, HumanAnswer, HumanPair, LeftOut, Role, Row
from selfreward.records import make_prompt
from selfreward.thought import split_thought


def read_row(role: Role, row: Cells, columns: Columns, system: str) -> Iterator[Row]:
    """What `row` gives for `role`: one thing, or for human pairs any number. Raises RowError."""
    if role in PROMPT_ROLES:
        turns, answer = asked_turns(row, columns)
        yield read_prompt(role, row, columns, system, turns, answer) if says_something(turns) else LeftOut("empty")
    elif role == "human":
        yield _human(row, columns, system)
    elif role == "human_pairs":
        yield from read_pairs(row, columns, system)
    else:
        for pair in read_pairs(row, columns, system):
            yield gold_pair(role, pair, row, columns) if isinstance(pair, HumanPair) else pair


def _human(row: Cells, columns: Columns, system: str) -> Row:
    turns, answer = asked_turns(row, columns)
    if not says_something(turns):
        return LeftOut("empty")
    names = find(columns, "answer", row)
    if names is not None:
        value = get(row, names[0])
        if isinstance(value, list) and not is_conversation(value):
            value = value[0] if value else None
        answer = said(value, names[0], "answer") if len(names) == 1 else _joined(row, names)
    elif answer is None:
        need(columns, "answer", row)
    thought, text = split_thought(answer or "")
    if not text.strip():
        return LeftOut("no_answer")
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source="human")
    return HumanAnswer(prompt=prompt, text=text, thought=thought)


def _joined(row: Cells, names: Sequence[str]) -> str:
    return "\n\n".join(text for name in names if (text := text_of(get(row, name), name, "answer")))
