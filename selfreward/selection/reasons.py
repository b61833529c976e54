"""Why each candidate of a prompt was chosen or left out, asked anew of the functions that chose."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

from selfreward.answers import distinct_key
from selfreward.monitor.controller import Orders
from selfreward.records import Example, Prompt
from selfreward.selection import AnySelect
from selfreward.selection.examples import BestOfK, RandomPick, choose, example_of, order_of
from selfreward.selection.novelty import NO_ORDERS, Pick, take_back
from selfreward.selection.pairs import PreferencePairs, anchor_pair, choose_pairs, pair_of
from selfreward.selection.pool import Rated, SelectBase, eligible, looked_at, ranked
from selfreward.selection.tiers import by_worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What became of one candidate.

    `name` is the one it is counted under in `selection.json`, or `beyond_k` for one that was not looked at, or
    `same_as_human` for one that says what the human answer says. `rank` is its place among the candidates that could
    be chosen, from 1; `repeats` the id of the one whose answer it gives again.
    """

    name: str
    rank: int | None = None
    repeats: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The reason for every candidate of a prompt, by candidate id, and what the prompt adds to `selection.json`.

    `pairs` are the ids (chosen, rejected) of the preference pairs; with a human answer, its id stands for chosen.
    """

    reasons: dict[str, Reason]
    counts: Counter[str]
    pairs: tuple[tuple[str, str], ...] = ()


def explain_choice(
    spec: AnySelect,
    prompt: Prompt,
    rated: Sequence[Rated],
    seed: int,
    orders: Orders = NO_ORDERS,
    first: Sequence[Rated] = (),
    kept: Container[str] | None = None,
) -> Choice:
    """What a selection did with the candidates of a prompt; `seed` is that of the select stage.

    `spec` has the `k` that was ordered. `kept` are the ids of the rows that a cap over the whole round left; None for
    a round without one.
    """
    counts: Counter[str] = Counter()
    made: list[tuple[str, tuple[Rated, ...]]]
    match spec:
        case PreferencePairs():
            pairs = choose_pairs(spec, prompt, rated, seed, counts, orders, first)
            made = [(pair_of(prompt, *pair).id, pair) for pair in pairs]
        case BestOfK() | RandomPick():
            made = [(example_of(prompt, one).id, (one,)) for one in choose(spec, prompt, rated, seed, counts, orders)]
    left: list[Pick] = [(prompt, picked) for row, picked in made if kept is None or row in kept]
    over: list[Pick] = [(prompt, picked) for row, picked in made if kept is not None and row not in kept]
    lost = take_back(left, over, first, counts) if over else set()
    chosen = {one.candidate.id for _, picked in left for one in picked}
    reasons = _left_out(spec, rated)
    order = by_worth(spec.length_tier) if isinstance(spec, PreferencePairs) else order_of(spec, seed)
    able = ranked(spec, prompt, rated, order, Counter())
    given = {distinct_key(prompt, one.candidate.text): one.candidate.id for one in reversed(able)}
    for rank, one in enumerate(able, start=1):
        mine = one.candidate.id
        name = "selected" if mine in chosen else "over_cluster_cap" if mine in lost else "passed_over"
        reasons[mine] = Reason(name=name, rank=rank)
    for one in rated:
        if one.candidate.id not in reasons:
            again = given[distinct_key(prompt, one.candidate.text)]
            reasons[one.candidate.id] = Reason(name="duplicate", repeats=again)
    paired = [(picked[0].candidate.id, picked[1].candidate.id) for _, picked in left if len(picked) > 1]
    return Choice(reasons, counts, tuple(paired))


def explain_anchor(
    spec: PreferencePairs, prompt: Prompt, human: Example, rated: Sequence[Rated], first: Sequence[Rated] = ()
) -> Choice:
    """The same for a prompt that was sampled to set its human answer against the policy's worst one."""
    counts: Counter[str] = Counter()
    pair = anchor_pair(spec, prompt, human, rated, counts, first)
    worst = None if pair is None else pair.rejected_id
    reasons = _left_out(spec, rated)
    for one in rated:
        if one.candidate.id not in reasons:
            other = "same_as_human" if one.candidate.text == human.text else "passed_over"
            reasons[one.candidate.id] = Reason(name="selected" if one.candidate.id == worst else other)
    return Choice(reasons, counts, () if worst is None else ((human.id, worst),))


def _left_out(spec: SelectBase, rated: Sequence[Rated]) -> dict[str, Reason]:
    """The reason for every candidate that could not be chosen."""
    pool = looked_at(spec, rated)
    reasons = {one.candidate.id: Reason(name="beyond_k") for one in rated if one.candidate.index >= spec.k}
    for one in pool:
        against: Counter[str] = Counter()
        if not list(eligible(spec, [one], against)):
            reasons[one.candidate.id] = Reason(name=next(iter(against)))
    return reasons
