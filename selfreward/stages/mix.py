"""Mix: own examples and real human ones, in the share that was decided, with a ledger of what was spent."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Literal, TypeVar

from pydantic import Field, PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output
from selfreward.errors import StarvedLoop
from selfreward.records import Example, PreferencePair
from selfreward.spec import Spec, execution

VERSION = 2


class MixSpec(Spec):
    """What a round trains on.

    `data` says what of the earlier rounds stays: nothing (`replace`), everything (`accumulate`), or the last
    `last_n` rounds, this one among them (`last_n`). `real_share` is the share asked for; the decision carries it
    here, so it is no part of this stage's key. With fewer than `min_rows` own examples the loop stops.
    """

    real_share: float = execution(0.2, ge=0, lt=1)
    data: Literal["replace", "accumulate", "last_n"] = "replace"
    last_n: PositiveInt | None = None
    min_rows: PositiveInt = Field(8)

    @model_validator(mode="after")
    def _last_n_goes_with_its_mode(self) -> "MixSpec":
        if (self.data == "last_n") != (self.last_n is not None):
            raise ValueError(f"mix.last_n={self.last_n} with mix.data={self.data}: mix.data=last_n needs mix.last_n")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """One human example or pair that was used, and in which round; `tokens` of its human answer."""

    example_id: str
    iteration: int
    tokens: int


Row = TypeVar("Row", Example, PreferencePair)


def mix(
    out: Output,
    spec: MixSpec,
    *,
    seed: int,
    selected: Artifact,
    decision: Artifact,
    human: Artifact,
    human_pairs: Artifact,
    previous: Artifact | None,
) -> None:
    """Table `rows` of Example, or `pairs` of PreferencePair, to train on; `ledger` of Spent so far; `mixing.json`.

    Human rows are drawn without replacement until they hold `real_share` of all answer tokens, or of all pairs; rows
    that stay from earlier rounds count. Human pairs come from `human_pairs` and from the human prompts that were
    sampled along. A pool that runs dry gives what it has, and `short` says how many tokens or pairs are missing.
    Raises StarvedLoop with fewer than `spec.min_rows` own rows this round.
    """
    table, _ = training_table(selected)
    if selected.rows(table) < spec.min_rows:
        raise StarvedLoop(_starved(spec, selected, table))
    iteration = 0 if previous is None else previous.json("mixing")["iteration"] + 1
    spent = [] if previous is None else list(previous.records(Spent, "ledger"))
    share = decision.json("decision")["real_share"]
    if table == "pairs":
        pairs = partial(_own_rows, spec, PreferencePair, table, selected, previous, iteration)
        pair_pool = [*selected.records(PreferencePair, "human_pairs"), *human_pairs.records(PreferencePair)]
        _mix(out, PreferencePair, table, pairs, pair_pool, spent, share, seed, iteration)
    else:
        examples = partial(_own_rows, spec, Example, table, selected, previous, iteration)
        _mix(out, Example, table, examples, list(human.records(Example)), spent, share, seed, iteration)


def _mix(
    out: Output,
    row_type: type[Row],
    table: str,
    own_rows: Callable[[], Iterator[Row]],
    pool: Sequence[Row],
    spent: list[Spent],
    share: float,
    seed: int,
    iteration: int,
) -> None:
    tokens, rows = {"self": 0, "human": 0}, {"self": 0, "human": 0}
    units = {"self": 0, "human": 0}
    for row in own_rows():
        tokens[row.origin] += tokens_of(row)
        rows[row.origin] += 1
        units[row.origin] += _units(row)
    wanted = share / (1 - share) * units["self"] - units["human"]
    used = {entry.example_id for entry in spent}
    unspent = [row for row in pool if ledger_id(row) not in used]
    fresh = [replace(row, iteration=iteration) for row in _draw(unspent, wanted, seed)]
    with out.table(row_type, table) as written:
        written.write_all(chain(own_rows(), fresh))
    ledger = spent + [Spent(example_id=ledger_id(row), iteration=iteration, tokens=tokens_of(row)) for row in fresh]
    with out.table(Spent, "ledger") as kept:
        kept.write(ledger)
    tokens["human"] += sum(map(tokens_of, fresh))
    rows["human"] += len(fresh)
    dry = len(fresh) == len(unspent)
    out.write_json(
        "mixing",
        {
            "iteration": iteration,
            "unit": "pairs" if table == "pairs" else "tokens",
            "self_rows": rows["self"],
            "self_tokens": tokens["self"],
            "human_rows": rows["human"],
            "human_tokens": tokens["human"],
            "human_rows_drawn": len(fresh),
            "human_rows_spent": len(ledger),
            "human_rows_left": len(unspent) - len(fresh),
            "real_share_asked": share,
            "real_share_tokens": tokens["human"] / (tokens["human"] + tokens["self"]),
            "real_share_rows": rows["human"] / (rows["human"] + rows["self"]),
            "short": max(0, round(wanted) - sum(map(_units, fresh))) if dry else 0,
        },
    )


def training_table(artifact: Artifact) -> tuple[Literal["rows", "pairs"], type[Example] | type[PreferencePair]]:
    """The table of a selection or a training set, and its record type."""
    return ("pairs", PreferencePair) if artifact.has("pairs") else ("rows", Example)


def tokens_of(row: Example | PreferencePair) -> int:
    """The tokens of the answers of a row; of a pair, both."""
    return row.tokens if isinstance(row, Example) else row.chosen_tokens + row.rejected_tokens


def _units(row: Example | PreferencePair) -> int:
    """What the real share counts: the tokens of an example, or the pair."""
    return row.tokens if isinstance(row, Example) else 1


def ledger_id(row: Example | PreferencePair) -> str:
    """The human row that is spent: the example behind a pair, if there is one, else the row itself."""
    return row.chosen_id if isinstance(row, PreferencePair) and row.chosen_id is not None else row.id


def _own_rows(
    spec: MixSpec, row_type: type[Row], table: str, selected: Artifact, previous: Artifact | None, iteration: int
) -> Iterator[Row]:
    """The rows that stay from earlier rounds, then this round's own."""
    if previous is not None and spec.data != "replace":
        oldest = 0 if spec.last_n is None else iteration - spec.last_n + 1
        for row in previous.records(row_type, table):
            if row.iteration is not None and row.iteration >= oldest:
                yield row
    for row in selected.records(row_type, table):
        yield replace(row, iteration=iteration)


def _draw(unspent: Sequence[Row], wanted: float, seed: int) -> list[Row]:
    """Rows by lot until they hold `wanted` units; the last one may go over by half its own."""
    shuffled = random.Random(seed).sample(unspent, len(unspent))
    drawn: list[Row] = []
    units = 0
    for row in shuffled:
        if units + _units(row) / 2 > wanted:
            break
        drawn.append(row)
        units += _units(row)
    return drawn


def _starved(spec: MixSpec, selected: Artifact, table: str) -> str:
    counts = {name: value for name, value in selected.json("selection").items() if value}
    told = ", ".join(f"{name} {value}" for name, value in sorted(counts.items()))
    own = "pairs" if table == "pairs" else "examples"
    return f"{selected.rows(table)} own {own} to train on, mix.min_rows asks for {spec.min_rows}; of all: {told}"
