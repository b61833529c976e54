"""Why each candidate of a prompt was chosen or left out, asked anew of the functions that chose."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from selfreward.answers import distinct_key
from selfreward.records import Example, Prompt
from selfreward.stages.examples import BestOfK, RandomPick, choose, order_of
from selfreward.stages.pairs import PreferencePairs, anchor_pair, choose_pairs
from selfreward.stages.pool import Rated, SelectBase, best_first, eligible, looked_at, ranked
from selfreward.stages.select import AnySelect


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


def explain_choice(spec: AnySelect, prompt: Prompt, rated: Sequence[Rated], seed: int) -> Choice:
    """What a selection did with the candidates of a prompt; `seed` is that of the select stage."""
    counts: Counter[str] = Counter()
    pairs: tuple[tuple[str, str], ...] = ()
    match spec:
        case PreferencePairs():
            made = choose_pairs(spec, prompt, rated, seed, counts)
            pairs = tuple((better.candidate.id, worse.candidate.id) for better, worse in made)
            chosen = {one for pair in pairs for one in pair}
        case BestOfK() | RandomPick():
            chosen = {one.candidate.id for one in choose(spec, prompt, rated, seed, counts)}
    reasons = _left_out(spec, rated)
    order = best_first if isinstance(spec, PreferencePairs) else order_of(spec, seed)
    able = ranked(spec, prompt, rated, order, Counter())
    first = {distinct_key(prompt, one.candidate.text): one.candidate.id for one in reversed(able)}
    for rank, one in enumerate(able, start=1):
        name = "selected" if one.candidate.id in chosen else "passed_over"
        reasons[one.candidate.id] = Reason(name=name, rank=rank)
    for one in rated:
        if one.candidate.id not in reasons:
            again = first[distinct_key(prompt, one.candidate.text)]
            reasons[one.candidate.id] = Reason(name="duplicate", repeats=again)
    return Choice(reasons, counts, pairs)


def explain_anchor(spec: PreferencePairs, prompt: Prompt, human: Example, rated: Sequence[Rated]) -> Choice:
    """The same for a prompt that was sampled to set its human answer against the policy's worst one."""
    counts: Counter[str] = Counter()
    pair = anchor_pair(spec, prompt, human, rated, counts)
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
    reasons = {one.candidate.id: Reason(name="beyond_k") for one in rated if one not in pool}
    for one in pool:
        against: Counter[str] = Counter()
        if not list(eligible(spec, [one], against)):
            reasons[one.candidate.id] = Reason(name=next(iter(against)))
    return reasons
