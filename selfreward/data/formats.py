"""A row of any data set as what a role wants: a prompt, a human answer, human pairs or a gold pair."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from selfreward.data.columns import Cells, Columns, Name, RowError, find, first_of, get, get_all, need
from selfreward.data.messages import decoded, is_conversation, text_of, text_value, texts_of, turns_of
from selfreward.data.question import (
    answer_columns,
    asked_turns,
    is_explicit,
    pair_turns,
    prompt_columns,
    says_something,
    shown_choices,
)
from selfreward.data.roles import PROMPT_ROLES, HumanAnswer, HumanFeedback, HumanPair, Kept, LeftOut, Role
from selfreward.data.row_prompts import is_disliked, read_prompt, says_whether_liked, stratum_of, thumb_of
from selfreward.data.stated_order import stated_order
from selfreward.data.winners import ORDERING, verdicts_of, winner_columns
from selfreward.records import SWAPPED, GoldPair, Verdict, digest_of, majority, make_prompt
from selfreward.thought import split_thought

_ALONE = ("human", "feedback")
"""Roles whose rows hold one answer each, which nothing is compared with."""


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
        told = _human(role, row, columns, system)
        yield LeftOut("disliked") if isinstance(told, HumanAnswer) and is_disliked(row, columns) else told
    elif role == "feedback":
        yield _feedback(role, row, columns, system)
    else:
        yield from _pairs(role, row, columns, system, skip=skip)


def columns_read(role: Role, row: Cells, columns: Columns) -> dict[str, str]:
    """What `read_row` reads each column of `row` as; a column that it does not read is left out."""
    asks = role in PROMPT_ROLES
    pairs = not asks and role not in _ALONE
    compares = role not in _ALONE and compares_conversations(row, columns)
    judged = pairs and not is_explicit(row, columns)
    wanted: dict[Name, bool] = {
        **dict.fromkeys((*ORDERING, "strength"), pairs),
        "authors": pairs and role != "human_pairs",
        "answers": pairs or compares,
        "turn": compares,
        "extra": role == "train",
        "liked": role == "feedback" or (not pairs and not compares and says_whether_liked(row, columns)),
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


def _feedback(role: Role, row: Cells, columns: Columns, system: str) -> HumanFeedback | LeftOut:
    """An answer with its thumb. Raises RowError."""
    thumb, told = thumb_of(row, columns), _human(role, row, columns, system)
    if isinstance(told, LeftOut):
        return told
    if thumb is None:
        return LeftOut("without_thumb")
    return HumanFeedback(prompt=told.prompt, text=told.text, thought=told.thought, desirable=thumb)


def _human(role: Role, row: Cells, columns: Columns, system: str) -> HumanAnswer | LeftOut:
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
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source=role)
    return HumanAnswer(prompt=prompt, text=text, thought=thought)


def _pairs(
    role: Role, row: Cells, columns: Columns, system: str, *, skip: bool = False
) -> Iterator[HumanPair | GoldPair | LeftOut]:
    """The pairs of a row, gold in roles of gold, and a LeftOut for each two answers that make none. Raises RowError.

    Every two answers make a pair, equal ones none. They are compared without the thoughts before them.
    """
    names = answer_columns(row, columns)
    listed = get(row, names[0])
    if len(names) == 1 and isinstance(listed, list) and len(listed) < 2:
        yield LeftOut("one_answer_alone")
        return
    turns, texts = pair_turns(row, columns, names)
    if not says_something(turns):
        yield LeftOut("empty")
        return
    prompt = make_prompt(turns, system=system, stratum=stratum_of(row, columns), source="human_pairs")
    order = stated_order(row, columns, names, len(texts), skip=skip)
    thoughts, answers = zip(*map(split_thought, texts), strict=True)
    for first, second in combinations(range(len(texts)), 2):
        better = order.better(first, second)
        if not answers[first].strip() or not answers[second].strip():
            yield LeftOut("no_answer")
        elif answers[first] == answers[second]:
            yield LeftOut("same_answers")
        elif isinstance(better, LeftOut):
            yield better
        else:
            first_won, margin = better
            chosen, rejected = (first, second) if first_won else (second, first)
            verdicts = _verdicts(row, columns, names, swapped=not first_won, answers=len(texts))
            if role == "human_pairs":
                yield HumanPair(
                    prompt=prompt,
                    chosen=answers[chosen],
                    rejected=answers[rejected],
                    margin=margin,
                    chosen_thought=thoughts[chosen],
                    rejected_thought=thoughts[rejected],
                    label=_share_for_first(verdicts),
                )
            else:
                authors = _authors(row, columns, len(texts))
                yield GoldPair(
                    id=digest_of("gold", prompt.id, answers[chosen], answers[rejected]),
                    messages=prompt.messages,
                    right=answers[chosen],
                    wrong=answers[rejected],
                    source=role,
                    verdicts=verdicts or ("first",),
                    right_author=authors[chosen],
                    wrong_author=authors[rejected],
                )


def _share_for_first(verdicts: Sequence[Verdict]) -> float | None:
    """The share of several people who prefer the first answer, a tie half; None of one verdict or none."""
    if len(verdicts) < 2:
        return None
    return (verdicts.count("first") + verdicts.count("tie") / 2) / len(verdicts)


def _authors(row: Cells, columns: Columns, answers: int) -> list[str | None]:
    """Who wrote each answer. Raises RowError."""
    names = find(columns, "authors", row)
    if names is None:
        return [None] * answers
    values = get_all(row, names)
    if len(values) != answers:
        raise RowError(
            f"has {answers} answers and {len(values)} authors in {names[0]!r}: set columns.authors", "too_few_authors"
        )
    return [text_of(value, names[0], "authors") or None for value in values]


def _verdicts(
    row: Cells, columns: Columns, names: Sequence[str], *, swapped: bool, answers: int
) -> tuple[Verdict, ...]:
    """One verdict a person, `first` for the chosen answer; none where it has none. Raises RowError if most disagree."""
    said = verdicts_of(row, columns, names)
    if not said:
        return ()
    column = first_of(columns, "verdicts", row)[0]
    if answers != 2:
        raise RowError(
            f"has verdicts in {column!r} on {answers} answers: give each two answers a row", "winner_of_many"
        )
    if swapped:
        said = tuple(SWAPPED[verdict] for verdict in said)
    if majority(said) != "first":
        raise RowError(
            f"has verdicts in {column!r} of which most are not for the answer that is chosen or rated higher: leave "
            "the row out, or chosen and rejected are the wrong way round (`first` is chosen)",
            "verdicts_against",
        )
    return said
