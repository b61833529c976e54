"""Pairs of answers that people compared, read from a row of any data set.

A row holds chosen and rejected, or several answers with what orders them. Every two answers make a pair, equal ones
none. Answers are compared without the thoughts before them.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from selfreward.data.columns import Cells, Columns, RowError, find, first_of, get, get_all
from selfreward.data.messages import text_of
from selfreward.data.question import answer_columns, pair_turns, says_something
from selfreward.data.roles import HumanPair, LeftOut, Role
from selfreward.data.row_prompts import stratum_of
from selfreward.data.stated_order import stated_order
from selfreward.data.winners import verdicts_of
from selfreward.records import SWAPPED, GoldPair, Verdict, digest_of, majority, make_prompt
from selfreward.thought import split_thought


def read_pairs(
    role: Role, row: Cells, columns: Columns, system: str, *, skip: bool = False
) -> Iterator[HumanPair | GoldPair | LeftOut]:
    """The pairs of a row, as gold in roles of gold, and a LeftOut for each two answers that make none.

    Raises RowError; where bad rows are to `skip`, a rating that is no number is a missing one.
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
    """One verdict a person, `first` for the chosen answer; none where the row does not say who said what.

    Raises RowError where most disagree.
    """
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
