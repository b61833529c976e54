from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from selfreward.backends.shared_prefixes import group_rows, runs_of

RUBRIC = list(range(200))


def keys_of(groups):
    return sorted(chain.from_iterable(chain.from_iterable(group.batches for group in groups)))


def test_a_rubric_is_shared_by_all_that_it_is_asked_about():
    rows = [([*RUBRIC, 900 + key % 3, *range(key)], []) for key in range(12)]
    shared, apart = group_rows(rows, 4096, share=True, pack=False)
    assert shared.prefix == RUBRIC
    assert shared.batches == [[*range(12)]]
    assert apart.batches == []


def test_answers_to_other_prompts_do_not_shorten_what_long_prompts_share():
    rows = [([1, 2, *[key // 8 + 5] * 100], [key]) for key in range(24)]
    groups = group_rows(rows, 4096, share=True, pack=False)
    assert [len(group.prefix) for group in groups] == [101, 101, 101, 0]
    assert [group.batches for group in groups[:3]] == [[[*range(start, start + 8)]] for start in (0, 8, 16)]


def test_a_beginning_that_saves_less_than_another_call_costs_is_not_shared():
    rows = [([1, 2, 3, key + 9, 5], [key]) for key in range(40)]
    (apart,) = group_rows(rows, 4096, share=True, pack=False)
    assert apart.prefix == []
    assert keys_of([apart]) == [*range(40)]


def test_the_batches_of_a_group_keep_to_the_tokens_allowed():
    rows = [([*RUBRIC, *[key + 500] * 20], []) for key in range(64)]
    shared, _ = group_rows(rows, 1200, share=True, pack=False)
    assert [len(batch) for batch in shared.batches] == [10] * 6 + [4]  # 20 computed, 200 kept at half
    (apart,) = group_rows(rows, 1200, share=False, pack=False)
    assert [len(batch) for batch in apart.batches] == [5] * 12 + [4]


TOKENS = st.lists(st.integers(0, 1), min_size=1, max_size=6).map(lambda bits: [bit for bit in bits for _ in range(80)])


@given(st.lists(st.tuples(TOKENS, st.lists(st.integers(0, 1), max_size=3)), max_size=24), st.integers(1, 2000))
def test_every_row_is_scored_once_and_keeps_the_last_token_of_its_prompt(pairs, batch_tokens):
    rows = pairs
    groups = group_rows(rows, batch_tokens, share=True, pack=False)
    assert keys_of(groups) == [*range(len(rows))]
    for group in groups:
        for key in chain.from_iterable(group.batches):
            assert rows[key][0][: len(group.prefix)] == group.prefix
            assert len(rows[key][0]) > len(group.prefix)


@given(st.lists(st.tuples(TOKENS, st.lists(st.integers(0, 1), max_size=3)), max_size=24), st.integers(1, 2000))
def test_a_run_is_of_one_batch_or_of_rows_that_are_alone(rows, batch_tokens):
    for group in group_rows(rows, batch_tokens, share=True, pack=True):
        runs = runs_of(rows, group)
        assert [batch for run in runs for batch in run] == group.batches
        assert all(len(run) == 1 or all(len(batch) == 1 for batch in run) for run in runs)


def test_rows_scored_one_at_a_time_run_on_while_they_begin_alike():
    questions = [[*RUBRIC, 500 + number, 8, 9] for number in range(3)]
    rows = [([*question, 900 + answer, 7], []) for question in questions for answer in range(10)]
    shared, apart = group_rows(rows, 1, share=True, pack=True)
    assert shared.prefix == RUBRIC
    assert [[key for (key,) in run] for run in runs_of(rows, shared)] == [
        [*range(start, end)] for start, end in [(0, 8), (8, 10), (10, 18), (18, 20), (20, 28), (28, 30)]
    ]
    assert runs_of(rows, apart) == []
