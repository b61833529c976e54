"""`selfreward monitor replay RUN [SETTING=VALUE ...]`: decide again from stored measurements under other settings."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selfreward.artifacts.runs import RunView, read_run
from selfreward.commands.monitor_table import aligned
from selfreward.errors import ConfigError, StoreError
from selfreward.monitor.findings import Margins
from selfreward.monitor.settings import MonitorSpec
from selfreward.quoting import setting
from selfreward.stages import decide
from selfreward.stages.diagnose import Told, diagnosis_of, verdict_of

SETTINGS = (
    *(name for name in MonitorSpec.model_fields if name != "margin"),
    *(f"margin.{name}" for name in Margins.model_fields),
)
_ALIKE = 1e-6
_DONE = ("state", "real_share", "rung", "orders", "action", "stop")


@dataclass(frozen=True)
class Round:
    """One round as it is stored and as it is now; a course is None where none was decided."""

    number: int
    stored: Mapping[str, Any]
    now: Mapping[str, Any]
    stored_course: Mapping[str, Any] | None
    course: Mapping[str, Any] | None

    @property
    def stored_state(self) -> str:
        """The state that is stored."""
        return str((self.stored_course or self.stored)["state"])

    @property
    def state(self) -> str:
        """The state now; as in what is stored, BUDGET_EXHAUSTED is the controller's word."""
        return str((self.course or self.now)["state"])

    @property
    def acts_alike(self) -> bool:
        """Whether what is done after this round is what was done."""
        if self.stored_course is None or self.course is None:
            return True
        return all(self.stored_course[name] == self.course[name] for name in _DONE)


def replay(folder: Path, typed: Sequence[str]) -> None:
    """Prints every round of the run as stored and as decided under the settings `typed`, then what differs.

    Raises ConfigError for a setting that does not exist or a value that is not allowed, StoreError where there is
    nothing to decide on, or where what is stored does not follow from the measurements under its own settings.
    """
    wanted = parse_settings(typed)
    view = read_run(folder)
    rounds = list(decided_again(view, wanted))
    if not rounds:
        raise StoreError(
            f"{view.name} is not diagnosed yet: `selfreward run {setting('run', view.name)} ...` goes on with it"
        )
    print(*_table(rounds), "", *(_differences(rounds) if wanted else _sameness(view, rounds)), sep="\n")


def parse_settings(typed: Sequence[str]) -> dict[str, str]:
    """Names to values as they are typed. Raises ConfigError for a name that is not in `SETTINGS`."""
    wanted = {}
    for one in typed:
        name, sign, value = one.partition("=")
        if not sign or name not in SETTINGS:
            raise ConfigError(f"{one}: no setting of the monitor, write NAME=VALUE with one of {', '.join(SETTINGS)}")
        wanted[name] = value
    return wanted


def decided_again(view: RunView, wanted: Mapping[str, str]) -> Iterator[Round]:
    """Every diagnosed round, decided by what the stages call; it ends where a course now stops the run."""
    before: Told | None = None
    course: dict[str, Any] | None = None
    settings: dict[str, Any] = {}
    diagnosed = list(takewhile(lambda stages: "diagnose" in stages, view.iterations))
    for number, stages in enumerate(diagnosed):
        detector = stages["diagnose"].manifest.identity["spec"]
        assert isinstance(detector, dict)
        settings |= detector
        decision = stages["decide"].json("decision") if "decide" in stages else None
        settings |= {} if decision is None else decision["settings"]
        spec = _changed(settings, wanted)
        before = diagnosis_of(spec.detector, stages["measure"], diagnosed[0]["measure"], before)
        if decision is not None:
            training = diagnosed[number - 1]["mix"] if number else None
            verdict = verdict_of(before.diagnosis)
            told = decide.told_of(spec.controller, verdict, stages["select"], training, course)
            course = _as_stored(asdict(decide.replay(told)))
        yield Round(
            number,
            stages["diagnose"].json("diagnosis"),
            _as_stored(before.diagnosis),
            None if decision is None else decision["course"],
            None if decision is None else course,
        )
        if course is not None and course["stop"] is not None:
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
        first = error.errors()[0]
        setting = f"{'.'.join(map(str, first['loc']))}={first['input']}: " if first["loc"] else ""
        raise ConfigError(setting + first["msg"].removeprefix("Value error, ")) from error


def _as_stored(value: Any) -> Any:
    """What a JSON file would give back."""
    return json.loads(json.dumps(value))


def _table(rounds: Sequence[Round]) -> list[str]:
    return aligned(
        [
            {"round": str(one.number), "state": _both(one.stored_state, one.state)}
            | _courses(one.stored_course, one.course)
            for one in rounds
        ]
    )


def _courses(stored: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> dict[str, str]:
    if stored is None or now is None:
        return {"real share": "-", "action": "-", "rung": "-"}
    return {
        "real share": _both(f"{stored['real_share']:.3f}", f"{now['real_share']:.3f}"),
        "action": _both(stored["action"], now["action"]),
        "rung": _both(str(stored["rung"]), str(now["rung"])),
    }


def _both(stored: str, now: str) -> str:
    return stored if stored == now else f"{stored} -> {now}"


def _sameness(view: RunView, rounds: Sequence[Round]) -> list[str]:
    """Raises StoreError where the rule does not give what is stored."""
    for one in rounds:
        diagnosed, decided = alike(one.stored, one.now), alike(one.stored_course, one.course)
        if not (diagnosed and decided):
            what = "decide" if diagnosed else "diagnose"
            raise StoreError(
                f"iter-{one.number:03d}/{what} of {view.name} does not follow from what was measured: it was altered, "
                f"or made by another version, and `selfreward verify {view.name}` tells which"
            )
    told = f"{len(rounds)} diagnoses and {sum(one.course is not None for one in rounds)} courses are reproduced"
    if all(one.stored == one.now and one.stored_course == one.course for one in rounds):
        return [f"identical: {told} exactly as they are stored"]
    return [f"alike: {told} but for last digits, which differ from one kind of machine to another"]


def alike(stored: Any, now: Any) -> bool:
    """Whether two JSON values are equal, with numbers equal to a millionth."""
    match stored, now:
        case dict(), dict():
            return stored.keys() == now.keys() and all(alike(stored[name], now[name]) for name in stored)
        case list(), list():
            return len(stored) == len(now) and all(map(alike, stored, now))
        case float(), float():
            return math.isclose(stored, now, rel_tol=_ALIKE, abs_tol=_ALIKE)
        case _:
            return bool(stored == now)


def _differences(rounds: Sequence[Round]) -> list[str]:
    lines = [
        f"round {one.number} is {one.state} now: {one.now['why']}" for one in rounds if one.stored_state != one.state
    ]
    other = [one.number for one in rounds if not one.acts_alike]
    if not lines:
        lines.append("no state differs")
    if not other:
        return [*lines, "no action differs: what was measured is what would have been measured"]
    last = rounds[-1]
    lines.append(f"what is done differs after {_rounds(other)}")
    if last.course is not None and last.course["stop"] is not None:
        lines.append(f"the run would have ended after round {last.number}: {last.course['stop']}")
    if last.number > other[0]:
        lines.append(
            f"measurements after round {other[0]} are those of the old course: from there on this says what the rule "
            "makes of them, not what would have been measured"
        )
    return lines


def _rounds(numbers: Sequence[int]) -> str:
    return f"round{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
