"""The two tables on matched length and on recall: what they ask holds, with fewer draws than the bench makes."""

import numpy as np
import pytest

from selfreward.benchmarks.length_cases import collapse_section, length_section


@pytest.mark.slow
def test_lengths_alone_move_nothing_and_copies_are_seen_at_any_length() -> None:
    rows = length_section(np.random.SeedSequence(0), 2).rows
    assert [row.passed for row in rows] == [True] * len(rows)


def test_one_answer_to_each_prompt_is_seen_or_not_measured() -> None:
    rows = {row.name: row.cells for row in collapse_section(np.random.SeedSequence(1), 2).rows}
    assert rows["k = 1"] == (None, None, 0, 0)
    for k in (2, 4, 6, 8):
        now, before, measured, hits = rows[f"k = {k}"]
        assert (now, measured, hits) == (0, 2, 2)
        assert isinstance(before, float) and before > 0.5
