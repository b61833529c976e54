"""Which rows are scored together, so that the tokens they begin with are computed once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

Row = tuple[list[int], list[int]]
"""The token ids of a prompt and of its completion."""

# What two more calls of the model cost, in tokens: a shared beginning must save more.
_CALLS = 256
# Rows of a run: few, so that processes that share the runs end together.
_RUN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows with a common beginning, by place, in batches; `prefix` is its tokens, empty where it is not shared."""

    prefix: list[int]
    batches: list[list[int]]


def common_length(one: Sequence[object], other: Sequence[object]) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def distinct_tokens(rows: Sequence[Row]) -> int:
    """How many tokens the rows have, what one begins with as the one before it in their order not counted again."""
    whole = sorted([*prompt, *completion] for prompt, completion in rows)
    return sum(map(len, whole)) - sum(common_length(one, other) for one, other in pairwise(whole))


def group_rows(rows: Sequence[Row], batch_tokens: int, *, share: bool, pack: bool) -> list[Group]:
    """All `rows`, each in one batch of one group.

    A batch holds `batch_tokens` when padded; a token of the prefix, which is not computed but kept for each row, counts
    half. The last token of a prompt is never in a prefix: what it predicts is asked for. Without `share` no group has a
    prefix. With `pack`, rows of a batch are not padded, and what one has in common with the next is computed once.
    """
    batches = _packed if pack else _padded
    groups: list[Group] = []
    apart: list[int] = [] if share else [*range(len(rows))]
    for keys, length in _alike(rows) if share else ():
        if (len(keys) - 1) * length > _CALLS:
            groups.append(Group(prefix=rows[keys[0]][0][:length], batches=batches(rows, keys, length, batch_tokens)))
        else:
            apart += keys
    return [*groups, Group(prefix=[], batches=batches(rows, apart, 0, batch_tokens))]


def runs_of(rows: Sequence[Row], group: Group) -> list[list[list[int]]]:
    """The batches of a packed group in runs: rows that are alone in theirs and begin with more than the group's prefix.

    Where such rows are computed one behind the other, each one's beginning is known from the one before it.
    """
    runs: list[list[list[int]]] = []
    before: list[int] = []
    for batch in group.batches:
        prompt, completion = rows[batch[0]]
        row = [*prompt, *completion] if len(batch) == 1 else []
        if runs and len(runs[-1]) < _RUN and common_length(before, row) > len(group.prefix):
            runs[-1].append(batch)
        else:
            runs.append([batch])
        before = row
    return runs


def _alike(rows: Sequence[Row]) -> Iterator[tuple[list[int], int]]:
    """Runs of rows in the order of their prompts, and how many first tokens each run shares.

    A row opens a new run where its joining would cost the run before it more tokens of prefix than it saves.
    """
    keys: list[int] = []
    length = 0
    for key in sorted(range(len(rows)), key=lambda key: rows[key][0]):
        own = len(rows[key][0]) - 1
        common = min(length, common_length(rows[keys[-1]][0], rows[key][0]), own) if keys else own
        if len(keys) * common + _CALLS < (len(keys) - 1) * length:
            yield keys, length
            keys, common = [], own
        keys.append(key)
        length = common
    if keys:
        yield keys, length


def _padded(rows: Sequence[Row], keys: Sequence[int], shared: int, batch_tokens: int) -> list[list[int]]:
    """`keys`, shortest row first, in batches."""
    batches: list[list[int]] = []
    for key in sorted(keys, key=lambda key: sum(map(len, rows[key]))):
        weight = sum(map(len, rows[key])) - shared + shared // 2
        if not batches or weight * (len(batches[-1]) + 1) > batch_tokens:
            batches.append([])
        batches[-1].append(key)
    return batches


def _packed(rows: Sequence[Row], keys: Sequence[int], shared: int, batch_tokens: int) -> list[list[int]]:
    """`keys`, in the order of their tokens, in batches."""
    batches: list[list[int]] = []
    taken, before = 0, list[int]()
    for key, row in sorted(((key, [*rows[key][0], *rows[key][1]]) for key in keys), key=lambda one: one[1]):
        more = len(row) - common_length(before, row)
        if not batches or taken + more > batch_tokens:
            batches.append([])
            taken, more = shared // 2, len(row) - shared
        batches[-1].append(key)
        taken, before = taken + more, row
    return batches
