"""How often the detector alarms where the truth is known: nothing wrong, at the margins exactly, and beyond them.

Shape suffixes: P prompts, K answers, H human answers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from selfreward.benchmarks.bench_table import Cell, Row, Section
from selfreward.benchmarks.exact_loops import (
    DRAWS,
    WORDINGS,
    Drawn,
    ExactProbe,
    Floats,
    by_prompt,
    diversity,
    draw,
    drawn_measures,
    human_cost,
    human_nats,
    make_people,
    make_probe,
    make_world,
    probe_round,
    updated,
)
from selfreward.metrics.intervals import Family
from selfreward.monitor.detector import AlarmState, DetectorSpec, Diagnosis, diagnose
from selfreward.monitor.findings import LEVEL, PARTS, Finding, Margins, Part

PROMPTS = 256
# Two probes of 32 prompts x 4 answers then differ by 6.8% of `sem`, as the pilot on a real model did (5.6 to 6.7%).
SPREAD = 2.0
NLL_NOISE = 0.1
MOST_FALSE = 35 / 400
MOST_OFF = 0.015
_ENOUGH = 400

_SPEC = DetectorSpec()
_POPULATION = 2048
_MEASURED: tuple[Family, ...] = tuple(family for family in PARTS if family != "nll")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the horizon: its verdicts and every finding."""

    alarms: int
    judged: int
    hits: frozenset[Family]
    findings: tuple[Finding, ...]

    def hit(self, part: Part) -> bool:
        """Whether any family of the part was hit in any round."""
        return any(PARTS[family] == part for family in self.hits)


def calibration_sections(luck: np.random.SeedSequence, runs: int) -> list[Section]:
    """The rates of ALARM at known drops, and the smallest drops that the default size shows."""
    lucks = iter(luck.spawn(7))

    def shifted(contraction: float, loss: float, count: int) -> list[Outcome]:
        return [shifted_run(np.random.default_rng(one), contraction, loss) for one in next(lucks).spawn(count)]

    null = shifted(0, 0, runs)
    looped = list(looped_runs(np.random.default_rng(next(lucks)), runs))
    fewer = max(1, runs // 4)
    either: tuple[Part, ...] = ("contraction", "loss")
    at_margin = shifted(1, 1, runs)
    rows = [
        _rates("no drop", null, either),
        _rates("all at 1 margin", at_margin, either),
        _rates("all at 1 margin, by two rounds of best of 4", looped, either),
        _rates("contraction 2 margins, loss 1", shifted(2, 1, runs), ("loss",)),
        _rates("contraction 1 margin, loss 2", shifted(1, 2, runs), ("contraction",)),
        _rates("all at 1.5 margins", shifted(1.5, 1.5, fewer)),
        _rates("all at 2 margins", far := shifted(2, 2, fewer)),
    ]
    families = tuple(PARTS)
    return [
        Section(
            title="False alarms and power",
            reading=(
                f"Runs of {_SPEC.horizon} rounds in which something happened in any round, at {PROMPTS} prompts x "
                f"{DRAWS} answers. The families of a part stand at the stated drop in every round after the start. "
                f"Where a part is at 1 margin or less, its hits and ALARM may stand in at most {MOST_FALSE:.2%} of the "
                f"runs (35 in 400, for an alpha of {_SPEC.alpha:g}). `a round`: judged rounds with fresh ALARM."
            ),
            columns=("runs", "ALARM", "contraction", "loss", *families, "a round"),
            rows=tuple(rows),
        ),
        _smallest(null),
        Section(
            title="Intervals",
            reading=(
                "In which share of the rounds of these runs the 95% interval of a family holds its true drop. `nll` is "
                "left out, whose interval is that of the largest of several rises. Rounds of a run share their "
                f"baseline. A row of {_ENOUGH} runs or more holds if every share is within {MOST_OFF:g} of .95."
            ),
            columns=_MEASURED,
            rows=(
                _held("no drop", null, 0),
                _held("all at 1 margin", at_margin, 1),
                _held("all at 1 margin, by two rounds of best of 4", looped, 1),
                _held("all at 2 margins", far, 2),
            ),
        ),
    ]


def shifted_run(rng: np.random.Generator, contraction: float, loss: float) -> Outcome:
    """A run that draws from the start policy for ever, with its values scaled to so many margins of each part.

    Each prompt then stands at that drop exactly, so all that is left to find is noise.
    """
    human_PK = make_people(rng, PROMPTS, SPREAD)
    probe = make_probe(rng, human_PK, human_PK)
    times = {"contraction": contraction, "loss": loss}
    kept = {family: 1 - times[part] * _SPEC.margin.of(family) for family, part in PARTS.items()}
    people_P = probe.human_sem_P * kept["sem"] / kept["human"]
    rise = loss * _SPEC.margin.nll

    def scaled(drawn: Drawn) -> Drawn:
        return Drawn(
            sem_P=drawn.sem_P * kept["sem"],
            lex_P=drawn.lex_P * kept["lex"],
            ent_P=drawn.ent_P * kept["ent"],
            recall_P=drawn.recall_P * kept["recall"],
            duplicate_rate=drawn.duplicate_rate,
        )

    rounds = (scaled(one) for one in _draws(rng, human_PK, probe))
    nats_P = human_nats(probe, human_PK)
    return _run(_SPEC, rng, ExactProbe(probe.people_PH, people_P, probe.baseline), rounds, nats_P, nats_P + rise)


def looped_runs(rng: np.random.Generator, runs: int) -> Iterator[Outcome]:
    """Runs on prompts out of a population that best of 4 has narrowed, each margin set to what the population lost.

    Here prompts differ in how much they lost, and answers are drawn from the narrowed policy itself.
    """
    world = make_world(rng, _POPULATION, SPREAD)
    policy_PK = world.human_PK
    for _ in range(2):
        policy_PK = updated(world, policy_PK, k=4, real_share=0.0)
    spec = DetectorSpec(margin=true_drops(world.human_PK, policy_PK))
    for _ in range(runs):
        chosen_P = rng.integers(_POPULATION, size=PROMPTS)
        start_PK, later_PK = world.human_PK[chosen_P], policy_PK[chosen_P]
        probe = make_probe(rng, start_PK, start_PK)
        rounds = _draws(rng, later_PK, probe)
        yield _run(spec, rng, probe, rounds, human_nats(probe, start_PK), human_nats(probe, later_PK))


def true_drops(start_PK: Floats, policy_PK: Floats) -> Margins:
    """What the policy has lost in each family against a start that answers as people do: exact means over prompts."""

    def lost(now: float, base: float) -> float:
        return 1 - now / base

    def worded(policy: Floats) -> float:
        return 1 - (1 - diversity(policy)) / WORDINGS

    def reached(policy: Floats) -> float:
        return float((start_PK * (1 - (1 - policy) ** DRAWS)).sum(axis=1).mean())

    def entropy(policy: Floats) -> float:
        return float(-(policy * np.log(policy)).sum(axis=1).mean())

    return Margins(
        sem=lost(diversity(policy_PK), diversity(start_PK)),
        lex=lost(worded(policy_PK), worded(start_PK)),
        ent=lost(entropy(policy_PK), entropy(start_PK)),
        recall=lost(reached(policy_PK), reached(start_PK)),
        human=lost(diversity(policy_PK), diversity(start_PK)),
        nll=human_cost(start_PK, policy_PK) - human_cost(start_PK, start_PK),
    )


def _draws(rng: np.random.Generator, policy_PK: Floats, probe: ExactProbe) -> Iterator[Drawn]:
    for _ in range(_SPEC.horizon):
        yield drawn_measures(policy_PK, draw(rng, policy_PK, DRAWS), probe.people_PH, rng)


def _run(
    spec: DetectorSpec,
    rng: np.random.Generator,
    probe: ExactProbe,
    rounds: Iterable[Drawn],
    start_P: Floats,
    later_P: Floats,
) -> Outcome:
    """The verdicts on the rounds; training moves the human NLL of a prompt by `NLL_NOISE` from round to round."""
    nll = [by_prompt(start_P + NLL_NOISE * rng.standard_normal(len(start_P)))]
    diagnoses: list[Diagnosis] = []
    standing: AlarmState | None = None
    for number, drawn in enumerate(rounds, start=1):
        nll.append(by_prompt(later_P + NLL_NOISE * rng.standard_normal(len(later_P))))
        diagnoses.append(diagnose(spec, probe_round(number, probe, drawn, nll), standing))
        standing = diagnoses[-1].standing
    findings = tuple(finding for one in diagnoses for finding in one.findings)
    judged = [one for one in diagnoses if one.round > spec.warmup]
    return Outcome(
        alarms=sum(one.state in ("ALARM", "SEVERE") and one.standing.alarms > 0 for one in judged),
        judged=len(judged),
        hits=frozenset(finding.family for finding in findings if finding.hit),
        findings=findings,
    )


def _rates(name: str, runs: Sequence[Outcome], null: Sequence[Part] = ()) -> Row:
    """How often what happened; `null` names the parts that are not beyond their margins."""
    alarms = sum(one.alarms > 0 for one in runs)
    parts = {part: sum(one.hit(part) for one in runs) for part in set(PARTS.values())}
    hits = Counter(family for one in runs for family in one.hits)
    a_round = fmean(one.alarms / one.judged for one in runs)
    families = [hits[family] for family in PARTS]
    cells: tuple[Cell, ...] = (len(runs), alarms, parts["contraction"], parts["loss"], *families, a_round)
    false = max([alarms, *(parts[part] for part in null)])
    return Row(name=name, cells=cells, passed=false <= MOST_FALSE * len(runs) if null else None)


def _held(name: str, runs: Sequence[Outcome], margins: float) -> Row:
    """How often the interval of a family holds the drop of so many margins."""
    shares = [
        fmean(
            one.low <= margins * one.margin <= one.high for run in runs for one in run.findings if one.family == family
        )
        for family in _MEASURED
    ]
    held = all(abs(share - LEVEL) <= MOST_OFF for share in shares)
    return Row(name=name, cells=tuple(shares), passed=held if len(runs) >= _ENOUGH else None)


def _smallest(runs: Sequence[Outcome]) -> Section:
    """Means over the rounds of runs without a drop."""
    rows = []
    for family in PARTS:
        found = [finding for one in runs for finding in one.findings if finding.family == family]
        margin, effect = found[0].margin, fmean(one.detectable for one in found)
        cells = (margin, fmean(one.se for one in found), found[0].critical, effect, margin + effect)
        rows.append(Row(name=family, cells=cells, passed=effect <= margin if family == "sem" else None))
    return Section(
        title="Minimum detectable effect",
        reading=(
            f"At {PROMPTS} prompts x {DRAWS} answers, in the unit of the margin, from the runs without a drop: what a "
            "drop must have beyond the margin to be hit in a given round four times in five, and the drop that makes. "
            "`sem` holds if that effect is at most the margin."
        ),
        columns=("margin", "standard error", "critical", "effect", "smallest drop seen"),
        rows=tuple(rows),
    )
