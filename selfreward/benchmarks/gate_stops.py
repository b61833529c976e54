"""How often the gate stops runs whose judge is healthy, and runs whose judge is not, over all rounds of a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from selfreward.benchmarks.bench_table import Row, Section
from selfreward.judge_quality.estimate import Measures, share_of
from selfreward.monitor.gate_rules import GateSpec, Rule, judge_gate

RUNS = 400
MOST_FALSE, FEWEST_FOUND = 0.05, 0.9
TOP, PARSED = "share_at_maximum", "parse_rate"

_LOOKS = 10
_ANSWERS = 2
_GOLD = ((12, 1), (20, 1), (24, 1), (32, 1), (40, 1), (48, 1), (24, 6), (48, 6))
_LIKE_THEIR_PROMPT = {1: 1.0, 6: 0.5}
_SPEC = GateSpec(looks=_LOOKS)
_ONCE = GateSpec(looks=1, alpha=0.025)
"""What a single look with the limits of 95% intervals would do: no round is paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A judge by its true share at the maximum and parse rate, and on what it is seen: prompts, and pairs of each.

    With `rounds` as many prompts of the round are judged too, as in a run; without, gold has to do. `most` is the
    largest share of runs that may be stopped, `fewest` the smallest: None where nothing is asked.
    """

    name: str
    top: float
    parsed: float
    prompts: int
    pairs: int
    rounds: bool
    most: float | None = None
    fewest: float | None = None


def gate_section(luck: np.random.SeedSequence, runs: int) -> Section:
    """One row for each judge of `_judges`, over `runs` runs of ten rounds."""
    judges = list(_judges())
    rows = [
        _row(one, np.random.default_rng(lot), runs) for one, lot in zip(judges, luck.spawn(len(judges)), strict=True)
    ]
    return Section(
        title="The gate over ten rounds",
        reading=(
            f"In which share of {runs} runs of {_LOOKS} rounds the gate, as it comes, stops the run; each round is "
            "another draw. A healthy judge lies one standard deviation of a share of as many prompts inside the "
            "bounds of both rules, and is seen on gold and on as many prompts of the round; a faulty one is seen on "
            "gold alone. Of one pair a prompt both answers are alike; of six, half of the answers go with their prompt "
            f"and the others are independent. A row holds if a healthy judge is stopped in at most {MOST_FALSE:.0%}, "
            f"or a faulty one in at least {FEWEST_FOUND:.0%}; nothing is asked of the other rows. Unpaid: what 95% "
            "intervals of single looks would do."
        ),
        columns=("prompts", "pairs a prompt", "share at maximum", "parse rate", "stopped", "unpaid"),
        rows=tuple(rows),
    )


def _judges() -> Iterator[Watched]:
    for prompts, pairs in _GOLD:
        yield Watched(
            name="healthy",
            top=_inside(_bound(TOP), -1, prompts),
            parsed=_inside(_bound(PARSED), 1, prompts),
            prompts=prompts,
            pairs=pairs,
            rounds=True,
            most=MOST_FALSE,
        )
    seen = partial(Watched, rounds=False)
    for prompts in (48, 200):
        yield seen(name="at its bound", top=_bound(TOP), parsed=1.0, prompts=prompts, pairs=1)
        yield seen(name="at its bound", top=0.0, parsed=_bound(PARSED), prompts=prompts, pairs=1)
    for prompts, pairs in ((24, 1), (48, 1), (48, 6)):
        faulty = partial(seen, prompts=prompts, pairs=pairs, fewest=FEWEST_FOUND if prompts == 48 else None)
        yield faulty(name="nearly always the maximum", top=0.99, parsed=1.0)
        yield faulty(name="seldom read", top=0.0, parsed=0.3)


def _bound(name: str) -> float:
    rule: Rule = GateSpec().rules()[name]
    bound = rule.above if rule.below is None else rule.below
    assert bound is not None, "both rules have a bound as they come"
    return bound


def _inside(bound: float, side: int, prompts: int) -> float:
    """The share that lies its own standard deviation, over as many prompts, above or below `bound`."""
    shares = np.linspace(0, 1, 10001)
    apart = np.abs(shares - side * np.sqrt(shares * (1 - shares) / prompts) - bound)
    there = np.where((shares - bound) * side > 0, apart, np.inf)
    return float(shares[there.argmin()])


def _row(one: Watched, rng: np.random.Generator, runs: int) -> Row:
    stopped, unpaid = np.mean([_run(one, rng) for _ in range(runs)], axis=0).tolist()
    passed = None
    if one.most is not None:
        passed = stopped <= one.most
    elif one.fewest is not None:
        passed = stopped >= one.fewest
    shares = (f"{share:.3f}" for share in (one.top, one.parsed, stopped, unpaid))
    return Row(name=one.name, cells=(one.prompts, one.pairs, *shares), passed=passed)


def _run(one: Watched, rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether the gate stops a run, and whether single looks would."""
    found = (False, False)
    for _ in range(_LOOKS * (2 if one.rounds else 1)):
        seen = _look(one, rng)
        paid, unpaid = (judge_gate(spec, seen).action == "stop" for spec in (_SPEC, _ONCE))
        found = (found[0] or paid, found[1] or unpaid)
    return found


def _look(one: Watched, rng: np.random.Generator) -> Measures:
    prompts = np.repeat(np.arange(one.prompts), one.pairs).tolist()
    top, parsed = (_values(share, one, rng).mean(axis=2).ravel().tolist() for share in (one.top, one.parsed))
    return {TOP: share_of(top, prompts, "-"), PARSED: share_of(parsed, prompts, "-")}


def _values(share: float, one: Watched, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each answer is one of the `share`, by prompt, pair and answer."""
    shape = (one.prompts, one.pairs, _ANSWERS)
    of_prompt = np.broadcast_to(rng.random((one.prompts, 1, 1)), shape)
    alike = rng.random(shape) < _LIKE_THEIR_PROMPT[one.pairs]
    return np.where(alike, of_prompt, rng.random(shape)) < share
