"""Mix: own examples and real human ones, in the share that was decided, with a ledger of what was spent."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from math import ceil
from statistics import fmean
from typing import Literal, get_args

from pydantic import PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.reports import load_report, save_report
from selfreward.errors import StarvedLoop
from selfreward.records import Origin, PreferencePair, TrainingRow
from selfreward.row_kinds import (
    EXAMPLES,
    PAIRS,
    PROMPTS,
    RowKind,
    label_of,
    ledger_id,
    tokens_of,
    units_of,
    written_as,
)
from selfreward.selection.choice import selection_counts
from selfreward.selection.handed import HandedPrompt
from selfreward.selection.human_rows import draw_human, human_rows
from selfreward.selection.judgments import within_share
from selfreward.selection.mixing import MetaMixing, Mixing, Spent, uses_of
from selfreward.selection.orders import RoundOrders, round_orders
from selfreward.selection.training_rows import has_labels, row_kind
from selfreward.spec import Spec, execution, neutral
from selfreward.stages.meta import MetaSpec
from selfreward.updates.base import UpdateBase

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


class RoundMixSpec(MixSpec):
    """What the stage is given: the settings, and how many answers the update `draws` of its own; None for none.

    Where judgments are judged, at most `meta_share` of a round's own pairs are pairs of judgments.
    """

    draws: PositiveInt | None = neutral(None)
    meta_share: float | None = neutral(None)


def mix_spec(spec: MixSpec, update: UpdateBase, meta: MetaSpec | None) -> RoundMixSpec:
    """The settings of a mixture that `update` trains on, in a run whose judgments are judged by `meta`, if they are."""
    return RoundMixSpec(**spec.model_dump(), draws=update.draws, meta_share=None if meta is None else meta.max_share)


def mixing_of(training: Artifact) -> Mixing:
    """The report of a training set; a MetaMixing where judgments are judged."""
    return load_report(training, "mixing", MetaMixing if "meta_share" in training.spec else Mixing)


def sft_weight_of(training: Artifact) -> float:
    """The weight that was ordered for the likelihood of preferred answers; 0 for rows that are no mix."""
    return mixing_of(training).sft_weight if training.manifest.stage == mix.__name__ else 0.0


@few_collections()
def mix(
    out: Output,
    spec: RoundMixSpec,
    *,
    seed: int,
    selected: Artifact,
    decision: Part,
    human: Artifact,
    human_pairs: Artifact,
    feedback: Artifact | None = None,
    metas: Part | None = None,
    previous: Artifact | None,
) -> None:
    """The table of the rows to train on, of the kind that was selected; `ledger` of Spent so far; `mixing.json`.

    Human rows are drawn until they hold the real share that was decided, of all answer tokens or of all pairs; rows
    that stay from earlier rounds count. Tokens of thoughts do not, since people rarely write any and `update.thought`
    may drop them. The least used come first, at random; a row is in a training set once. Human pairs come from
    `human_pairs` and from the human prompts that were sampled along; unpaired rows are those of `feedback`, and human
    answers as desirable ones. `decision` is the part `orders` of that of this round; its `human_left` is never
    exceeded. Prompts that the update draws answers to are table `prompts`; where it trains on nothing else of the
    policy's own, the real share is of the tokens that those answers will have. `metas` are the pairs of the stage meta.
    Raises StarvedLoop with fewer than `spec.min_rows` own rows, or prompts, this round; and with no prompt to draw to.
    """
    kind = row_kind(selected)
    handed = list(selected.records(HandedPrompt, PROMPTS.table)) if selected.has(PROMPTS.table) else None
    _raise_if_starved(spec, selected, handed)
    decided = round_orders(decision)
    iteration = 0 if previous is None else mixing_of(previous).iteration + 1
    pool, later = human_rows(kind, selected, {"human": human, "human_pairs": human_pairs, "feedback": feedback})
    people = _People(pool, later, [] if previous is None else list(previous.records(Spent, "ledger")))
    own = [selected] if previous is None or spec.data == "replace" else [selected, previous]
    made = [] if metas is None else list(metas.records(PreferencePair, PAIRS.table))
    judgments = [] if spec.meta_share is None else within_share(made, selected.rows(kind.table), spec.meta_share)
    labelled = any(label_of(row) is not None for row in pool) or has_labels(own, kind.table)
    counts = Counter[str]()
    if handed is not None:
        with out.table(HandedPrompt, PROMPTS.table) as table:
            table.write(handed)
        if kind is EXAMPLES:
            _tally_drawn(handed, spec.draws, counts)
    with out.table(written_as(kind.record, labelled), kind.table) as rows:
        for row in chain(_own_rows(spec, selected, previous, iteration), judgments):
            _tally(row, counts)
            rows.add(replace(row, iteration=iteration) if row.iteration is None else row)
        draw = _draw(people.able(spec, iteration), people.uses, counts, decided, seed)
        for row in draw.rows:
            _tally(row, counts)
            rows.add(replace(row, iteration=iteration))
    ledger = people.ledger(draw.rows, iteration)
    with out.table(Spent, "ledger") as kept:
        kept.write(ledger)
    mixing = _mixing(spec, kind, iteration, decided, counts, people, draw, ledger)
    if spec.meta_share is not None:
        mixing = MetaMixing(
            **asdict(mixing),
            meta_rows=counts["meta_rows"],
            meta_tokens=counts["meta_tokens"],
            meta_rows_new=len(judgments),
            meta_rows_over=len(made) - len(judgments),
        )
    save_report(out, "mixing", mixing)


@dataclass(frozen=True, slots=True)
class _People:
    """The human rows of this round, the ids of those that others may have, and what was `spent` before."""

    pool: Sequence[TrainingRow]
    later: Sequence[str]
    spent: Sequence[Spent]

    @property
    def uses(self) -> Counter[str]:
        return uses_of(self.spent)

    def able(self, spec: MixSpec, iteration: int) -> list[TrainingRow]:
        """The rows that are neither used up nor in the training set already."""
        uses = self.uses
        there = {entry.example_id for entry in self.spent if entry.iteration >= _oldest(spec, iteration)}
        return [row for row in self.pool if uses[ledger_id(row)] < spec.max_uses and ledger_id(row) not in there]

    def ledger(self, drawn: Iterable[TrainingRow], iteration: int) -> list[Spent]:
        """What is spent now that these are drawn."""
        new = (Spent(example_id=ledger_id(row), iteration=iteration, tokens=tokens_of(row)) for row in drawn)
        return [*self.spent, *new]


@dataclass(frozen=True, slots=True)
class _Draw:
    """The human rows that were drawn where so many units were `wanted`; `dry` where there are no more."""

    rows: Sequence[TrainingRow]
    wanted: float
    dry: bool

    @property
    def units(self) -> int:
        return sum(map(units_of, self.rows))


def _draw(
    able: Sequence[TrainingRow], uses: Counter[str], counts: Counter[str], decided: RoundOrders, seed: int
) -> _Draw:
    """Human rows beside what `counts` has, until they hold the share that was decided."""
    share = decided.real_share
    wanted = share / (1 - share) * (counts["self_units"] + counts["meta_units"]) - counts["human_units"]
    rows, dry = draw_human(able, uses, wanted, decided.human_left, seed)
    return _Draw(rows, wanted, dry)


def _mixing(
    spec: MixSpec,
    kind: RowKind,
    iteration: int,
    decided: RoundOrders,
    counts: Counter[str],
    people: _People,
    draw: _Draw,
    ledger: Sequence[Spent],
) -> Mixing:
    before, used = people.uses, uses_of(ledger)
    return Mixing(
        iteration=iteration,
        unit=kind.unit,
        self_rows=counts["self_rows"],
        self_tokens=counts["self_tokens"],
        human_rows=counts["human_rows"],
        human_tokens=counts["human_tokens"],
        human_rows_drawn=len(draw.rows),
        human_rows_fresh=sum(before[ledger_id(row)] == 0 for row in draw.rows),
        human_rows_spent=len(used),
        human_rows_left=sum(used[one] < spec.max_uses for one in {*map(ledger_id, people.pool), *people.later}),
        human_left=None if decided.human_left is None else decided.human_left - draw.units,
        max_uses=spec.max_uses,
        reuse_epochs=len(ledger) / len(used) if used else None,
        real_share_asked=decided.real_share,
        real_share_tokens=_human_share(counts, "tokens"),
        real_share_rows=_human_share(counts, "rows"),
        short=max(0, round(draw.wanted) - draw.units),
        dry=draw.dry,
        sft_weight=decided.orders.sft_weight,
    )


def _raise_if_starved(spec: MixSpec, selected: Artifact, handed: Sequence[HandedPrompt] | None) -> None:
    """Raises StarvedLoop with too few own rows, or prompts where those alone are trained on, or no prompts at all."""
    kind = row_kind(selected)
    found, many = selected.rows(kind.table), f"own {kind.many}"
    if kind is EXAMPLES and handed is not None:
        found, many = len(handed), PROMPTS.many
    if found < spec.min_rows:
        raise StarvedLoop(f"{found} {many} to train on, mix.min_rows asks for {spec.min_rows}; {_of_all(selected)}")
    if handed == []:
        raise StarvedLoop(
            f"{found} {many}, and no prompt for the update to draw answers to: of none do the scores differ, "
            f"select.prompts=all hands on every prompt; {_of_all(selected)}"
        )


def _human_share(counts: Counter[str], what: str) -> float:
    return counts[f"human_{what}"] / sum(counts[f"{origin}_{what}"] for origin in get_args(Origin))


def _tally(row: TrainingRow, counts: Counter[str]) -> None:
    """Adds a row to the rows, tokens and units of both origins: `self_rows`, `human_units` and so on."""
    counts[f"{row.origin}_rows"] += 1
    counts[f"{row.origin}_tokens"] += tokens_of(row)
    counts[f"{row.origin}_units"] += units_of(row)


def _tally_drawn(prompts: Sequence[HandedPrompt], draws: int | None, counts: Counter[str]) -> None:
    """Adds prompts, and the tokens of the answers that an update will draw to them, as `_tally` adds rows."""
    assert draws is not None, "prompts are handed to an update that draws"
    tokens = ceil(draws * fmean(one.tokens for one in prompts))
    counts.update(self_rows=len(prompts), self_tokens=tokens, self_units=tokens)


def _own_rows(spec: MixSpec, selected: Artifact, previous: Artifact | None, iteration: int) -> Iterator[TrainingRow]:
    """The rows that stay from earlier rounds, then this round's own, which no round is written on yet."""
    kind = row_kind(selected)
    if previous is not None and spec.data != "replace":
        oldest = _oldest(spec, iteration)
        for row in previous.records(kind.record, kind.table):
            if row.iteration is not None and row.iteration >= oldest:
                yield row
    yield from selected.records(kind.record, kind.table)


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


def _of_all(selected: Artifact) -> str:
    counts = {name: value for name, value in selection_counts(selected).by_name.items() if value}
    return f"of all: {', '.join(f'{name} {value}' for name, value in sorted(counts.items()))}"
