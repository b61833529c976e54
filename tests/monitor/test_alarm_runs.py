"""The detector over whole runs: the pilots told apart, and false alarms by simulation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from selfreward.metrics.intervals import Family, Paired
from selfreward.monitor.detector import DetectorSpec, ProbeRound, diagnose
from tests.monitor.probe_rounds import SPEC, human_nll, probe, spread


def pilot(sem_T: Sequence[float], nll_T: Sequence[float], prompts: int) -> list[str]:
    """The states of a pilot run, from its means, with the spread over prompts that its z values imply."""
    level_P, standing, states = spread(99, prompts, 0.12), None, []
    vectors_T = [mean + level_P + spread(round_, prompts, 0.145) for round_, mean in enumerate(sem_T)]
    base_P = sem_T[0] + level_P + spread(0, prompts, 0.07)
    for number in range(len(sem_T)):
        seen = ProbeRound(
            number=number,
            draws=4,
            baseline_draws=16,
            families={
                "sem": Paired(vectors_T[number], base_P),
                "human": Paired(vectors_T[number], 0.35 + spread(98, prompts, 0.1)),
            },
            human_nll=human_nll(nll_T[: number + 1], prompts, sd=0.35),
            start_over_people=sem_T[0] / 0.35,
            raw_sem_drop=None,
            duplicate_rate=0.0,
            truncation_rate=0.0,
            baseline_truncation_rate=0.0,
            mismatch=None,
        )
        diagnosis = diagnose(SPEC, seen, standing)
        standing = diagnosis.standing
        states.append(diagnosis.state)
    return states


OWN_ANSWERS = [0.614, 0.548, 0.551, 0.505, 0.495], [3.28, 2.78, 2.82, 3.06, 3.62]
WITH_HUMAN_ROWS = [0.614, 0.574, 0.470, 0.521, 0.419], [3.28, 2.27, 2.16, 2.08, 2.04]


def test_the_two_pilots_are_told_apart() -> None:
    # Diversity fell more in the second, but there the human answers became likelier with every round.
    assert pilot(*OWN_ANSWERS, prompts=128)[-2:] == ["ALARM", "ALARM"]
    assert set(pilot(*WITH_HUMAN_ROWS, prompts=128)) <= {"WARMUP", "OK", "WARN"}
    assert "WARN" in pilot(*WITH_HUMAN_ROWS, prompts=128)


def test_the_pilots_own_32_prompts_are_too_few_for_an_alarm() -> None:
    assert set(pilot(*OWN_ANSWERS, prompts=32)) <= {"WARMUP", "INCONCLUSIVE", "WARN"}


SIMULATED = DetectorSpec(horizon=4, warmup=0)
RUNS, FEW = 250, 24


def _simulated_states(drop: float, loss: float, seed: int) -> set[str]:
    """The states of one run: every contraction family fell by `drop` of its margin, every loss one by `loss` of it."""
    rng = np.random.default_rng(seed)
    level_P = 0.6 * rng.gamma(8, 1 / 8, FEW)
    base_P = level_P + rng.normal(0, 0.05, FEW)
    nll_TP = 3 + rng.normal(0, 0.3, (SIMULATED.horizon + 1, FEW))
    nll_TP[1:] += loss * SIMULATED.margin.nll
    nll_T = [{str(i): float(value) for i, value in enumerate(nll_P)} for nll_P in nll_TP]
    states, standing = set(), None
    for number in range(1, SIMULATED.horizon + 1):
        margins: dict[Family, float] = {
            "sem": drop * 0.07,
            "ent": drop * 0.15,
            "recall": loss * 0.10,
            "human": loss * 0.10,
        }
        families: dict[Family, Paired] = {
            family: Paired((1 - share) * level_P + rng.normal(0, 0.1, FEW), base_P) for family, share in margins.items()
        }
        seen = replace(probe(1), number=number, families=families, human_nll=nll_T[: number + 1], raw_sem_drop=None)
        diagnosis = diagnose(SIMULATED, seen, standing)
        standing = diagnosis.standing
        states.add(diagnosis.state)
    return states


@pytest.mark.parametrize(
    ("drop", "loss", "allowed"),
    [
        (0, 0, 0.0),  # nothing happened
        (1, 1, 0.02),  # both exactly at the margin: both parts would have to err at once
        (6, 1, 0.05),  # contraction beyond doubt: all rests on the loss part, which is at its margin
        (1, 12, 0.05),  # loss beyond doubt: all rests on the contraction part
    ],
)
def test_a_run_without_both_raises_an_alarm_in_alpha_of_the_cases_at_most(
    drop: float, loss: float, allowed: float
) -> None:
    alarms = sum(bool({"ALARM", "SEVERE"} & _simulated_states(drop, loss, seed)) for seed in range(RUNS))
    assert alarms / RUNS <= allowed + 4 * np.sqrt(allowed * (1 - allowed) / RUNS)


def test_a_run_with_both_raises_an_alarm_almost_always() -> None:
    assert sum("ALARM" in _simulated_states(4, 8, seed) for seed in range(60)) >= 57
