"""Select: which candidates become training rows, and a count of why the others did not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from selfreward.artifacts import Advance, Artifact, Output, Part
from selfreward.artifacts.many_rows import few_collections
from selfreward.artifacts.output import Table
from selfreward.monitor.controller import Orders
from selfreward.records import Example, PreferencePair, Prompt
from selfreward.selection import AnySelect
from selfreward.selection.anchors import worst_at_first
from selfreward.selection.choice import Choice, save_counts
from selfreward.selection.examples import BestOfK, RandomPick, choose, example_of
from selfreward.selection.fates import Fate
from selfreward.selection.novelty import NO_ORDERS, lowered, within_cap
from selfreward.selection.orders import round_orders
from selfreward.selection.pairs import PreferencePairs, choose_anchored, choose_pairs, pair_of
from selfreward.selection.pool import Rated, pools

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
    decision: Part | None,
    first_candidates: Artifact | None,
    first_judgments: Artifact | None,
) -> None:
    """Table `rows` of Example, or `pairs` and `human_pairs` of PreferencePair, `fates` of Fate, and `selection.json`.

    Every candidate has one fate. `selection.json` counts them: every candidate that is looked at once, as selected, as
    passed over, or under the first reason that took it out. Human prompts that were sampled along make human pairs
    alone, and only those are counted.

    `decision` is the part `orders` of that of the round before, which are followed; the `first_` tables are those of
    iteration 0, read where pairs are ordered to reject its answers. A round is streamed, prompt by prompt, unless a cap
    or those answers are ordered.
    """
    orders = NO_ORDERS if decision is None else round_orders(decision).orders
    spec = lowered(spec, orders)
    counts: Counter[str] = Counter(
        prompts=0, prompts_without_selection=0, candidates=0, selected=0, passed_over=0, cut=0, duplicate=0
    )
    with out.progress(prompts.rows(), "prompts") as advance, out.table(Fate, "fates") as fates:
        rated = _advancing(pools(prompts, candidates, judgments), advance)
        match spec:
            case PreferencePairs():
                human = {example.prompt_id: example for example in prompts.records(Example, "human")}
                first: Mapping[str, Sequence[Rated]] = {}
                if orders.anchored:
                    assert first_candidates is not None, "no orders reach iteration 0"
                    assert first_judgments is not None
                    first = worst_at_first(spec, prompts, first_candidates, first_judgments)
                _write_pairs(out, spec, rated, human, first, seed, orders, counts, fates)
            case BestOfK() | RandomPick():
                choices = (choose(spec, prompt, group, seed, orders) for prompt, group in rated)
                with out.table(Example) as rows:
                    for choice in _capped(choices, orders, counts):
                        rows.add(*(example_of(choice.prompt, *pick) for pick in choice.picks))
                        _tell(choice, fates, counts)
    save_counts(out, counts)


def _write_pairs(
    out: Output,
    spec: PreferencePairs,
    rated: Pools,
    human: Mapping[str, Example],
    first: Mapping[str, Sequence[Rated]],
    seed: int,
    orders: Orders,
    counts: Counter[str],
    fates: Table[Fate],
) -> None:
    counts.update(pairs=0, ties=0, below_margin=0, human_pairs=0, human_prompts_without_pair=0)
    if orders.anchored:
        counts["anchored"] = 0
    before = {one.candidate.id for worst in first.values() for one in worst}
    with out.table(PreferencePair, "human_pairs") as human_pairs, out.table(PreferencePair, "pairs") as pairs:

        def own() -> Iterator[Choice]:
            for prompt, group in rated:
                worst = first.get(prompt.id, ())
                if prompt.id not in human:
                    yield choose_pairs(spec, prompt, group, seed, counts, orders, worst)
                    continue
                pair, found = choose_anchored(spec, prompt, human[prompt.id], group, worst)
                fates.add(*found)
                counts["human_prompts_without_pair" if pair is None else "human_pairs"] += 1
                if pair is not None:
                    human_pairs.add(pair)
                    counts.update({"anchored": 1} if pair.rejected_id in before else {})

        for choice in _capped(own(), orders, counts):
            made = [pair_of(choice.prompt, *pick) for pick in choice.picks]
            pairs.add(*made)
            _tell(choice, fates, counts)
            counts["pairs"] += len(made)
            if orders.anchored:
                counts["anchored"] += sum(not before.isdisjoint((pair.chosen_id, pair.rejected_id)) for pair in made)


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
