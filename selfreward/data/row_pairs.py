"""Pairs of answers that people compared, read from a row of any data set.

A row holds chosen and rejected, or several answers with what orders them. Every two answers make a pair, equal ones
none. Answers are compared without the thoughts before them.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from selfreward.data.columns import Cells, Columns, RowError, find, first_of, get, get_all
from selfreward.data.messages import text_of
from selfreward.data.question import says_something
from selfreward.data.roles import HumanPair, LeftOut, Role
from selfreward.data.row_prompts import stratum_of
from selfreward.data.sides import answer_columns, pair_turns
from selfreward.data.stated_order import stated_order
from selfreward.data.winners import verdicts_of
from selfreward.records import SWAPPED, GoldPair, Verdict, digest_of, majority, make_prompt
from selfreward.thought import split_thought


def read_pairs(row: Cells, columns: Columns, system: str, *, skip: bool = False) -> Iterator[HumanPair | LeftOut]:
    """The pairs of a row, and a LeftOut for each two answers that make none.

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
            yield HumanPair(
                prompt=prompt,
                chosen=answers[chosen],
                rejected=answers[rejected],
                margin=margin,
                places=(chosen, rejected),
                answers=len(texts),
                chosen_thought=thoughts[chosen],
                rejected_thought=thoughts[rejected],
                verdicts=_verdicts(row, columns, names, (chosen, rejected), len(texts)),
            )


def gold_pair(role: Role, pair: HumanPair, row: Cells, columns: Columns) -> GoldPair:
    """`pair` with the authors of its `row`, without thoughts; the id is that of its texts alone.

    A row that does not say who said what is one person. Raises RowError.
    """
    names = find(columns, "authors", row)
    right_author, wrong_author = None, None
    if names is not None:
        values = get_all(row, names)
        if len(values) != pair.answers:
            raise RowError(
                f"has {pair.answers} answers and {len(values)} authors in {names[0]!r}: set columns.authors",
                "too_few_authors",
            )
        right_author, wrong_author = (text_of(values[place], names[0], "authors") or None for place in pair.places)
    return GoldPair(
        id=digest_of("gold", pair.prompt.id, pair.chosen, pair.rejected),
        messages=pair.prompt.messages,
        right=pair.chosen,
        wrong=pair.rejected,
        source=role,
        verdicts=pair.verdicts or ("first",),
        right_author=right_author,
        wrong_author=wrong_author,
    )


def _verdicts(
    row: Cells, columns: Columns, names: Sequence[str], places: tuple[int, int], answers: int
) -> tuple[Verdict, ...]:
    """One verdict a person, `first` for the answer at the first of `places`. Raises RowError where most disagree."""
    said = verdicts_of(row, columns, names)
    if not said:
        return ()
    column = first_of(columns, "verdicts", row)[0]
    if answers != 2:
        raise RowError(
            f"has verdicts in {column!r} on {answers} answers: give each two answers a row", "winner_of_many"
        )
    if places == (1, 0):
        said = tuple(SWAPPED[verdict] for verdict in said)
    if majority(said) != "first":
        raise RowError(
            f"has verdicts in {column!r} of which most are not for the answer that is chosen or rated higher: leave "
            "the row out, or chosen and rejected are the wrong way round (`first` is chosen)",
            "verdicts_against",
        )
    return said
