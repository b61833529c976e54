"""Which human rows a round can be given, and which it is."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from selfreward.artifacts import Artifact
from selfreward.records import Example, TrainingRow
from selfreward.row_kinds import HUMAN_ROWS, HumanRole, RowKind, as_kind, ledger_id, units_of
from selfreward.selection.training_rows import HUMAN_TABLE


def draw_human(
    pool: Sequence[TrainingRow], uses: Counter[str], wanted: float, budget: int | None, seed: int
) -> tuple[list[TrainingRow], bool]:
    """Rows, the least used first and else at random, until they hold `wanted` units; and whether there are more.

    A row may go over `wanted` by half its own. One that would go over by more is passed over for a shorter one, so that
    nothing is drawn only where all are more than twice as long as what is wanted. No row may go over `budget`: the draw
    ends at the first that would. It is dry where that, or the last row, ends it before `wanted` is reached.
    """
    shuffled = random.Random(seed).sample(pool, len(pool))
    drawn: list[TrainingRow] = []
    units, passed_over = 0, False
    for row in sorted(shuffled, key=lambda one: uses[ledger_id(one)]):
        if units + units_of(row) / 2 > wanted:
            passed_over = True
            continue
        if budget is not None and units + units_of(row) > budget:
            return drawn, True
        drawn.append(row)
        units += units_of(row)
    return drawn, not passed_over and units < wanted


def human_rows(
    kind: RowKind, selected: Artifact, people: Mapping[HumanRole, Artifact | None]
) -> tuple[Sequence[TrainingRow], Sequence[str]]:
    """The human rows that can be had this round, and the ids of those that another round may have."""
    sampled = list(selected.records(kind.record, HUMAN_TABLE)) if selected.has(HUMAN_TABLE) else []
    tables = [(table, HUMAN_ROWS[role]) for role in kind.people if (table := people[role]) is not None]
    written = [row for table, record_type in tables for row in table.records(record_type)]
    pool = [*sampled, *(made for row in written if (made := as_kind(row, kind)) is not None)]
    # Where human prompts are sampled along, those that were not this round may be in another.
    return pool, [row.id for row in written if isinstance(row, Example)] if sampled else []
