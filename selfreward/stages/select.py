"""Select: which candidates become training rows, and a count of why the others did not."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from selfreward.artifacts import Advance, Artifact, Output, Part
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.output import Table
from selfreward.judge_quality.opinions import weights_of
from selfreward.monitor.controller import Orders
from selfreward.records import Example, Prompt, TrainingRow, UnlabelledPair
from selfreward.row_kinds import PROMPTS, candidates_of, written_as
from selfreward.selection import AnySelect
from selfreward.selection.anchors import worst_at_first
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice, save_counts
from selfreward.selection.fates import Fate
from selfreward.selection.handed import HandedPrompt, handed
from selfreward.selection.novelty import NO_ORDERS, lowered, within_cap
from selfreward.selection.orders import round_orders
from selfreward.selection.pairs import choose_anchored
from selfreward.selection.pool import Rated, pools
from selfreward.selection.soft_labels import labelled, preferences
from selfreward.selection.training_rows import HUMAN_TABLE

VERSION = 9

Pools = Iterator[tuple[Prompt, list[Rated]]]


@few_collections()
def select(
    out: Output,
    spec: AnySelect,
    *,
    seed: int,
    candidates: Artifact,
    judgments: Artifact,
    prompts: Artifact,
    weights: Part | None = None,
    decision: Part | None,
    first_candidates: Artifact | None,
    first_judgments: Artifact | None,
) -> None:
    """The table of the rows that the rule makes, `fates` of Fate, and `selection.json`; of pairs `human_pairs` too.

    Every candidate has one fate. `selection.json` counts them: every candidate that is looked at once, as selected, as
    passed over, or under the first reason that took it out. Human prompts that were sampled along make human pairs
    alone, and only those are counted.

    Where the rule hands prompts to the update, they are table `prompts`, of HandedPrompt.

    Where the rule labels its pairs, they carry how far the judge prefers the chosen answer (`judges.votes`), None where
    it compared no such two: `weights` are those that a jury learned.

    `decision` is the part `orders` of that of the round before, which are followed; the `first_` tables are those of
    iteration 0, read where pairs are ordered to reject its answers. A round is streamed, prompt by prompt, unless a cap
    or those answers are ordered.
    """
    orders = NO_ORDERS if decision is None else round_orders(decision).orders
    spec = lowered(spec, orders)
    counts: Counter[str] = Counter(
        prompts=0, prompts_without_selection=0, candidates=0, selected=0, passed_over=0, cut=0, duplicate=0
    )
    counts.update(dict.fromkeys(spec.counted, 0))
    first: Mapping[str, Sequence[Rated]] = {}
    if orders.anchored:
        assert first_candidates is not None, "no orders reach iteration 0"
        assert first_judgments is not None
        first = worst_at_first(spec, prompts, first_candidates, first_judgments)
        counts["anchored"] = 0
    before = {one.candidate.id for worst in first.values() for one in worst}
    said = None
    if spec.labelled:
        said = preferences(candidates, judgments, None if weights is None else weights_of(weights))
        counts.update(pairs_without_label=0, labels_below_half=0)
    with ExitStack() as opened:
        advance = opened.enter_context(out.progress(prompts.rows(), "prompts"))
        fates = opened.enter_context(out.table(Fate, "fates"))
        rated = _advancing(pools(prompts, candidates, judgments), advance)
        if spec.anchors:
            pairs = opened.enter_context(out.table(UnlabelledPair, HUMAN_TABLE))
            human = {example.prompt_id: example for example in prompts.records(Example, "human")}
            rated = _not_anchored(spec, rated, human, first, before, pairs, fates, counts)
        rows = opened.enter_context(out.table(written_as(spec.makes.record, spec.labelled), spec.makes.table))
        asked: Iterator[Asked] = (
            Asked(prompt=prompt, rated=group, seed=seed, orders=orders, first=first.get(prompt.id, ()))
            for prompt, group in rated
        )
        if spec.hands is not None:
            given = opened.enter_context(out.table(HandedPrompt, PROMPTS.table))
            asked = handed(asked, spec, given, counts)
        choices = map(spec.choose, asked)
        for choice in _capped(choices, orders, counts):
            made = list(spec.rows(choice))
            if said is not None:
                preference = next(found for id_, found in said if id_ == choice.prompt.id)
                made = labelled(made, preference, counts)
            rows.add(*made)
            _tell(choice, fates, counts)
            counts.update(spec.tally(made))
            _count_anchored(made, before, counts)
    save_counts(out, counts)


def _not_anchored(
    spec: AnySelect,
    rated: Pools,
    human: Mapping[str, Example],
    first: Mapping[str, Sequence[Rated]],
    before: Collection[str],
    pairs: Table[UnlabelledPair],
    fates: Table[Fate],
    counts: Counter[str],
) -> Pools:
    """The prompts without a human answer; of the others, that answer is set against the policy's worst."""
    for prompt, group in rated:
        if prompt.id not in human:
            yield prompt, group
            continue
        pair, found = choose_anchored(spec, prompt, human[prompt.id], group, first.get(prompt.id, ()))
        fates.add(*found)
        counts["human_prompts_without_pair" if pair is None else "human_pairs"] += 1
        if pair is not None:
            pairs.add(pair)
            _count_anchored([pair], before, counts)


def _count_anchored(rows: Sequence[TrainingRow], before: Collection[str], counts: Counter[str]) -> None:
    """Adds the rows with a candidate that was there `before`, at iteration 0; nothing is said where none could be."""
    if before:
        counts["anchored"] += sum(not candidates_of(row).isdisjoint(before) for row in rows)


def _tell(choice: Choice, fates: Table[Fate], counts: Counter[str]) -> None:
    found = choice.fates()
    fates.add(*found)
    choice.count(found, counts)


def _capped(choices: Iterator[Choice], orders: Orders, counts: Counter[str]) -> Iterable[Choice]:
    """`choices` as they come, or what a cap, where it is ordered, leaves of those of the whole round."""
    if orders.cluster_cap is None:
        return choices
    counts["over_cluster_cap"] = 0
    return within_cap(list(choices), orders.cluster_cap)


def _advancing(rated: Pools, advance: Advance) -> Pools:
    for one in rated:
        yield one
        advance(1)
