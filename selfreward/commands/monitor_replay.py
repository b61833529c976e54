"""`selfreward monitor replay RUN [SETTING=VALUE ...]`: decide again from stored measurements under other settings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.monitor_check import diagnosed_rounds
from selfreward.config import first_mistake
from selfreward.console import table_lines
from selfreward.errors import ConfigError, StoreError
from selfreward.monitor.controller import Intervention, MonitorSpec, steer
from selfreward.monitor.findings import Margins
from selfreward.stages.decide import decision_of, evidence_of
from selfreward.stages.diagnose import RoundVerdict, Verdict, diagnosis_of, rounded_verdict, verdict_of

SETTINGS = (
    *(name for name in MonitorSpec.model_fields if name != "margin"),
    *(f"margin.{name}" for name in Margins.model_fields),
)
_ALIKE = 1e-6
_done = attrgetter("state", "real_share", "rung", "orders", "action", "stop")


@dataclass(frozen=True, slots=True)
class Again:
    """A verdict and the course after it, None where none was decided."""

    verdict: Verdict
    course: Intervention | None

    @property
    def state(self) -> str:
        """How the round ended; BUDGET_EXHAUSTED is the controller's word."""
        return self.verdict.state if self.course is None else self.course.state


@dataclass(frozen=True, slots=True)
class ReplayedRound:
    """One round as it is stored and as it is now."""

    number: int
    stored: Again
    now: Again


def replay(folder: Path, typed: Sequence[str]) -> Iterator[str]:
    """Every round of the run as stored and as decided under the settings `typed`, then what differs, as lines.

    Raises ConfigError for a wrong setting, StoreError where what is stored does not follow from the measurements.
    """
    wanted = parse_settings(typed)
    view = read_run(folder)
    rounds = list(decided_again(view, wanted))
    told = _differences(rounds) if wanted else _sameness(view, rounds)
    yield from (*_table(rounds), "", *told)


def parse_settings(typed: Sequence[str]) -> dict[str, str]:
    """Names to values as they are typed. Raises ConfigError for a name that is not in `SETTINGS`."""
    wanted = {}
    for one in typed:
        name, sign, value = one.partition("=")
        if not sign or name not in SETTINGS:
            raise ConfigError(f"{one}: no setting of the monitor, write NAME=VALUE with one of {', '.join(SETTINGS)}")
        wanted[name] = value
    return wanted


def decided_again(view: RunView, wanted: Mapping[str, str]) -> Iterator[ReplayedRound]:
    """Every diagnosed round, decided by what the stages call; it ends where a course now stops the run."""
    before: RoundVerdict | None = None
    course: Intervention | None = None
    settings: dict[str, Any] = {}
    diagnosed = diagnosed_rounds(view)
    for number, stages in enumerate(diagnosed):
        settings |= stages["diagnose"].spec
        decision = decision_of(stages["decide"]) if "decide" in stages else None
        settings |= {} if decision is None else decision.settings
        spec = _changed(settings, wanted)
        before = diagnosis_of(spec.detector, stages["measure"], diagnosed[0]["measure"], before)
        if decision is not None:
            training = diagnosed[number - 1]["mix"] if number else None
            evidence = evidence_of(rounded_verdict(before[0]), spec.controller, stages["select"], training)
            course = steer(spec.controller, evidence, course)
        yield ReplayedRound(
            number,
            Again(verdict_of(stages["diagnose"]), None if decision is None else decision.course),
            Again(before[0], None if decision is None else course),
        )
        if course is not None and course.stop is not None:
            return


def _changed(settings: Mapping[str, Any], wanted: Mapping[str, str]) -> MonitorSpec:
    """The stored settings with those that are `wanted` in their place."""
    values = {**settings, "margin": dict(settings["margin"])}
    for name, text in wanted.items():
        part, _, family = name.rpartition(".")
        (values[part] if part else values)[family] = None if text == "null" else text
    try:
        return MonitorSpec.model_validate(values)
    except ValidationError as error:
        raise ConfigError(first_mistake(error, values)) from error


def _table(rounds: Sequence[ReplayedRound]) -> list[str]:
    rows = []
    for one in rounds:
        stored, now = _cells(one.stored), _cells(one.now)
        both = {name: text if text == now[name] else f"{text} -> {now[name]}" for name, text in stored.items()}
        rows.append({"round": str(one.number), **both})
    return table_lines(rows)


def _cells(one: Again) -> dict[str, str]:
    course = one.course
    did = ("-", "-", "-") if course is None else (f"{course.real_share:.3f}", course.action, str(course.rung))
    return dict(zip(("state", "real share", "action", "rung"), (one.state, *did), strict=True))


def _sameness(view: RunView, rounds: Sequence[ReplayedRound]) -> list[str]:
    """Raises StoreError where the rule does not give what is stored."""
    for one in rounds:
        stored, now = asdict(one.stored), asdict(one.now)
        diagnosed = alike(stored["verdict"], now["verdict"])
        if not (diagnosed and alike(stored["course"], now["course"])):
            what = "decide" if diagnosed else "diagnose"
            raise StoreError(
                f"iter-{one.number:03d}/{what} of {view.name} does not follow from what was measured: it was altered, "
                f"or made by another version, and `selfreward verify {view.name}` tells which"
            )
    told = f"{len(rounds)} diagnoses and {sum(one.now.course is not None for one in rounds)} courses are reproduced"
    if all(one.stored == one.now for one in rounds):
        return [f"identical: {told} exactly as they are stored"]
    return [f"alike: {told} but for last digits, which differ from one kind of machine to another"]


def alike(stored: Any, now: Any) -> bool:
    """Whether two plain values are equal, with numbers equal to a millionth."""
    match stored, now:
        case dict(), dict():
            return stored.keys() == now.keys() and all(alike(stored[name], now[name]) for name in stored)
        case ((list() | tuple()), (list() | tuple())):
            return len(stored) == len(now) and all(map(alike, stored, now))
        case float(), float():
            return math.isclose(stored, now, rel_tol=_ALIKE, abs_tol=_ALIKE)
        case _:
            return bool(stored == now)


def _differences(rounds: Sequence[ReplayedRound]) -> list[str]:
    lines = [
        f"round {one.number} is {one.now.state} now: {one.now.verdict.why}"
        for one in rounds
        if one.stored.state != one.now.state
    ] or ["no state differs"]
    other = [one.number for one in rounds if one.now.course and _done(one.stored.course) != _done(one.now.course)]
    if not other:
        return [*lines, "no action differs: what was measured is what would have been measured"]
    last = rounds[-1]
    lines.append(f"what is done differs after round{'s' * (len(other) > 1)} {', '.join(map(str, other))}")
    if last.now.course is not None and last.now.course.stop is not None:
        lines.append(f"the run would have ended after round {last.number}: {last.now.course.stop}")
    if last.number > other[0]:
        lines.append(
            f"measurements after round {other[0]} are those of the old course: from there on this says what the rule "
            "makes of them, not what would have been measured"
        )
    return lines
