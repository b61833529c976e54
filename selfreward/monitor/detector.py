"""Has the loop contracted, and has it cost human mass: one round's measurements in, one verdict out.

A policy that only learns to answer to the point also becomes less diverse than its start, so contraction alone is no
alarm. ALARM needs two things in one round: **contraction** (`sem`, the distance between answers, or `ent`, the
policy's own entropy, fell against the start policy; `lex` alone is format) and **loss** (human answers became less
likely, `nll`; fewer of them lie near the policy's own, `recall`; or the policy is less diverse than the humans are,
`human`), each by more than a margin.

What is promised: in a run of at most `horizon` rounds where nothing contracted by more than its margin, or nothing
human was lost by more than its margin, the chance that any round raises ALARM is at most `alpha`. An alarm needs both
parts, so it is no more likely than a false hit of the part that is null (intersection-union test, Berger 1982); a
part holds `alpha` by Bonferroni over its three families, a family holds alpha / 3 over all rounds by its critical
value (`critical_values.py`). Where contraction and loss are real in different rounds, the chance is at most 2 alpha;
so is that of any WARN where all is null. Assumed: independent prompts, their mean near to normal; with fewer than 64
prompts and heavily skewed values the rate may reach .08. A silent monitor does not mean health: see `cannot_see`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt

from selfreward.metrics.intervals import Family, Paired
from selfreward.monitor.critical_values import bonferroni_critical, dunnett_critical, shared_noise
from selfreward.monitor.findings import PARTS, Finding, Margins, margin_test, nll_test
from selfreward.monitor.verdict_words import blind_sentence, moved_sentence, reason
from selfreward.spec import Spec

State = Literal["INVALID", "INCONCLUSIVE", "WARMUP", "OK", "WARN", "ALARM", "SEVERE"]

CALM_ROUNDS = 2
_FAMILIES_A_PART = 3


class DetectorSpec(Spec):
    """`alpha` is the chance of a false ALARM in a whole run of `horizon` rounds; rounds up to `warmup` never alarm.

    A round is INVALID where the share of cut answers rose by more than `truncation_rise`. An ALARM is SEVERE where
    `sem` fell by more than `severe_drop`, or more than `severe_duplicates` of the answers are copies.
    """

    horizon: PositiveInt = Field(10, le=1000)
    alpha: float = Field(0.05, ge=1e-9, lt=0.5)
    warmup: int = Field(1, ge=0)
    margin: Margins = Margins()
    truncation_rise: float = Field(0.05, ge=0, le=1)
    severe_drop: float = Field(0.35, gt=0, lt=1)
    severe_duplicates: float = Field(0.30, gt=0, le=1)


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRound:
    """What the probe saw of the policy of round `number`, from `draws` answers a prompt.

    `families` compares it with the start policy (`baseline_draws` answers a prompt), `human` with human answers.
    `human_nll` is, for rounds 0 to this one, prompt to nats per token; empty where it is not measured.
    `start_over_people` is the start policy's `sem` over that of the human answers, `raw_sem_drop` the relative drop of
    `sem` before lengths were matched. None is not known. `mismatch` says why the probe is not the baseline's.
    """

    number: int
    draws: int
    baseline_draws: int
    families: Mapping[Family, Paired]
    human_nll: Sequence[Mapping[str, float]]
    start_over_people: float | None
    raw_sem_drop: float | None
    duplicate_rate: float | None
    truncation_rate: float | None
    baseline_truncation_rate: float | None
    mismatch: str | None

    def __post_init__(self) -> None:
        if len(self.human_nll) not in (0, self.number + 1):
            raise ValueError(f"human NLL of {len(self.human_nll)} rounds: need that of rounds 0 to {self.number}")


@dataclass(frozen=True, slots=True)
class AlarmState:
    """What is carried from round to round.

    `state` is that of the last round that could be judged (WARMUP before the first). Of such rounds in a row, up to
    that one, `alarms` brought fresh evidence of an alarm and `calm` were without loss.
    """

    state: State
    alarms: int
    calm: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict on one round; `why` is its reason with the numbers, `cannot_see` what it may have missed.

    `counted` are the families it rests on, without a shortfall to people that the start policy had already.
    """

    round: int
    state: State
    standing: AlarmState
    findings: tuple[Finding, ...]
    counted: tuple[Family, ...]
    why: str
    cannot_see: str


def diagnose(spec: DetectorSpec, probe_round: ProbeRound, previous: AlarmState | None) -> Diagnosis:
    """The verdict on `probe_round`, given the standing after the round before (None: this is the first).

    In order: INVALID (another probe, or more answers cut), WARMUP, INCONCLUSIVE (no `sem`; or its sign depends on
    length; or nothing hit and an excess of two margins would not have shown), SEVERE and ALARM, WARN (any other
    hit), OK. After an alarm the state stays ALARM until two rounds in a row are calm: none of the losses hit, each
    below half its margin. Rounds that could not be judged count neither way.
    """
    found = tuple(_test(spec, probe_round))
    # A start policy less varied than people by a margin did not lose that to the loop.
    start = probe_round.start_over_people
    brought = start is not None and start < 1 - spec.margin.human
    counted = tuple(finding for finding in found if not (brought and finding.family == "human"))
    standing = previous or AlarmState("WARMUP", 0, 0)
    unjudged = _unjudged(spec, probe_round, counted)
    if unjudged is not None:
        state, why = unjudged
    else:
        fresh = _judge(spec, probe_round, counted)
        standing = _carry(standing, fresh, _is_calm(counted))
        state, why = standing.state, reason(counted)
        if state != fresh:
            why += f"; the alarm is held until {CALM_ROUNDS} rounds in a row are calm, {standing.calm} so far"
    for one in found:
        if one.hit and one not in counted:
            why += f"; {moved_sentence(one)}, as the start policy's own did: not the loop's doing, and not counted"
    families = tuple(one.family for one in counted)
    cannot_see = blind_sentence(found)
    if probe_round.number > spec.horizon:
        cannot_see += f"; round {probe_round.number} is past the horizon of {spec.horizon}: alpha no longer holds"
    return Diagnosis(probe_round.number, state, standing, found, families, why, cannot_see)


def _test(spec: DetectorSpec, probe_round: ProbeRound) -> Iterator[Finding]:
    """The families that have enough prompts, each at its share of alpha over the whole run."""
    alpha = spec.alpha / _FAMILIES_A_PART
    for family in PARTS:
        margin, paired = spec.margin.of(family), probe_round.families.get(family)
        if family == "nll":
            finding = nll_test(
                probe_round.human_nll, margin, bonferroni_critical(spec.horizon * (spec.horizon + 1) // 2, alpha)
            )
        elif paired is None or len(paired.now_P) == 0:
            finding = None
        elif family == "human":
            finding = margin_test(family, paired, margin, bonferroni_critical(spec.horizon, alpha), None)
        else:
            correlation = shared_noise(probe_round.draws, probe_round.baseline_draws, margin)
            critical = dunnett_critical(spec.horizon, correlation, alpha)
            finding = margin_test(family, paired, margin, critical, 0)
        if finding is not None:
            yield finding


def _unjudged(spec: DetectorSpec, probe_round: ProbeRound, found: tuple[Finding, ...]) -> tuple[State, str] | None:
    """Why this round cannot be judged; None where it can."""
    if probe_round.mismatch is not None:
        return "INVALID", f"the probe is not that of the baseline: {probe_round.mismatch}"
    cut, cut_before = probe_round.truncation_rate, probe_round.baseline_truncation_rate
    if cut is not None and cut_before is not None and cut - cut_before > spec.truncation_rise:
        return "INVALID", f"{cut:.1%} of the answers were cut short, {cut_before:.1%} at the baseline"
    if probe_round.number <= spec.warmup:
        return "WARMUP", f"rounds up to {spec.warmup} are not judged; {reason(found)}"
    sem = next((finding for finding in found if finding.family == "sem"), None)
    if sem is None:
        return "INCONCLUSIVE", "sem could not be tested: too few prompts, or the same difference on every one"
    raw_drop = probe_round.raw_sem_drop
    # The matched and the raw drop differ in sign, both beyond the noise of the matched one.
    if raw_drop is not None and sem.drop * raw_drop < 0 and min(abs(sem.drop), abs(raw_drop)) > sem.critical * sem.se:
        return "INCONCLUSIVE", f"sem moved by {-sem.drop:+.1%} at matched length and by {-raw_drop:+.1%} without"
    if sem.detectable > 2 * sem.margin and not any(finding.hit for finding in found):
        return "INCONCLUSIVE", f"too few prompts to tell: {reason(found)}"
    return None


def _judge(spec: DetectorSpec, probe_round: ProbeRound, found: tuple[Finding, ...]) -> State:
    """What this round's evidence alone says."""
    hits = {finding.family for finding in found if finding.hit}
    if any(PARTS[family] == "loss" for family in hits) and hits & {"sem", "ent"}:
        drop = next(finding.drop for finding in found if finding.family == "sem")
        copies = probe_round.duplicate_rate
        severe = drop > spec.severe_drop or (copies is not None and copies > spec.severe_duplicates)
        return "SEVERE" if severe else "ALARM"
    return "WARN" if hits else "OK"


def _is_calm(found: tuple[Finding, ...]) -> bool:
    """No loss, as far as was measured; a round that measured none of the losses is not calm."""
    losses = [finding for finding in found if finding.part == "loss"]
    return bool(losses) and not any(loss.hit or loss.drop >= loss.margin / 2 for loss in losses)


def _carry(before: AlarmState, fresh: State, is_calm: bool) -> AlarmState:
    alarms = before.alarms + 1 if fresh in ("ALARM", "SEVERE") else 0
    calm = before.calm + 1 if is_calm else 0
    held = before.state in ("ALARM", "SEVERE") and alarms == 0 and calm < CALM_ROUNDS
    return AlarmState("ALARM" if held else fresh, alarms, calm)
