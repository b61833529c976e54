"""Mix: own examples and real human ones, in the share that was decided, with a ledger of what was spent."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.tables import in_batches
from selfreward.errors import StarvedLoop
from selfreward.records import Example
from selfreward.spec import Spec, execution

VERSION = 1
_SHARD_ROWS = 4096


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
    """One human example that was used, and in which round."""

    example_id: str
    iteration: int
    tokens: int


def mix(
    out: Output,
    spec: MixSpec,
    *,
    seed: int,
    selected: Artifact,
    decision: Artifact,
    human: Artifact,
    previous: Artifact | None,
) -> None:
    """Table `rows` of Example to train on, table `ledger` of Spent so far, `mixing.json` with both shares.

    Human rows are drawn without replacement until they hold `real_share` of all completion tokens; rows that stay
    from earlier rounds count. A pool that runs dry gives what it has, and `short_tokens` says what is missing.
    Raises StarvedLoop with fewer than `spec.min_rows` own examples this round.
    """
    if selected.rows() < spec.min_rows:
        raise StarvedLoop(_starved(spec, selected))
    iteration = 0 if previous is None else previous.json("mixing")["iteration"] + 1
    share = decision.json("decision")["real_share"]
    totals = {"self": 0, "human": 0}
    rows = {"self": 0, "human": 0}
    for example in _own_rows(spec, selected, previous, iteration):
        totals[example.origin] += example.tokens
        rows[example.origin] += 1
    wanted = share / (1 - share) * totals["self"] - totals["human"]
    spent = [] if previous is None else list(previous.records(Spent, "ledger"))
    fresh = _draw(human, {entry.example_id for entry in spent}, wanted, seed, iteration)
    drawn_tokens = sum(example.tokens for example in fresh)
    with out.table(Example) as table:
        for shard in in_batches(chain(_own_rows(spec, selected, previous, iteration), fresh), _SHARD_ROWS):
            table.write(shard)
    ledger = spent + [Spent(example_id=one.id, iteration=iteration, tokens=one.tokens) for one in fresh]
    with out.table(Spent, "ledger") as table:
        table.write(ledger)
    human_tokens, human_rows = totals["human"] + drawn_tokens, rows["human"] + len(fresh)
    out.write_json(
        "mixing",
        {
            "iteration": iteration,
            "self_rows": rows["self"],
            "self_tokens": totals["self"],
            "human_rows": human_rows,
            "human_tokens": human_tokens,
            "human_rows_drawn": len(fresh),
            "human_rows_spent": len(ledger),
            "human_rows_left": human.rows() - len(ledger),
            "real_share_asked": share,
            "real_share_tokens": human_tokens / (human_tokens + totals["self"]),
            "real_share_rows": human_rows / (human_rows + rows["self"]),
            "short_tokens": max(0, round(wanted) - drawn_tokens) if human.rows() == len(ledger) else 0,
        },
    )


def _own_rows(spec: MixSpec, selected: Artifact, previous: Artifact | None, iteration: int) -> Iterator[Example]:
    """The rows that stay from earlier rounds, then this round's own."""
    if previous is not None and spec.data != "replace":
        oldest = 0 if spec.last_n is None else iteration - spec.last_n + 1
        for example in previous.records(Example):
            if example.iteration is not None and example.iteration >= oldest:
                yield example
    for example in selected.records(Example):
        yield replace(example, iteration=iteration)


def _draw(human: Artifact, spent: set[str], wanted: float, seed: int, iteration: int) -> list[Example]:
    """Unspent human examples by lot until they hold `wanted` tokens; the last one may go over by half its length."""
    pool = [example for example in human.records(Example) if example.id not in spent]
    random.Random(seed).shuffle(pool)
    drawn: list[Example] = []
    tokens = 0
    for example in pool:
        if tokens + example.tokens / 2 > wanted:
            break
        drawn.append(replace(example, iteration=iteration))
        tokens += example.tokens
    return drawn


def _starved(spec: MixSpec, selected: Artifact) -> str:
    counts = {name: value for name, value in selected.json("selection").items() if value}
    told = ", ".join(f"{name} {value}" for name, value in sorted(counts.items()))
    return f"{selected.rows()} own examples to train on, mix.min_rows asks for {spec.min_rows}; of all: {told}"
