"""The verdict on a round: every state and every way between, and the words for it."""

import json
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from selfreward.monitor.detector import AlarmState, DetectorSpec, Diagnosis, ProbeRound, State, diagnose
from tests.monitor.probe_rounds import SPEC, fallen, found, human_nll, probe


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
