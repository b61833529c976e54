"""Diagnose: the verdict of the monitor on one policy, from its measurement, the baseline's, and what came before."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from selfreward.artifacts import Artifact, Output, Part
from selfreward.artifacts.reports import load_report, save_report
from selfreward.metrics.intervals import Family
from selfreward.metrics.matched_probe import families, start_over_people
from selfreward.metrics.probe_rows import PromptMeasure
from selfreward.metrics.variety_summary import mean
from selfreward.monitor.critical_values import HalfLife, half_life
from selfreward.monitor.detector import AlarmState, DetectorSpec, ProbeRound, State
from selfreward.monitor.detector import diagnose as judge_round
from selfreward.monitor.findings import PARTS, Finding, worst_loss
from selfreward.stages.measure import Gauge, measurement_of, probe_of

VERSION = 4
_DECIMALS = 4  # far above what another order of summation moves, far below what a decision would notice


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanNll:
    """How likely the human answers to one prompt were in one round, in nats per token."""

    round: int
    prompt_id: str
    nll: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Rates, and a drop as a share, that tell whether a verdict can be believed; None where not measured."""

    duplicate_rate: float | None
    truncation_rate: float | None
    baseline_truncation_rate: float | None
    raw_sem_drop: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The monitor's verdict on one policy; see `detector.Diagnosis` for what is not named here.

    `human_nll` is the mean over prompts, in nats per token. `sem_ratios` are the open diversity of each round over that
    of M0, at matched length, None where one of them is not known; `half_life` is read from them.
    """

    round: int
    state: State
    why: str
    cannot_see: str
    standing: AlarmState
    findings: dict[Family, Finding]
    counted: tuple[Family, ...]
    human_nll: float | None
    sem_ratios: tuple[float | None, ...]
    half_life: HalfLife | None
    guard: Guard

    @property
    def ordered(self) -> tuple[Finding, ...]:
        """The findings; contraction first."""
        return tuple(self.findings[family] for family in PARTS if family in self.findings)

    @property
    def is_alarm(self) -> bool:
        """Whether an alarm stands, fresh or held."""
        return self.state in ("ALARM", "SEVERE")

    @property
    def sem_ratio(self) -> float | None:
        """The open diversity of this policy over that of M0."""
        return self.sem_ratios[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedVerdict:
    """What a decision is told of a verdict, in the words of `controller.Evidence`.

    Numbers are rounded to four decimals: their last digits hang on the order in which a machine adds, and a decision
    must not.
    """

    round: int
    state: State
    alarms: int
    calm: int
    loss: float
    human_nll: float | None


def verdict_of(diagnosed: Artifact) -> Verdict:
    """The report of a diagnosis."""
    return load_report(diagnosed, "diagnosis", Verdict)


RoundVerdict = tuple[Verdict, Sequence[HumanNll]]
"""A verdict, and the human NLL of all rounds up to it."""


def diagnose(
    out: Output, spec: DetectorSpec, *, measured: Artifact, baseline: Artifact, previous: Artifact | None
) -> None:
    """`diagnosis.json` is a Verdict; table `history` of HumanNll. `verdict.json`, a RoundedVerdict, is for decisions.

    `baseline` is the measurement of iteration 0, which is compared with itself: its first answers with its others.
    """
    before = None if previous is None else (verdict_of(previous), list(previous.records(HumanNll, "history")))
    verdict, history = diagnosis_of(spec, measured, baseline, before)
    out.write_table(HumanNll, history, "history")
    save_report(out, "diagnosis", verdict)
    save_report(out, "verdict", rounded_verdict(verdict))


def diagnosis_of(
    spec: DetectorSpec, measured: Artifact, baseline: Artifact, previous: RoundVerdict | None
) -> RoundVerdict:
    """The verdict on `measured`, given the one on the round before; it reads the measurements and writes nothing."""
    before, known = previous or (None, ())
    number = 0 if before is None else before.round + 1
    rows = [row for row in measured.records(PromptMeasure, "prompts") if row.stratum == "open"]
    nlls = [(row.prompt_id, row.human_nll) for row in rows if row.human_nll is not None]
    history = [*known, *(HumanNll(round=number, prompt_id=prompt_id, nll=nll) for prompt_id, nll in nlls)]
    seen = _probe_round(number, rows, history, measured, baseline)
    found = judge_round(spec, seen, None if before is None else before.standing)
    ratios = [*(() if before is None else before.sem_ratios), seen.families["sem"].ratio()]
    falling = half_life([ratio for ratio in ratios if ratio is not None]) if None not in ratios else None
    verdict = Verdict(
        round=number,
        state=found.state,
        why=found.why,
        cannot_see=found.cannot_see,
        standing=found.standing,
        findings={one.family: one for one in found.findings},
        counted=found.counted,
        human_nll=mean([row.human_nll for row in rows]),
        sem_ratios=tuple(ratios),
        half_life=falling,
        guard=Guard(
            duplicate_rate=seen.duplicate_rate,
            truncation_rate=seen.truncation_rate,
            baseline_truncation_rate=seen.baseline_truncation_rate,
            raw_sem_drop=seen.raw_sem_drop,
        ),
    )
    return verdict, history


def rounded_verdict_of(diagnosis: Part) -> RoundedVerdict:
    """What a decision is told of a verdict, from the part that holds it."""
    return load_report(diagnosis, "verdict", RoundedVerdict)


def rounded_verdict(verdict: Verdict) -> RoundedVerdict:
    """What a decision is told of a verdict."""
    nll = verdict.human_nll
    return RoundedVerdict(
        round=verdict.round,
        state=verdict.state,
        alarms=verdict.standing.alarms,
        calm=verdict.standing.calm,
        loss=round(worst_loss(verdict.findings[family] for family in verdict.counted), _DECIMALS),
        human_nll=None if nll is None else round(nll, _DECIMALS) + 0.0,  # -0.0 is 0.0
    )


def _probe_round(
    number: int, rows: Sequence[PromptMeasure], history: Sequence[HumanNll], measured: Artifact, baseline: Artifact
) -> ProbeRound:
    probe, first_probe = probe_of(measured), probe_of(baseline)
    now, then = measurement_of(measured).open, measurement_of(baseline).open
    draws, total = probe.k, first_probe.baseline_k
    return ProbeRound(
        number=number,
        draws=draws,
        baseline_draws=total - draws if number == 0 else total,
        families=families(rows),
        human_nll=[{one.prompt_id: one.nll for one in history if one.round == past} for past in range(number + 1)],
        start_over_people=start_over_people(rows),
        raw_sem_drop=None if now is None or then is None else _drop(now.pairwise_distance, then.pairwise_distance),
        duplicate_rate=None if now is None else now.duplicate_rate,
        truncation_rate=None if now is None else now.truncation_rate,
        baseline_truncation_rate=None if then is None else then.truncation_rate,
        mismatch=_mismatch(probe.gauge, first_probe.gauge),
    )


def _drop(now: float | None, then: float | None) -> float | None:
    return None if now is None or not then else 1 - now / then


def _mismatch(now: Gauge, then: Gauge) -> str | None:
    """What differs between two probes that should be one; None where nothing does."""
    different = [name for name in sorted(asdict(then)) if getattr(now, name) != getattr(then, name)]
    return f"its {', '.join(different)} changed" if different else None
