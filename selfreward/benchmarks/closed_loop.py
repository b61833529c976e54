"""The detector and the controller inside a loop of best of k: how soon it alarms, and what real data it buys.

Nothing is trained on pairs here, and novelty and cluster caps have no counterpart: the loop obeys the real share and
the lower k.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from selfreward.benchmarks.alarm_rates import MOST_FALSE
from selfreward.benchmarks.bench_table import Cell, Row, Section
from selfreward.benchmarks.exact_loops import (
    ANSWERS,
    DRAWS,
    Floats,
    World,
    by_prompt,
    diversity,
    draw,
    drawn_measures,
    human_cost,
    human_nats,
    make_probe,
    make_world,
    probe_round,
    updated,
)
from selfreward.monitor.controller import ControllerSpec, Evidence, steer
from selfreward.monitor.detector import DetectorSpec, Diagnosis, diagnose
from selfreward.monitor.findings import worst_loss

PROMPTS = 128
ROUNDS = 15
FIXED = (0.0, 0.1, 0.3, 0.5)
SOON = 5
MOST = 0.95
_RAMBLING = 0.5

Asked = Callable[[float, float], bool]
"""What must hold of the shares of loops with ALARM soon, and with ALARM by the end."""


@dataclass(frozen=True, slots=True)
class ClosedRound:
    """One round: its policy and verdict, and the real share and the k of the update that followed."""

    policy_PK: Floats
    diagnosis: Diagnosis
    real_share: float
    k: int

    @property
    def alarmed(self) -> bool:
        """Whether the state is ALARM or SEVERE."""
        return self.diagnosis.state in ("ALARM", "SEVERE")

    def hit(self, part: str) -> bool:
        """Whether a family of the part was hit."""
        return any(one.hit and one.part == part for one in self.diagnosis.findings)


def run_loop(
    rng: np.random.Generator,
    world: World,
    start_PK: Floats,
    k: int,
    rounds: int,
    detector: DetectorSpec,
    controller: ControllerSpec,
) -> list[ClosedRound]:
    """Rounds 0 to `rounds`, each measured, judged and answered; the last one is not trained on."""
    probe, policy_PK = make_probe(rng, world.human_PK, start_PK), start_PK
    nll: list[dict[str, float]] = []
    found: list[ClosedRound] = []
    course, standing = None, None
    for number in range(rounds + 1):
        nats_P = human_nats(probe, policy_PK)
        nll.append(by_prompt(nats_P))
        drawn = drawn_measures(policy_PK, draw(rng, policy_PK, DRAWS), probe.people_PH, rng)
        diagnosis = diagnose(detector, probe_round(number, probe, drawn, nll), standing)
        # Selection is ordered by the round before, the real share by this one.
        ordered = k if course is None or course.orders.select_k is None else course.orders.select_k
        standing, course = (
            diagnosis.standing,
            steer(controller, evidence_of(diagnosis, k, float(nats_P.mean())), course),
        )
        found.append(ClosedRound(policy_PK, diagnosis, course.real_share, ordered))
        policy_PK = updated(world, policy_PK, ordered, course.real_share)
    return found


def evidence_of(diagnosis: Diagnosis, k: int, human_nll: float | None) -> Evidence:
    """What the controller is told, where nothing is trained on pairs and human data has no end."""
    counted = [one for one in diagnosis.findings if one.family in diagnosis.counted]
    return Evidence(
        round=diagnosis.round,
        state=diagnosis.state,
        loss=worst_loss(counted),
        alarms=diagnosis.standing.alarms,
        calm=diagnosis.standing.calm,
        pairs=False,
        select_k=k,
        human_left=None,
        human_wanted_short=False,
        human_nll=human_nll,
    )


def alarm_section(luck: np.random.SeedSequence, loops: int) -> Section:
    """How soon a loop of known harm raises ALARM, for several k, and whether a healthy one keeps still."""
    horizon, (plain, rambling) = DetectorSpec().horizon, luck.spawn(2)
    asked_of_k: dict[int, Asked] = {1: lambda soon, end: end == 0, 4: lambda soon, end: soon >= MOST}
    asked_of_share: dict[float, Asked] = {0.0: lambda soon, end: end >= MOST, 0.5: lambda soon, end: end <= MOST_FALSE}
    rows = []
    for k in (1, 2, 4, 8):
        found = list(_watched(plain, loops, k, 0.0, 0.0))
        rows.append(_alarms(f"best of {k}, no real data", found, asked_of_k.get(k)))
    for share in (0.0, 0.3, 0.5):
        found = list(_watched(rambling, loops, 2, share, _RAMBLING))
        rows.append(_alarms(f"start rambles, best of 2, real share {share:g}", found, asked_of_share.get(share)))
    return Section(
        title="Loops that are watched",
        reading=(
            f"{PROMPTS} prompts, half of the policy replaced each round, {horizon} rounds. Shares of {loops} loops "
            "with a contraction hit, a loss hit and ALARM; diversity at the end against the start, and the nats that a "
            "human answer costs more. A start that rambles gives half of its mass to all answers alike: with real "
            "data it narrows towards people, which is no harm. Asked: best of 4 raises ALARM by round "
            f"{SOON} in {MOST:.0%} of the loops, best of 1 never; a rambling start without real data by the end in "
            f"{MOST:.0%}, with real share 0.5 in at most {MOST_FALSE:.2%}."
        ),
        columns=(
            "contraction", "loss", f"ALARM by round {SOON}", f"ALARM by round {horizon}", "median first",
            "diversity", "human nats",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def controller_section(luck: np.random.SeedSequence, loops: int) -> Section:
    """Fixed real shares beside the controller, and beside the fixed share that spends as much as it did."""
    detector, act = DetectorSpec(horizon=ROUNDS), ControllerSpec(mode="act")
    rows: list[Row] = []
    for k, child in zip((1, 2, 4, 8, 16), luck.spawn(5), strict=True):
        lucks = child.spawn(loops)
        steered = [_steered(np.random.default_rng(one), k, detector, act) for one in lucks]
        if k == 1:
            spent_least = all(end.real_share == act.floor for end in steered)
            rows.append(_ends("best of 1, controller", steered, spent_least))
            continue
        rows += [_ends(f"best of {k}, fixed {share:g}", _fixed(lucks, k, share)) for share in FIXED]
        rows.append(_ends(f"best of {k}, controller", steered))
        spent = fmean(end.real_share for end in steered)
        rows.append(_ends(f"best of {k}, fixed at what the controller spent", _fixed(lucks, k, spent)))
    return Section(
        title="The controller in the loop",
        reading=(
            f"{PROMPTS} prompts, half of the policy replaced each round, {ROUNDS} rounds, {loops} loops, the same "
            "worlds in every arm. Diversity: unequal pairs at the end as a share of the start. Human nats: what a "
            "human answer costs more than at the start, at the end and as the mean over rounds. Quality: true quality "
            "won at the end, in standard deviations. Means and their standard errors. Asked: where nothing is selected "
            "the controller spends no more than its floor."
        ),
        columns=("diversity", "human nats", "human nats, mean", "quality", "real share"),
        rows=tuple(rows),
    )


@dataclass(frozen=True, slots=True)
class End:
    """Where a loop ended; see the reading of `controller_section`."""

    diversity: float
    human_nats: float
    mean_human_nats: float
    quality: float
    real_share: float


def _watched(
    luck: np.random.SeedSequence, loops: int, k: int, share: float, rambling: float
) -> Iterator[tuple[World, list[ClosedRound]]]:
    detector, observe = DetectorSpec(), ControllerSpec(mode="observe", real_share=share)
    for one in luck.spawn(loops):
        rng = np.random.default_rng(one)
        # Who rambles must be told from people, who are then more of one mind.
        world = make_world(rng, PROMPTS, 1.0 if rambling == 0 else 2.0)
        start_PK = (1 - rambling) * world.human_PK + rambling / ANSWERS
        yield world, run_loop(rng, world, start_PK, k, detector.horizon, detector, observe)


def _alarms(name: str, loops: Sequence[tuple[World, list[ClosedRound]]], asked: Asked | None) -> Row:
    firsts = [next((t for t, one in enumerate(rounds) if one.alarmed), math.inf) for _, rounds in loops]
    by_soon, by_end = fmean(t <= SOON for t in firsts), fmean(t < math.inf for t in firsts)
    middle = float(np.quantile(firsts, 0.5, method="higher"))
    ends = [_end(world, [one.policy_PK for one in rounds], 0.0) for world, rounds in loops]
    cells: tuple[Cell, ...] = (
        *(fmean(any(one.hit(part) for one in rounds) for _, rounds in loops) for part in ("contraction", "loss")),
        by_soon,
        by_end,
        middle if middle < math.inf else None,
        fmean(end.diversity for end in ends),
        fmean(end.human_nats for end in ends),
    )
    return Row(name=name, cells=cells, passed=None if asked is None else asked(by_soon, by_end))


def _steered(rng: np.random.Generator, k: int, detector: DetectorSpec, controller: ControllerSpec) -> End:
    world = make_world(rng, PROMPTS)
    rounds = run_loop(rng, world, world.human_PK, k, ROUNDS, detector, controller)
    return _end(world, [one.policy_PK for one in rounds], fmean(one.real_share for one in rounds[:-1]))


def _fixed(lucks: Sequence[np.random.SeedSequence], k: int, share: float) -> Iterator[End]:
    """Loops that nobody watches."""
    for luck in lucks:
        world = make_world(np.random.default_rng(luck), PROMPTS)
        policies = [world.human_PK]
        for _ in range(ROUNDS):
            policies.append(updated(world, policies[-1], k, share))
        yield _end(world, policies, share)


def _end(world: World, policies: Sequence[Floats], share: float) -> End:
    nats = [human_cost(world.human_PK, policy_PK) - human_cost(world.human_PK, policies[0]) for policy_PK in policies]
    return End(
        diversity=diversity(policies[-1]) / diversity(policies[0]),
        human_nats=nats[-1],
        mean_human_nats=fmean(nats),
        quality=float(((policies[-1] - policies[0]) * world.quality_PK).sum(axis=1).mean()),
        real_share=share,
    )


def _ends(name: str, ends: Iterable[End], passed: bool | None = None) -> Row:
    found = list(ends)
    columns = (
        [end.diversity for end in found],
        [end.human_nats for end in found],
        [end.mean_human_nats for end in found],
        [end.quality for end in found],
        [end.real_share for end in found],
    )
    # 0.0 added: a rounded -0 is 0.
    cells = [f"{round(fmean(one), 3) + 0.0:.3f} ± {stdev(one) / math.sqrt(len(one)):.3f}" for one in columns]
    return Row(name=name, cells=tuple(cells), passed=passed)
