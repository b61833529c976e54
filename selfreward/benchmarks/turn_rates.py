"""How often a turn is told where gold never falls, how often where it does, and which policy is then called best.

Shape suffixes: T policies, N prompts.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import numpy as np

from selfreward.benchmarks.bench_table import Cell, Row, Section
from selfreward.benchmarks.tilted_policies import (
    BLIND_SPOTS,
    GAIN,
    LOSS,
    Course,
    DrawnRun,
    Floats,
    blind_spot,
    drawn_runs,
    harmless,
    over_optimised,
)
from selfreward.judge_quality.estimate import Measure, share_limits
from selfreward.monitor.gate_rules import GateSpec, overoptimised
from selfreward.monitor.over_optimisation import ScoresByPolicy, best_policy, turned

SIZES = (24, 48, 100, 200, 450, 800)
ASKED_AT, ASKED_ANSWERS = 450, 4
MOST_FALSE, FEWEST_FOUND = 0.05, 0.95

_HARMLESS = ("both rise", "gold levels off", "gold stands still")
_ROUNDS = (3, 10)
_ANSWERS = (1, 2, 4)
_ONE_SIDED = 1.645

Told = Callable[[GateSpec, ScoresByPolicy], Iterator[bool]]
Choice = Callable[[Floats], int]


def paired(spec: GateSpec, scores: ScoresByPolicy) -> Iterator[bool]:
    """Whether a turn is told of each policy after the initial one, beside those before it."""
    for last in range(1, len(scores.gold_TP)):
        yield turned(spec, ScoresByPolicy(scores.proxy_TP[: last + 1], scores.gold_TP[: last + 1])).turned


def unpaired(spec: GateSpec, scores: ScoresByPolicy) -> Iterator[bool]:
    """The same of intervals that lie apart, each of one policy by itself: all that there is without pairs."""
    proxies, golds = ([_measure(one_N) for one_N in one_TN] for one_TN in (scores.proxy_TP, scores.gold_TP))
    for last in range(1, len(golds)):
        yield overoptimised(spec, "gold", proxies[: last + 1], golds[: last + 1]).bound is not None


def first_told(looks: Iterator[bool]) -> int | None:
    """The number of the first policy of which a turn is told; None where none is."""
    return next((number for number, told in enumerate(looks, start=1) if told), None)


def false_section(luck: np.random.SeedSequence, runs: int) -> Section:
    """In which share of runs a turn is told although gold never falls."""
    rows: list[Row] = []
    kinds = [(name, rounds) for name in _HARMLESS for rounds in _ROUNDS]
    for (name, rounds), lot in zip(kinds, luck.spawn(len(kinds)), strict=True):
        rng = np.random.default_rng(lot)
        # Short runs are cheap, and the payment for few looks is the tightest.
        count = runs * _ROUNDS[-1] // rounds
        drawn = list(drawn_runs(harmless(name, rounds, rng), rng, count, ASKED_AT, ASKED_ANSWERS))
        for prompts, answers in ((24, 1), (ASKED_AT, 1), (ASKED_AT, ASKED_ANSWERS)):
            rows.append(_false(name, rounds, prompts, answers, drawn))
    return Section(
        title="False stops",
        reading=(
            "In which share of runs a turn is told in any round although gold never falls, with its 95% interval. Gold "
            "says right or wrong of an answer; prompts are drawn anew for each run and are the same for "
            "all of its policies. `both rise`: the proxy is quality itself, and gold gains "
            f"{GAIN:g}. In the other rows the proxy goes on to rise by what gold knows nothing of, after half of the "
            "run or from its start, and gold stands still exactly: the hardest case. A row holds if at most "
            f"{MOST_FALSE:.0%} of the runs are stopped. `Looks unpaid`: every look takes the whole error for itself."
        ),
        columns=("runs", "rounds", "prompts", "answers a prompt", "stopped", "interval", "looks unpaid"),
        rows=tuple(rows),
    )


def power_section(luck: np.random.SeedSequence, runs: int) -> Section:
    """In which share of runs a turn is told after the peak of gold, by the number of gold prompts."""
    rows: list[Row] = []
    for name, lot in zip(BLIND_SPOTS, luck.spawn(len(BLIND_SPOTS)), strict=True):
        rng = np.random.default_rng(lot)
        answers = blind_spot(name, rng)
        for rounds in _ROUNDS:
            course = over_optimised(answers, rounds)
            drawn = list(drawn_runs(course, rng, runs, SIZES[-1], _ANSWERS[-1]))
            rows += [_power(name, course, drawn, count, paired) for count in _ANSWERS]
        rows.append(_power(f"{name}, unpaired", course, drawn, _ANSWERS[-1], unpaired))
    return Section(
        title="Power",
        reading=(
            f"In which share of {runs} runs a turn is told after the peak of gold, by the number of gold prompts. True "
            f"gold gains {GAIN:g} in the first half of the run and loses {LOSS:g} of it in the second. `Too early`: "
            "told at or before the peak, where no gold was lost, in the worst column. A row holds if that is at most "
            f"{MOST_FALSE:.0%} and, with {ASKED_ANSWERS} answers a prompt and {ASKED_AT} prompts, a turn is told in at "
            f"least {FEWEST_FOUND:.0%}. `Unpaired`: the intervals of two policies must lie apart, as those of other "
            "measures of the gate do; nothing is asked."
        ),
        columns=("rounds", "answers a prompt", *map(str, SIZES), "too early"),
        rows=tuple(rows),
    )


def best_section(luck: np.random.SeedSequence, runs: int) -> Section:
    """What three rules for the best policy of a run lose, and how much too well they speak of it."""
    rng = np.random.default_rng(luck)
    course = over_optimised(blind_spot("a phrase", rng), 10)
    true_T = np.array([one.gold for one in course.truths()])
    drawn = list(drawn_runs(course, rng, runs, ASKED_AT, 1))
    rules: dict[str, Choice] = {
        "the best mean": best_policy,
        "the best lower limit": _best_lower_limit,
        "the earliest within a standard error of the best mean": _earliest_near_best,
    }
    rows = []
    for prompts in (24, 100, ASKED_AT):
        seen = [one.seen(prompts, 1).gold_TP for one in drawn]
        for name, rule in rules.items():
            chosen = [rule(gold_TN) for gold_TN in seen]
            lost = fmean(float(true_T.max() - true_T[one]) for one in chosen)
            above = fmean(float(gold_TN[one].mean() - true_T[one]) for one, gold_TN in zip(chosen, seen, strict=True))
            rows.append(Row(name=name, cells=(prompts, lost, above, fmean(chosen))))
    return Section(
        title="The best policy of a run",
        reading=(
            f"A run of 10 rounds over-optimises `a phrase`; its best policy is number {course.peak}. Over {runs} runs "
            "with one answer a prompt: how much true gold the policy that a rule calls the best lacks, and how far its "
            "gold, as it was seen, lies above its truth, because it was chosen by it. Means. Lower limits are "
            "one-sided 95%; the standard error is that of the difference by prompt."
        ),
        columns=("prompts", "gold lost", "seen above truth", "number"),
        rows=tuple(rows),
    )


def _false(name: str, rounds: int, prompts: int, answers: int, drawn: Sequence[DrawnRun]) -> Row:
    seen = [one.seen(prompts, answers) for one in drawn]
    paid, unpaid = (
        fmean(first_told(paired(GateSpec(looks=looks), one)) is not None for one in seen) for looks in (rounds, 1)
    )
    cells = (len(seen), rounds, prompts, answers, paid, _interval(paid, len(seen)), unpaid)
    return Row(name=name, cells=cells, passed=paid <= MOST_FALSE)


def _power(name: str, course: Course, drawn: Sequence[DrawnRun], answers: int, told: Told) -> Row:
    rounds = len(course.policies) - 1
    spec, shares, early = GateSpec(looks=rounds), [], []
    for prompts in SIZES:
        firsts = [first_told(told(spec, one.seen(prompts, answers))) for one in drawn]
        shares.append(fmean(one is not None and one > course.peak for one in firsts))
        early.append(fmean(one is not None and one <= course.peak for one in firsts))
    found = answers < ASKED_ANSWERS or shares[SIZES.index(ASKED_AT)] >= FEWEST_FOUND
    cells: tuple[Cell, ...] = (rounds, answers, *shares, max(early))
    return Row(name=name, cells=cells, passed=found and max(early) <= MOST_FALSE if told is paired else None)


def _best_lower_limit(gold_TN: Floats) -> int:
    error_T = gold_TN.std(axis=1, ddof=1) / gold_TN.shape[1] ** 0.5
    return int((gold_TN.mean(axis=1) - _ONE_SIDED * error_T).argmax())


def _earliest_near_best(gold_TN: Floats) -> int:
    apart_TN = gold_TN[best_policy(gold_TN)] - gold_TN
    error_T = apart_TN.std(axis=1, ddof=1) / apart_TN.shape[1] ** 0.5
    return int((apart_TN.mean(axis=1) <= error_T).argmax())


def _interval(share: float, runs: int) -> str:
    low, high = share_limits(share, runs, 0.025)
    return f"{low:.3f} to {high:.3f}"


def _measure(values_N: Floats) -> Measure:
    count, value = len(values_N), float(values_N.mean())
    error = float(values_N.std(ddof=1)) / count**0.5
    low, high = value - _ONE_SIDED * error, value + _ONE_SIDED * error
    return Measure(value=value, low=low, high=high, n=count, prompts=count, error=error)
