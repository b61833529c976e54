"""Mix: own examples and real human ones, in the share that was decided, with a ledger of what was spent."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.reports import load_report, save_report
from selfreward.errors import StarvedLoop
from selfreward.records import Example, PreferencePair, TrainingRow
from selfreward.selection.choice import selection_counts
from selfreward.selection.orders import round_orders
from selfreward.selection.training_rows import training_table
from selfreward.spec import Spec, execution
from selfreward.thought import estimated_answer_tokens

VERSION = 6


class MixSpec(Spec):
    """What a round trains on.

    `data` says what of the earlier rounds stays: nothing (`replace`), everything (`accumulate`), or the last
    `last_n` rounds, this one among them (`last_n`). `real_share` is the share asked for; the decision carries it
    here, so it is no part of this stage's key. One human row is drawn in at most `max_uses` rounds of a run. With
    fewer than `min_rows` own examples the loop stops.
    """

    real_share: float = execution(0.2, ge=0, lt=1)
    data: Literal["replace", "accumulate", "last_n"] = "replace"
    last_n: PositiveInt | None = None
    max_uses: PositiveInt = 1
    min_rows: PositiveInt = 8

    @model_validator(mode="after")
    def _last_n_goes_with_its_mode(self) -> "MixSpec":
        if (self.data == "last_n") != (self.last_n is not None):
            raise ValueError(
                f"mix.last_n={self.last_n} with mix.data={self.data}: mix.data=last_n, and no other, needs "
                "mix.last_n=<rounds>"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """One use of a human example or pair, and in which round; `tokens` of its answer, of a pair both."""

    example_id: str
    iteration: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """What a training set is made of, and what is left of the human data.

    Of this set: rows of both origins and the tokens of their answers, without thoughts. `human_rows_drawn` came in this
    round, `human_rows_fresh` of them for the first time. Of the run so far: `human_rows_spent` were used once or more,
    `human_rows_left` may be used again, `reuse_epochs` are uses a used row, None where none was; `human_left` is the
    budget in `unit`s, None without one. `real_share_asked` is of `unit`s; what was reached is given in tokens and rows.
    `short` says how many units are missing, whatever the reason; `dry` that pool or budget had no more.
    """

    iteration: int
    unit: Literal["tokens", "pairs"]
    self_rows: int
    self_tokens: int
    human_rows: int
    human_tokens: int
    human_rows_drawn: int
    human_rows_fresh: int
    human_rows_spent: int
    human_rows_left: int
    human_left: int | None
    max_uses: int
    reuse_epochs: float | None
    real_share_asked: float
    real_share_tokens: float
    real_share_rows: float
    short: int
    dry: bool
    sft_weight: float

    @property
    def real_share(self) -> float:
        """The share that was reached, of the unit that was asked for."""
        return self.real_share_rows if self.unit == "pairs" else self.real_share_tokens


def mixing_of(training: Artifact) -> Mixing:
    """The report of a training set."""
    return load_report(training, "mixing", Mixing)


@few_collections()
def mix(
    out: Output,
    spec: MixSpec,
    *,
    seed: int,
    selected: Artifact,
    decision: Part,
    human: Artifact,
    human_pairs: Artifact,
    previous: Artifact | None,
) -> None:
    """Table `rows` of Example, or `pairs` of PreferencePair, to train on; `ledger` of Spent so far; `mixing.json`.

    Human rows are drawn until they hold the real share that was decided of all answer tokens, or of all pairs; rows
    that stay from earlier rounds count. Tokens of thoughts do not, since people rarely write any and `update.thought`
    may drop them. The least used come first, at random; a row is in a training set once. Human pairs come from
    `human_pairs` and from the human prompts that were sampled along. `decision` is the part `orders` of that of this
    round; its `human_left` is never exceeded. Raises StarvedLoop with fewer than `spec.min_rows` own rows this round.
    """
    table, row_type = training_table(selected)
    if selected.rows(table) < spec.min_rows:
        raise StarvedLoop(_starved(spec, selected, table))
    pool, later = _human_rows(selected, human, human_pairs)
    decided = round_orders(decision)
    iteration = 0 if previous is None else mixing_of(previous).iteration + 1
    spent = [] if previous is None else list(previous.records(Spent, "ledger"))
    share, budget = decided.real_share, decided.human_left
    stayed, uses = Counter[str](), uses_of(spent)
    with out.table(row_type, table) as rows:
        for row in _own_rows(spec, selected, previous, iteration):
            _tally(row, stayed)
            rows.add(row)
        wanted = share / (1 - share) * stayed["self_units"] - stayed["human_units"]
        able = [row for row in pool if uses[ledger_id(row)] < spec.max_uses]
        there = {entry.example_id for entry in spent if entry.iteration >= _oldest(spec, iteration)}
        drawn, dry = _draw([row for row in able if ledger_id(row) not in there], uses, wanted, budget, seed)
        fresh = [replace(row, iteration=iteration) for row in drawn]
        rows.add(*fresh)
    ledger = spent + [Spent(example_id=ledger_id(row), iteration=iteration, tokens=tokens_of(row)) for row in fresh]
    with out.table(Spent, "ledger") as kept:
        kept.write(ledger)
    came, used = Counter[str](), uses_of(ledger)
    for row in fresh:
        _tally(row, came)
    human_ids = {*map(ledger_id, pool), *later}
    total = stayed + came
    mixing = Mixing(
        iteration=iteration,
        unit="pairs" if table == "pairs" else "tokens",
        self_rows=total["self_rows"],
        self_tokens=total["self_tokens"],
        human_rows=total["human_rows"],
        human_tokens=total["human_tokens"],
        human_rows_drawn=len(fresh),
        human_rows_fresh=sum(uses[ledger_id(row)] == 0 for row in fresh),
        human_rows_spent=len(used),
        human_rows_left=sum(used[one] < spec.max_uses for one in human_ids),
        human_left=None if budget is None else budget - came["human_units"],
        max_uses=spec.max_uses,
        reuse_epochs=len(ledger) / len(used) if used else None,
        real_share_asked=share,
        real_share_tokens=total["human_tokens"] / (total["human_tokens"] + total["self_tokens"]),
        real_share_rows=total["human_rows"] / (total["human_rows"] + total["self_rows"]),
        short=max(0, round(wanted) - came["human_units"]),
        dry=dry,
        sft_weight=decided.orders.sft_weight,
    )
    save_report(out, "mixing", mixing)


def _human_rows(
    selected: Artifact, human: Artifact, human_pairs: Artifact
) -> tuple[Sequence[TrainingRow], Sequence[str]]:
    """The human rows that can be had this round, and the ids of those that another round may have."""
    if not selected.has("pairs"):
        return list(human.records(Example)), ()
    sampled = list(selected.records(PreferencePair, "human_pairs"))
    # Where human prompts are sampled along, those that were not this round may be in another.
    later = [row.id for row in human.records(Example)] if sampled else []
    return [*sampled, *human_pairs.records(PreferencePair)], later


def _tally(row: TrainingRow, counts: Counter[str]) -> None:
    """Adds a row to the rows, tokens and units of both origins: `self_rows`, `human_units` and so on."""
    counts[f"{row.origin}_rows"] += 1
    counts[f"{row.origin}_tokens"] += tokens_of(row)
    counts[f"{row.origin}_units"] += _units(row)


def uses_of(ledger: Iterable[Spent]) -> Counter[str]:
    """How often each human row was used, by its id in the ledger; 0 for one that was not."""
    return Counter(entry.example_id for entry in ledger)


def tokens_of(row: TrainingRow) -> int:
    """The tokens of the answers of a row, without those of thoughts before them; of a pair, both."""
    if isinstance(row, Example):
        return estimated_answer_tokens(row.tokens, row.thought, row.text)
    chosen = estimated_answer_tokens(row.chosen_tokens, row.chosen_thought, row.chosen)
    return chosen + estimated_answer_tokens(row.rejected_tokens, row.rejected_thought, row.rejected)


def _units(row: TrainingRow) -> int:
    """What the real share counts: the tokens of an answer, or the pair."""
    return tokens_of(row) if isinstance(row, Example) else 1


def ledger_id(row: TrainingRow) -> str:
    """The human row that is spent: the example behind a pair, if there is one, else the row itself."""
    return row.chosen_id if isinstance(row, PreferencePair) and row.chosen_id is not None else row.id


def _own_rows(spec: MixSpec, selected: Artifact, previous: Artifact | None, iteration: int) -> Iterator[TrainingRow]:
    """The rows that stay from earlier rounds, then this round's own."""
    table, row_type = training_table(selected)
    if previous is not None and spec.data != "replace":
        oldest = _oldest(spec, iteration)
        for row in previous.records(row_type, table):
            if row.iteration is not None and row.iteration >= oldest:
                yield row
    for row in selected.records(row_type, table):
        yield replace(row, iteration=iteration)


def _oldest(spec: MixSpec, iteration: int) -> int:
    """The first round whose rows are in the training set of round `iteration`."""
    match spec.data:
        case "replace":
            return iteration
        case "accumulate":
            return 0
        case "last_n":
            assert spec.last_n is not None
            return iteration - spec.last_n + 1


def _draw(
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
        if units + _units(row) / 2 > wanted:
            passed_over = True
            continue
        if budget is not None and units + _units(row) > budget:
            return drawn, True
        drawn.append(row)
        units += _units(row)
    return drawn, not passed_over and units < wanted


def _starved(spec: MixSpec, selected: Artifact, table: str) -> str:
    counts = {name: value for name, value in selection_counts(selected).by_name.items() if value}
    told = ", ".join(f"{name} {value}" for name, value in sorted(counts.items()))
    own = "pairs" if table == "pairs" else "examples"
    return f"{selected.rows(table)} own {own} to train on, mix.min_rows asks for {spec.min_rows}; of all: {told}"
