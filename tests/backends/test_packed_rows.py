"""Rows of tokens laid side by side: laws of the layout."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selfreward.backends.packed_rows import lay_out, packed
from selfreward.backends.shared_prefixes import common_length

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=12)


@given(ROWS, st.sampled_from([1, 32, 4096]))
def test_every_row_is_there_once_and_in_its_order(rows, hidden):
    layout = lay_out(rows, hidden)
    table = layout.filled(rows, empty=-1).flatten()
    assert [table[path].tolist() for path in layout.paths] == rows
    for path in layout.paths:
        assert len({place // layout.width for place in path}) == 1, "a row lies in one line"
        assert all(one < other for one, other in pairwise(path))


@given(ROWS, st.sampled_from([1, 32, 4096]))
def test_a_token_sees_those_of_its_row_before_it_and_no_other(rows, hidden):
    layout = lay_out(rows, hidden)
    sees = layout.sees()[:, 0]
    for path in layout.paths:
        line, own = path[0] // layout.width, path % layout.width
        for end, place in enumerate(own):
            assert np.flatnonzero(sees[line, place]).tolist() == sorted(own[: end + 1])


@given(ROWS)
def test_a_table_is_never_larger_than_the_padded_rows(rows):
    assert lay_out(rows, 32).places <= len(rows) * max(map(len, rows))


@given(ROWS)
def test_where_attention_costs_nothing_only_what_differs_is_held(rows):
    ordered = sorted(rows)
    shared = sum(common_length(*both) for both in pairwise(ordered))
    assert lay_out(rows, 1 << 40).places == sum(map(len, rows)) - shared


def test_where_attention_costs_all_no_line_is_longer_than_the_longest_row():
    rows = [[number, *range(10)] for number in range(6)]
    layout = lay_out(rows, 0)
    assert (layout.height, layout.width) == (6, 11)


@given(ROWS, st.sampled_from([1, 32, 4096]))
def test_rows_are_packed_where_that_spares_a_twentieth(rows, hidden):
    layout, made = lay_out(rows, hidden), packed(rows, hidden)
    spares = layout.places <= 0.95 * len(rows) * max(map(len, rows))
    assert (made is not None) == spares
