"""Which human rows a round is given."""

import random
from collections import Counter
from collections.abc import Sequence

from selfreward.records import TrainingRow
from selfreward.row_kinds import ledger_id, units_of


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
