"""Select: which candidates become training rows, and a count of why the others did not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from selfreward.artifacts import Advance, Artifact, Output, Part
from selfreward.monitor.controller import Orders
from selfreward.records import Example, PreferencePair, Prompt
from selfreward.selection import AnySelect
from selfreward.selection.anchors import worst_at_first
from selfreward.selection.examples import BestOfK, RandomPick, choose, example_of
from selfreward.selection.novelty import Pick, lowered, orders_of, take_back, within_cap
from selfreward.selection.pairs import PreferencePairs, anchor_pair, choose_pairs, pair_of
from selfreward.selection.pool import Rated, pools

VERSION = 8

Pools = Iterator[tuple[Prompt, list[Rated]]]


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
    """Table `rows` of Example, or `pairs` and `human_pairs` of PreferencePair, and `selection.json`.

    The counts say how many candidates each rule left: every candidate that is looked at is counted once, as selected,
    as passed over, or under the first reason that took it out (`cut`, an outcome such as `unscored:truncated`,
    `empty`, `below_threshold`, `duplicate`). Human prompts that were sampled along make human pairs alone.

    `decision` is the part `orders` of that of the round before, which are followed; the `first_` tables are those of
    iteration 0, read where pairs are ordered to reject its answers. A round is streamed, prompt by prompt, unless a cap
    or those answers are ordered. Candidates that a cap takes out are counted as `over_cluster_cap`.
    """
    orders = orders_of(decision)
    spec = lowered(spec, orders)
    counts: Counter[str] = Counter(
        prompts=0, prompts_without_selection=0, candidates=0, selected=0, passed_over=0, cut=0, duplicate=0
    )
    with out.progress(prompts.rows(), "prompts") as advance:
        rated = _advancing(pools(prompts, candidates, judgments), advance)
        match spec:
            case PreferencePairs():
                human = {example.prompt_id: example for example in prompts.records(Example, "human")}
                first: Mapping[str, Sequence[Rated]] = {}
                if orders.anchored:
                    assert first_candidates is not None, "no orders reach iteration 0"
                    assert first_judgments is not None
                    first = worst_at_first(spec, prompts, first_candidates, first_judgments)
                counts.update(pairs=0, ties=0, below_margin=0, human_pairs=0, human_prompts_without_pair=0)
                _write_pairs(out, spec, rated, human, first, seed, orders, counts)
            case BestOfK() | RandomPick():
                picks = (
                    (prompt, (pick,))
                    for prompt, group in rated
                    for pick in choose(spec, prompt, group, seed, counts, orders)
                )
                with out.table(Example) as table:
                    table.write_all(
                        example_of(prompt, *chosen) for prompt, chosen in _capped(picks, {}, orders, counts)
                    )
    out.write_json("selection", dict(counts))


def _write_pairs(
    out: Output,
    spec: PreferencePairs,
    rated: Pools,
    human: Mapping[str, Example],
    first: Mapping[str, Sequence[Rated]],
    seed: int,
    orders: Orders,
    counts: Counter[str],
) -> None:
    anchors: list[PreferencePair] = []

    def own() -> Iterator[Pick]:
        for prompt, group in rated:
            worst = first.get(prompt.id, ())
            if prompt.id not in human:
                for pair in choose_pairs(spec, prompt, group, seed, counts, orders, worst):
                    yield prompt, pair
            elif (anchor := anchor_pair(spec, prompt, human[prompt.id], group, counts, worst)) is not None:
                anchors.append(anchor)

    with out.table(PreferencePair, "pairs") as table:
        table.write_all(pair_of(prompt, *pair) for prompt, pair in _capped(own(), first, orders, counts))
    with out.table(PreferencePair, "human_pairs") as table:
        table.write(anchors)


def _capped(
    picks: Iterator[Pick], first: Mapping[str, Sequence[Rated]], orders: Orders, counts: Counter[str]
) -> Iterable[Pick]:
    """`picks` as they come, or what a cap, where it is ordered, leaves of those of the whole round."""
    if orders.cluster_cap is None:
        return picks
    kept, over = within_cap(list(picks), orders.cluster_cap)
    take_back(kept, over, {one for worst in first.values() for one in worst}, counts)
    return kept


def _advancing(rated: Pools, advance: Advance) -> Pools:
    for one in rated:
        yield one
        advance(1)
