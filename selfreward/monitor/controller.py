"""What to do about an alarm: more real data first, then a ladder of stronger measures, one rung a round.

    rung 1   a larger share of human answers in the training set
    rung 2   human-chosen pairs with anchored rejects, and an SFT term beside DPO (where pairs are trained on)
    rung 3   selection prefers novel answers and caps how many come from one cluster
    rung 4   selection chooses among half as many candidates
    then     stop, naming the round to go back to (only with `allow_stop`)

More human data is tried first; the ladder is climbed where the share cannot rise. A rung that can do nothing is
skipped: the first without human data, the second without pairs, those above where no candidate is trained on. The
share is clamped at `ceiling` and nothing accumulates beyond it (anti-windup). Two calm rounds, in which nothing human
was lost, lower the share and step down.
"""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from selfreward.monitor.detector import CALM_ROUNDS, DetectorSpec, State
from selfreward.spec import Spec, part_of

Action = Literal["hold", "raise", "decay", "escalate", "stop"]

_HEALTHY: tuple[State, ...] = ("OK", "WARN", "WARMUP")
_WITHOUT_ALARM: tuple[State, ...] = ("OK", "WARN")
_PAIRS_RUNG, _NOVELTY_RUNG, _FEWER_RUNG = 2, 3, 4


class ControllerSpec(Spec):
    """`observe` keeps the share at `real_share` and says what would be done; `act` does it.

    Shares are of the answer tokens that are trained on. A fresh alarm adds `gain` for each margin of human loss
    beyond the margin and `rise` for each alarm in a row, at most `step`, within `floor` and `ceiling`; two calm
    rounds, in state OK or WARN, multiply the share by `decay`. `budget` caps the human tokens (pairs, where pairs are
    trained on) of a whole run. `max_rung` is the highest rung that may be climbed.
    """

    mode: Literal["observe", "act"] = "observe"
    real_share: float = Field(0.2, ge=0, lt=1)
    floor: float = Field(0.1, ge=0, lt=1)
    ceiling: float = Field(0.5, gt=0, lt=1)
    step: float = Field(0.2, gt=0, le=1)
    gain: float = Field(0.05, ge=0)
    rise: float = Field(0.05, ge=0)
    decay: float = Field(0.7, gt=0, le=1)
    budget: PositiveInt | None = None
    max_rung: int = Field(4, ge=1, le=4)
    allow_stop: bool = False
    novelty_quantile: float = Field(0.5, ge=0, le=1)
    cluster_cap: PositiveInt = 4
    sft_weight: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _floor_is_below_the_ceiling(self) -> Self:
        if self.floor > self.ceiling:
            raise ValueError(
                f"floor {self.floor} is above ceiling {self.ceiling}: lower the floor or raise the ceiling"
            )
        return self


class MonitorSpec(DetectorSpec, ControllerSpec):
    """The settings of the monitor as they are typed; a stage is given only the half that it works by."""

    @property
    def detector(self) -> DetectorSpec:
        """What decides a verdict."""
        return part_of(self, DetectorSpec)

    @property
    def controller(self) -> ControllerSpec:
        """What decides an action."""
        return part_of(self, ControllerSpec)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the rung asks of the next selection and of this round's mixing; None leaves a setting alone."""

    select_k: int | None = None
    novelty: bool = False
    cluster_cap: int | None = None
    novelty_quantile: float | None = None
    anchored: bool = False
    sft_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What round `round` has shown.

    `loss` is `findings.worst_loss` of the families that count, `pairs` says that pairs are trained on, `chooses` that
    any candidates are, and `select_k` is the setting. `human_left` counts what pool and budget both allow (None:
    unknown); `human_wanted_short`: the last mix got less human data than it asked for. `human_nll` is in nats per
    token.
    """

    round: int
    state: State
    loss: float
    alarms: int
    calm: int
    pairs: bool
    select_k: int
    human_left: int | None
    human_wanted_short: bool
    human_nll: float | None
    chooses: bool = True


@dataclass(frozen=True, slots=True)
class Intervention:
    """What is done after round `round`, and why.

    `state` is BUDGET_EXHAUSTED where an alarm asked for human data and none was left. `real_share` is what to train
    on; `shadow_share` and `rung` are the rule's, which mode observe follows on paper only. `stop` says why the run
    should end. `best_healthy` and `healthy_nll` are those of `healthier`, over all rounds so far.
    """

    round: int
    state: State | Literal["BUDGET_EXHAUSTED"]
    real_share: float
    rung: int
    orders: Orders
    action: Action
    why: str
    stop: str | None
    best_healthy: int | None
    healthy_nll: float | None
    shadow_share: float


@dataclass(frozen=True, slots=True)
class _Move:
    """What the rule does this round, whatever the mode."""

    action: Action
    share: float
    rung: int
    why: str


def steer(spec: ControllerSpec, evidence: Evidence, previous: Intervention | None) -> Intervention:
    """The course after this round, given the one before (None: this is the first)."""
    share = spec.floor if previous is None else min(spec.ceiling, max(spec.floor, previous.shadow_share))
    rung = 0 if previous is None else min(spec.max_rung, previous.rung)
    exhausted = evidence.human_left == 0 or evidence.human_wanted_short
    fresh_alarm = evidence.alarms > 0 and evidence.state in ("ALARM", "SEVERE")
    if fresh_alarm:
        move = _answer(spec, evidence, share, rung, exhausted)
    elif evidence.state in _WITHOUT_ALARM and evidence.calm >= CALM_ROUNDS:
        move = _relax(spec, evidence, share, rung)
    else:
        move = _Move("hold", share, rung, f"nothing to answer in state {evidence.state}")
    best = (None, None) if previous is None else (previous.best_healthy, previous.healthy_nll)
    healthy, healthy_nll = healthier(best, evidence.round, evidence.state, evidence.human_nll)
    back = "no healthy round was measured" if healthy is None else f"go back to round {healthy}"
    acts = spec.mode == "act"
    return Intervention(
        round=evidence.round,
        state="BUDGET_EXHAUSTED" if fresh_alarm and exhausted else evidence.state,
        real_share=move.share if acts else spec.real_share,
        rung=move.rung,
        orders=_orders(spec, evidence, move.rung) if acts else Orders(),
        action=move.action if acts else "hold",
        why=move.why if acts else f"only observing, the share stays at {spec.real_share:.2f}; act would: {move.why}",
        stop=f"{move.why}; {back}" if acts and move.action == "stop" else None,
        best_healthy=healthy,
        healthy_nll=healthy_nll,
        shadow_share=move.share,
    )


def healthier(
    best: tuple[int | None, float | None], number: int, state: State, human_nll: float | None
) -> tuple[int | None, float | None]:
    """The better to go back to of `best` and round `number`: the round and its human NLL; (None, None) for neither.

    Only a round without alarm counts; the lower human NLL is better, and of equals the first.
    """
    if state not in _HEALTHY or human_nll is None:
        return best
    return best if best[1] is not None and best[1] <= human_nll else (number, human_nll)


def _answer(spec: ControllerSpec, evidence: Evidence, share: float, rung: int, exhausted: bool) -> _Move:
    """More real data if there is any to have; else the next rung; else stop. SEVERE climbs to rung 3 at once."""
    wanted = share + min(spec.step, spec.gain * evidence.loss + spec.rise * evidence.alarms)
    raised = share if exhausted else min(spec.ceiling, wanted)
    held = max(rung, 1)
    higher = [step for step in range(held + 1, spec.max_rung + 1) if _helps(step, evidence)]
    jumps = [step for step in higher if step <= _NOVELTY_RUNG] if evidence.state == "SEVERE" else []
    seen = (
        f"{evidence.state} number {evidence.alarms} in a row, human loss {evidence.loss:.1f} margins beyond its margin"
    )
    if raised > share:
        told = f"share {share:.3f} to {raised:.3f}"
    elif exhausted:
        told = f"share stays at {share:.3f}, human data is used up"
    else:
        told = f"share cannot rise above {share:.3f}"
    if jumps:
        return _Move("escalate", raised, jumps[-1], f"{seen}: {told}, rung {rung} to {jumps[-1]} at once")
    if raised > share:
        return _Move("raise", raised, held, f"{seen}: {told}")
    if higher:
        return _Move("escalate", share, higher[0], f"{seen}: {told}, rung {rung} to {higher[0]}")
    if spec.allow_stop:
        return _Move("stop", share, held, f"{seen}: {told}, and no rung above {held} is left")
    return _Move("hold", share, held, f"{seen}: {told}, no rung above {held} is left, and allow_stop is off")


def _relax(spec: ControllerSpec, evidence: Evidence, share: float, rung: int) -> _Move:
    lowered = max(spec.floor, spec.decay * share)
    below = max((step for step in range(rung) if _helps(step, evidence)), default=0)
    if lowered == share and below == rung:
        return _Move("hold", share, rung, f"{evidence.calm} calm rounds; share and rung are at their lowest")
    why = f"{evidence.calm} calm rounds: share {share:.3f} to {lowered:.3f}, rung {rung} to {below}"
    return _Move("decay", lowered, below, why)


def _helps(rung: int, evidence: Evidence) -> bool:
    return evidence.pairs if rung == _PAIRS_RUNG else evidence.chooses or rung < _PAIRS_RUNG


def _orders(spec: ControllerSpec, evidence: Evidence, rung: int) -> Orders:
    """The orders of `rung` and of all rungs below it."""
    anchored = rung >= _PAIRS_RUNG and evidence.pairs
    novelty = rung >= _NOVELTY_RUNG and evidence.chooses
    # A pair needs two candidates; a setting that is lower already is left as it is.
    fewest = min(evidence.select_k, 2 if evidence.pairs else 1)
    return Orders(
        select_k=max(fewest, evidence.select_k // 2) if rung >= _FEWER_RUNG and evidence.chooses else None,
        novelty=novelty,
        cluster_cap=spec.cluster_cap if novelty else None,
        novelty_quantile=spec.novelty_quantile if novelty else None,
        anchored=anchored,
        sft_weight=spec.sft_weight if anchored else 0.0,
    )
