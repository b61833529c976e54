"""The verdict on a round: its numbers by hand, its false alarms by simulation, every state and every way between."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from selfreward.metrics.paired_values import Family, Paired
from selfreward.monitor.critical_values import student_critical
from selfreward.monitor.detector import AlarmState, DetectorSpec, Diagnosis, ProbeRound, State, diagnose
from selfreward.monitor.findings import Finding, margin_test, nll_test

SPEC = DetectorSpec()
PROMPTS = 64
BASE_P = 0.6 + 0.1 * np.cos(np.arange(PROMPTS))


def spread(round_: int, prompts: int = PROMPTS, sd: float = 1.0) -> NDArray[np.float64]:
    """Noise of one round, its mean exactly 0 and its standard deviation exactly `sd`."""
    noise_P = np.random.default_rng(round_).normal(size=prompts)
    noise_P -= noise_P.mean()
    return noise_P * sd / noise_P.std()


def fallen(drop: float, round_: int, base_P: NDArray[np.float64] = BASE_P, sd: float = 0.02) -> Paired:
    return Paired((1 - drop) * base_P + spread(round_, len(base_P), sd), base_P)


def human_nll(means_T: Sequence[float], prompts: int = PROMPTS, sd: float = 0.02) -> list[dict[str, float]]:
    return [
        {f"p{i}": float(value) for i, value in enumerate(mean + spread(100 + round_, prompts, sd))}
        for round_, mean in enumerate(means_T)
    ]


def probe(number: int = 2, *, rise: float = 0.0, **drops: float) -> ProbeRound:
    """A round with little noise: `rise` of the human NLL over all earlier rounds, and the drops of the families."""
    families: Mapping[Family, Paired] = {
        family: fallen(drops.get(family, 0.0), number) for family in ("sem", "lex", "ent", "recall", "human")
    }
    return ProbeRound(
        number=number,
        draws=8,
        baseline_draws=32,
        families=families,
        human_nll=human_nll([3.0] * number + [3.0 + rise]),
        start_over_people=1.0,
        raw_sem_drop=drops.get("sem", 0.0),
        duplicate_rate=0.0,
        truncation_rate=0.1,
        baseline_truncation_rate=0.1,
        mismatch=None,
    )


def found(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.family: finding for finding in diagnosis.findings}


def test_a_finding_by_hand() -> None:
    # Losses .2 and .4 of a reference of 1, excess .1 and .3 over the margin: mean .2, sd sqrt(.08 / 7).
    paired = Paired(np.array([0.8, 0.6] * 4), np.ones(8))
    finding = margin_test("sem", paired, margin=0.1, critical=2.0, since=0)
    assert finding is not None
    bound, se = student_critical(2.0, 8), 0.0377964
    assert (finding.now, finding.base, finding.drop) == pytest.approx((0.7, 1.0, 0.3))
    assert (finding.se, finding.z) == pytest.approx((se, 0.2 / se), rel=1e-5)
    # Student's t of 7 degrees of freedom at .975; the reference is 1 everywhere, so both standard errors are one.
    assert (finding.low, finding.high) == pytest.approx((0.3 - 2.3646 * se, 0.3 + 2.3646 * se), rel=1e-4)
    assert finding.detectable > (bound + 0.8416) * se
    assert (finding.hit, finding.prompts, finding.part, finding.since) == (True, 8, "contraction", 0)


def test_a_drop_is_a_share_of_the_mean_reference_and_prompts_are_paired() -> None:
    # Prompts differ a hundredfold, and each lost a tenth but for a little noise: pairing sees the tenth.
    base_P = np.geomspace(0.01, 1, 32)
    finding = margin_test("sem", fallen(0.1, 1, base_P, sd=0.001), margin=0.05, critical=3.0, since=0)
    assert finding is not None
    assert finding.drop == pytest.approx(0.1) and finding.hit


def test_hit_is_where_the_drop_is_beyond_the_margin_by_critical_standard_errors() -> None:
    hits = []
    for drop in (0.06, 0.07, 0.075, 0.08, 0.09, 0.2):
        finding = margin_test("sem", fallen(drop, 3), margin=0.07, critical=2.9, since=0)
        assert finding is not None
        assert finding.hit == (finding.drop - finding.critical * finding.se > finding.margin)
        assert finding.z == pytest.approx((finding.drop - finding.margin) / finding.se)
        hits.append(finding.hit)
    assert hits == sorted(hits) and hits[0] != hits[-1]


def test_prompts_that_all_lost_the_same_share_leave_no_doubt_about_it() -> None:
    # The excess over a margin differs from prompt to prompt as their levels do; the share that is lost does not.
    base_P = np.geomspace(0.01, 1, 32)
    finding = margin_test("sem", Paired(0.5 * base_P, base_P), margin=0.07, critical=2.9, since=0)
    assert finding is not None
    assert (finding.low, finding.high) == pytest.approx((0.5, 0.5))
    assert finding.se > 0.05


@pytest.mark.parametrize("drop", [0.0, 0.07, 0.3, 0.9])
@pytest.mark.parametrize("prompts", [16, 64])
def test_the_interval_of_a_drop_holds_it_in_95_percent_of_the_rounds(drop: float, prompts: int) -> None:
    rng, runs, held = np.random.default_rng(prompts), 2000, 0
    for _ in range(runs):
        level_P = 0.6 * rng.gamma(8, 1 / 8, prompts)
        base_P = level_P + rng.normal(0, 0.05, prompts)
        # How much a prompt lost differs by prompt, and has nothing to do with where it started.
        now_P = (1 - drop * rng.uniform(0.9, 1.1, prompts)) * level_P + rng.normal(0, 0.1, prompts)
        finding = margin_test("sem", Paired(now_P, base_P), margin=0.07, critical=2.9, since=0)
        assert finding is not None
        held += finding.low <= drop <= finding.high
    assert held / runs == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    "paired",
    [
        Paired(np.array([]), np.array([])),
        Paired(np.arange(7.0), np.arange(7.0) + 1),
        Paired(np.full(9, 0.5), np.full(9, 0.6)),  # the same difference everywhere tells no noise
        Paired(np.linspace(0, 1, 9), np.zeros(9)),  # no share of nothing
    ],
)
def test_no_finding_without_the_means_to_judge_it(paired: Paired) -> None:
    assert margin_test("sem", paired, 0.07, 2.9, 0) is None


@pytest.mark.parametrize(
    ("now", "base"), [([1.0, 2.0], [1.0]), ([float("nan")] * 9, [1.0] * 9), ([1.0] * 9, [float("inf")] * 9)]
)
def test_values_without_a_partner_are_refused(now: list[float], base: list[float]) -> None:
    with pytest.raises(ValueError, match="prompt"):
        Paired(np.array(now), np.array(base))


def test_human_nll_is_compared_with_its_running_minimum() -> None:
    # Down by half a nat while the format is learned, then up: still below the start, and a loss all the same.
    finding = nll_test(human_nll([3.3, 2.8, 2.9, 3.0]), margin=0.05, critical=3.4)
    assert finding is not None
    assert (finding.since, finding.hit, finding.part) == (1, True, "loss")
    assert (finding.base, finding.now, finding.drop) == pytest.approx((2.8, 3.0, 0.2))


def test_human_nll_tells_a_hit_before_a_larger_rise_that_is_noise() -> None:
    noisy, steady, now = human_nll([2.7, 2.9, 3.0])
    noisy = {prompt: 2.7 + 100 * (value - 2.7) for prompt, value in noisy.items()}
    finding = nll_test([noisy, steady, now], margin=0.05, critical=3.4)
    assert finding is not None
    assert (finding.since, finding.hit) == (1, True)


def test_human_nll_needs_an_earlier_round_with_the_same_prompts() -> None:
    assert nll_test([], 0.05, 3.4) is None
    assert nll_test(human_nll([3.0]), 0.05, 3.4) is None
    now = {f"other{i}": 3.0 + i for i in range(20)}
    assert nll_test([*human_nll([3.0]), now], 0.05, 3.4) is None


def test_human_nll_of_the_wrong_number_of_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="rounds 0 to 2"):
        replace(probe(2), human_nll=human_nll([3.0, 3.1]))


ROUNDS: list[tuple[State, ProbeRound]] = [
    ("OK", probe()),
    ("OK", probe(sem=-0.3, rise=-0.5, recall=-0.2)),
    ("WARN", probe(sem=0.3)),
    ("WARN", probe(lex=0.3)),
    ("WARN", probe(rise=0.3)),
    ("WARN", probe(recall=0.3, human=0.3)),
    ("WARN", probe(lex=0.5, rise=0.5)),  # less varied wording is format, whatever else happens
    ("ALARM", probe(sem=0.2, rise=0.3)),
    ("ALARM", probe(sem=0.2, recall=0.3)),
    ("ALARM", probe(sem=0.2, human=0.3)),
    ("OK", replace(probe(human=0.3), start_over_people=0.85)),  # the start policy was less varied than people already
    ("WARN", replace(probe(sem=0.2, human=0.3), start_over_people=0.85)),
    ("ALARM", replace(probe(sem=0.2, human=0.3), start_over_people=None)),
    ("ALARM", probe(ent=0.3, rise=0.3)),
    ("SEVERE", probe(sem=0.4, rise=0.3)),
    ("SEVERE", replace(probe(sem=0.2, rise=0.3), duplicate_rate=0.31)),
    ("ALARM", replace(probe(sem=0.2, rise=0.3), duplicate_rate=None, truncation_rate=None)),
    ("WARN", replace(probe(sem=0.4), duplicate_rate=0.31)),  # however far it fell, nothing human was lost
    ("WARMUP", probe(1, sem=0.4, rise=0.5)),
    ("INVALID", replace(probe(sem=0.4, rise=0.5), mismatch="temperature 0.7, not 1.0")),
    ("INVALID", replace(probe(1), truncation_rate=0.16)),
    ("INVALID", replace(probe(sem=0.4, rise=0.5), truncation_rate=0.16)),
    ("INCONCLUSIVE", replace(probe(sem=0.2, rise=0.3), raw_sem_drop=-0.2)),  # only the longer answers differ more
    ("ALARM", replace(probe(sem=0.2, rise=0.3), raw_sem_drop=-0.01)),  # no more than noise
    ("ALARM", replace(probe(sem=0.2, rise=0.3), raw_sem_drop=None)),
    ("INCONCLUSIVE", replace(probe(rise=0.3), families={})),
    ("INCONCLUSIVE", replace(probe(), families={"sem": fallen(0.0, 2, sd=0.5)})),
    ("WARN", replace(probe(rise=0.3), families={"sem": fallen(0.0, 2, sd=0.5)})),
]


@pytest.mark.parametrize(("state", "seen"), ROUNDS)
def test_state_of_a_round(state: State, seen: ProbeRound) -> None:
    diagnosis = diagnose(SPEC, seen, None)
    assert diagnosis.state == state
    stored = json.dumps(asdict(diagnosis), allow_nan=False)
    assert TypeAdapter(Diagnosis).validate_json(stored) == diagnosis


def test_the_start_policy_is_only_measured() -> None:
    seen = replace(probe(1), number=0, human_nll=human_nll([3.0]))
    diagnosis = diagnose(SPEC, seen, None)
    assert diagnosis.state == "WARMUP"
    assert set(found(diagnosis)) == {"sem", "lex", "ent", "recall", "human"}
    assert diagnosis.standing == AlarmState("WARMUP", 0, 0)


def test_settings_reach_the_verdict() -> None:
    seen = probe(sem=0.2, rise=0.3)
    assert diagnose(SPEC, seen, None).state == "ALARM"
    assert diagnose(DetectorSpec(warmup=2), seen, None).state == "WARMUP"
    assert diagnose(DetectorSpec(severe_drop=0.15), seen, None).state == "SEVERE"
    assert diagnose(DetectorSpec.model_validate({"margin": {"sem": 0.3}}), seen, None).state == "WARN"
    strict, loose = (diagnose(DetectorSpec(horizon=horizon), seen, None) for horizon in (50, 5))
    assert all(found(strict)[family].critical > found(loose)[family].critical for family in found(strict))


def test_a_longer_baseline_shares_less_noise_between_rounds() -> None:
    equal, longer = (diagnose(SPEC, replace(probe(), baseline_draws=draws), None) for draws in (8, 800))
    assert found(equal)["sem"].critical < found(longer)["sem"].critical
    assert found(equal)["human"].critical == found(longer)["human"].critical


BAD, CONTRACTED, CALM = {"sem": 0.2, "rise": 0.3}, {"sem": 0.2}, {"sem": 0.0}
UNEASY = {"recall": 0.06}  # no hit, but more than half its margin lost


def _history(*rounds: dict[str, float] | str) -> tuple[list[str], list[AlarmState]]:
    """States and standings of rounds 2, 3 ...; a string is why the probe does not match."""
    states, standings, standing = [], [], None
    for number, drops in enumerate(rounds, start=2):
        seen = replace(probe(number), mismatch=drops) if isinstance(drops, str) else probe(number, **drops)
        diagnosis = diagnose(SPEC, seen, standing)
        standing = diagnosis.standing
        states.append(diagnosis.state)
        standings.append(standing)
    return states, standings


def test_an_alarm_is_held_until_two_rounds_in_a_row_are_calm() -> None:
    states, standings = _history(BAD, BAD, CALM, UNEASY, CALM, CALM, CALM)
    assert states == ["ALARM", "ALARM", "ALARM", "ALARM", "ALARM", "OK", "OK"]
    assert [standing.alarms for standing in standings] == [1, 2, 0, 0, 0, 0, 0]
    assert [standing.calm for standing in standings] == [0, 0, 1, 0, 1, 2, 3]


def test_a_round_that_cannot_be_judged_neither_ends_an_alarm_nor_counts() -> None:
    states, standings = _history(BAD, "another template", CALM, "another template", CALM)
    assert states == ["ALARM", "INVALID", "ALARM", "INVALID", "OK"]
    assert standings[1] == standings[0] == AlarmState("ALARM", 1, 0)
    assert standings[3] == standings[2] == AlarmState("ALARM", 0, 1)


def test_an_alarm_may_come_back_and_counts_anew() -> None:
    states, standings = _history(BAD, CALM, BAD, BAD, CALM, CALM, BAD)
    assert states == ["ALARM", "ALARM", "ALARM", "ALARM", "ALARM", "OK", "ALARM"]
    assert [standing.alarms for standing in standings] == [1, 0, 1, 2, 0, 0, 1]


def test_contraction_that_costs_nothing_lets_an_alarm_end() -> None:
    assert _history(BAD, CONTRACTED, CONTRACTED)[0] == ["ALARM", "ALARM", "WARN"]


def test_a_severe_alarm_is_held_as_an_alarm() -> None:
    assert _history({"sem": 0.4, "rise": 0.3}, CALM, CALM)[0] == ["SEVERE", "ALARM", "OK"]


def test_loss_that_was_not_measured_is_not_calm() -> None:
    seen = replace(probe(), families={"sem": fallen(0.0, 2)}, human_nll=())
    diagnosis = diagnose(SPEC, seen, AlarmState("ALARM", 1, 1))
    assert (diagnosis.state, diagnosis.standing.calm) == ("ALARM", 0)


def test_the_reason_has_the_numbers() -> None:
    why = diagnose(SPEC, probe(sem=0.2, rise=0.3), None).why
    assert "sem moved by -20.0% (margin 7.0%" in why
    assert "human NLL moved by +0.30 nats per token since round " in why
    assert "sem" in diagnose(SPEC, probe(sem=0.03), None).why
    assert "cut short" in diagnose(SPEC, replace(probe(), truncation_rate=0.5), None).why
    assert "1 so far" in diagnose(SPEC, probe(), AlarmState("ALARM", 1, 0)).why
    brought = diagnose(SPEC, replace(probe(human=0.3), start_over_people=0.85), None)
    assert "against that of human answers moved by -30.0%" in brought.why and "not counted" in brought.why
    assert "human" not in brought.counted and found(brought)["human"].hit


def test_a_silent_monitor_says_what_it_could_not_have_seen() -> None:
    seen = replace(probe(11), families={"sem": fallen(0.0, 2, sd=0.03)})
    diagnosis = diagnose(SPEC, seen, None)
    finding = found(diagnosis)["sem"]
    assert f"a drop of sem below {finding.margin + finding.detectable:.1%} (margin 7.0%)" in diagnosis.cannot_see
    assert "a rise of human NLL below 0.07 nats (margin 0.05)" in diagnosis.cannot_see
    assert "not measured: lex, ent, recall, human" in diagnosis.cannot_see
    assert "past the horizon of 10" in diagnosis.cannot_see
    assert "horizon" not in diagnose(SPEC, probe(10), None).cannot_see


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
