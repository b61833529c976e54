"""What the monitor said of each policy and what the controller did about it, as the page needs it."""

from collections.abc import Mapping
from dataclasses import dataclass

from selfreward.artifacts import Artifact
from selfreward.artifacts.runs import RunView
from selfreward.metrics.paired_values import Family
from selfreward.monitor.controller import Action
from selfreward.monitor.detector import State
from selfreward.monitor.findings import Finding
from selfreward.report.charts import Flag
from selfreward.report.figures import MINUS
from selfreward.stages.decide import Decision, decision_of
from selfreward.stages.diagnose import verdict_of

_LETTERS: Mapping[State, str] = {"ALARM": "A", "SEVERE": "S", "INVALID": "?", "INCONCLUSIVE": "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerStep:
    """What was decided after a policy was diagnosed; `acts` says whether the rule was followed or only watched.

    `real_share` is what the round trains on, `shadow_share` what the rule would take. `exhausted`: an alarm asked for
    human data and none was left. `selection_ratio`: see `stages.narrowing`.
    """

    acts: bool
    action: Action
    why: str
    rung: int
    real_share: float
    shadow_share: float
    exhausted: bool
    selection_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The verdict on policy M`t`, and the ruling that followed, None where it has not come to one.

    `alarms` counts fresh alarms in a row. `sem_ratio` is the open diversity over that of M0, at matched length.
    """

    t: int
    state: State
    alarms: int
    why: str
    cannot_see: str
    findings: Mapping[Family, Finding]
    counted: tuple[Family, ...]
    sem_ratio: float | None
    ruling: ControllerStep | None

    @property
    def is_alarm(self) -> bool:
        """Whether an alarm stands, fresh or held."""
        return self.state in ("ALARM", "SEVERE")


def read_watches(view: RunView) -> tuple[Watch, ...]:
    """The verdicts on all policies that were diagnosed."""
    return tuple(_watch(t, stages) for t, stages in enumerate(view.iterations) if "diagnose" in stages)


def state_flags(watches: tuple[Watch, ...]) -> list[Flag]:
    """Where an alarm stood (A, S for a severe one) and where the monitor could not judge (?)."""
    return [Flag(one.t, _LETTERS[one.state], one.state) for one in watches if one.state in _LETTERS]


def action_flags(watches: tuple[Watch, ...]) -> list[Flag]:
    """Where the controller did something, in letters."""
    found = []
    for one in watches:
        if one.ruling is not None and (letters := _action(one.ruling)):
            found.append(Flag(one.t, letters, one.ruling.why))
    return found


def _action(ruling: ControllerStep) -> str:
    match ruling.action:
        case "raise":
            return "+"
        case "decay":
            return MINUS
        case "escalate":
            return f"R{ruling.rung}"
        case "stop":
            return "stop"
        case "hold":
            return "dry" if ruling.exhausted else ""


def _watch(t: int, stages: Mapping[str, Artifact]) -> Watch:
    verdict = verdict_of(stages["diagnose"])
    return Watch(
        t=t,
        state=verdict.state,
        alarms=verdict.standing.alarms,
        why=verdict.why,
        cannot_see=verdict.cannot_see,
        findings={one.family: one for one in verdict.ordered},
        counted=verdict.counted,
        sem_ratio=verdict.sem_ratios[-1],
        ruling=_ruling(decision_of(stages["decide"])) if "decide" in stages else None,
    )


def _ruling(decision: Decision) -> ControllerStep:
    course = decision.course
    return ControllerStep(
        acts=decision.settings["mode"] == "act",
        action=course.action,
        why=course.why,
        rung=course.rung,
        real_share=course.real_share,
        shadow_share=course.shadow_share,
        exhausted=course.state == "BUDGET_EXHAUSTED",
        selection_ratio=decision.selection.selection_ratio,
    )
