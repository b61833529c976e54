"""`selfreward monitor calibrate`: measure the start policy twice, so that whatever differs is noise."""

from collections.abc import Iterator
from math import ceil

from selfreward.artifacts import Artifact, Part, Store
from selfreward.artifacts.runs import Run
from selfreward.commands.arguments import Values
from selfreward.commands.number_types import with_types_of_this_machine
from selfreward.config import RunConfig, answer_lengths, validate
from selfreward.console import ConsoleReporter, table_lines
from selfreward.data.models import start_policy
from selfreward.metrics.human_recall import FEWEST_DRAWS, FEWEST_HUMAN_ANSWERS
from selfreward.metrics.intervals import Family
from selfreward.monitor.findings import FEWEST_PROMPTS, PARTS, Finding
from selfreward.monitor.verdict_words import amount, finding_cells
from selfreward.stages.diagnose import HumanNll, diagnose, verdict_of
from selfreward.stages.measure import BASELINE, measure, measurement_of
from selfreward.stages.source import load_sources

FOLDER = "calibration"
_UNITS = (
    "all but value, z and critical are shares of the baseline (human: of the human answers' own diversity; nll: nats)",
    "detectable: the excess over the margin that is seen four times in five",
    "enough: open probe prompts, about, at which detectable is the margin",
)


def calibrate(values: Values) -> Iterator[str]:
    """Measures the start policy of the composed settings `values` twice; the lines that tell what came of it.

    They are a table, recall, what is blind, and the cost. Raises SelfrewardError as a run does.
    """
    config = validate(values)
    baseline, again, diagnosis = measure_twice(config)
    verdict, probe, monitor = verdict_of(diagnosis), config.measure, config.monitor
    yield f"{config.run}: the start policy against itself, {probe.k} answers a prompt against {probe.baseline_k};"
    yield f"critical values for {monitor.horizon} rounds at alpha {monitor.alpha}"
    if verdict.ordered:
        yield from ("", *table_lines([_row(one) for one in verdict.ordered]), *_UNITS)
    yield from ("", *_recall(again), *_verdicts(config, again, diagnosis))
    yield from ("", *_cost(config.loop.iterations, baseline, again))


def measure_twice(config: RunConfig) -> tuple[Artifact, Artifact, Artifact]:
    """Two measurements of the start policy and the verdict on the second, linked as a run in `<run>/calibration`.

    The first measurement and its diagnosis are those of the run itself.
    """
    config = with_types_of_this_machine(config)
    store = Store(config.store.runs / "store", ConsoleReporter())
    run = Run(config.store.runs / config.run / FOLDER, store, config.seed)
    start = start_policy(config.model, store.root, trusted=config.backend.trusts)
    with config.backend.open(start) as backend:
        probe = load_sources(config.data, run, backend, start, answer_lengths(config)).probe

        def measured(t: int, baseline: Part | None) -> Artifact:
            return run.stage(t, measure, config.measure, backend=backend, policy=start, probe=probe, baseline=baseline)

        baseline = measured(0, None)
        again = measured(1, baseline.part(*BASELINE))

    def diagnosed(t: int, seen: Artifact, previous: Artifact | None) -> Artifact:
        spec = config.monitor.detector
        return run.stage(t, diagnose, spec, random=False, measured=seen, baseline=baseline, previous=previous)

    return baseline, again, diagnosed(1, again, diagnosed(0, baseline, None))


def enough(finding: Finding) -> int:
    """How many prompts, about, bring the detectable effect down to the margin: it falls with their square root."""
    return max(FEWEST_PROMPTS, ceil(finding.prompts * (finding.detectable / finding.margin) ** 2))


def _row(one: Finding) -> dict[str, str]:
    cells = finding_cells(one)
    first = {"family": one.family, "prompts": cells["prompts"], "value": cells["now"], "A/A drop": cells["drop"]}
    tested = ("se", "z", "critical", "margin", "detectable", "hit")
    return {**first, **{name: cells[name] for name in tested}, "enough": f"{enough(one):,}"}


def _recall(again: Artifact) -> Iterator[str]:
    """What recall and coverage come to where nothing is lost, which is not 1."""
    opened = measurement_of(again).open
    if opened is None:
        return
    if opened.matched is not None and opened.matched.recall is not None:
        yield (
            f"A/A recall: {opened.matched.recall:.3f} of the human answers are reached again, by the baseline "
            f"{opened.matched.baseline_recall:.3f}; a loss counts from there, not from 1"
        )
    if (beside := opened.coverage) is not None:
        texts = f"{beside.texts:,} answers beside as many human ones"
        yield f"A/A coverage: {beside.coverage:.3f}, precision {beside.precision:.3f} ({texts})"


def _verdicts(config: RunConfig, again: Artifact, diagnosis: Artifact) -> Iterator[str]:
    """A sentence for each family that is blind, and for what that does to the verdicts of a run."""
    findings = verdict_of(diagnosis).findings
    for family in PARTS:
        finding = findings.get(family)
        if family == "nll":
            yield _nll_line(diagnosis)
        elif finding is None:
            yield f"{family} is blind: {_missing(family, config, again)}"
        elif finding.detectable > finding.margin:
            seen, margin = amount(family, finding.margin + finding.detectable), amount(family, finding.margin)
            yield (
                f"{family} is blind to a drop below {seen}, which is over twice its margin of {margin}: about "
                f"{enough(finding):,} open probe prompts would do"
            )
    sem, human = findings.get("sem"), findings.get("human")
    if sem is None or sem.detectable > 2 * sem.margin:
        yield "a round in which nothing is hit will be INCONCLUSIVE: sem sees too little at this size"
    if human is not None and human.hit:
        yield "human is hit already: the start policy is less diverse than people are, which no second draw mends"
    if hits := [family for family, one in findings.items() if one.hit and family != "human"]:
        yield f"a false hit of {', '.join(hits)}: nothing has changed between the two measurements"


def _nll_line(diagnosis: Artifact) -> str:
    scored = sum(one.round == 1 for one in diagnosis.records(HumanNll, "history"))
    if scored < FEWEST_PROMPTS:
        return f"nll is blind: human answers are scored on {scored} open probe prompts, {FEWEST_PROMPTS} are needed"
    return (
        f"nll ({scored} prompts) has no noise here, the same policy finds the same answers as likely: it comes with "
        "training, and a run says what it cannot see"
    )


def _missing(family: Family, config: RunConfig, again: Artifact) -> str:
    answers = again.rows("human")
    if family == "recall" and config.measure.k < FEWEST_DRAWS:
        return f"measure.k={config.measure.k} leaves no neighbour to reach to, set it to {FEWEST_DRAWS} or more"
    if family == "recall" and answers < FEWEST_HUMAN_ANSWERS:
        return f"the open probe prompts have {answers} human answers, {FEWEST_HUMAN_ANSWERS} are needed"
    return f"fewer than {FEWEST_PROMPTS} open probe prompts have a value, or all of them differ alike"


def _cost(rounds: int, baseline: Artifact, again: Artifact) -> Iterator[str]:
    drawn = (baseline.tokens or 0) + rounds * (again.tokens or 0)
    seconds = baseline.manifest.seconds + rounds * again.manifest.seconds
    yield f"cost of the baseline: {_paid(baseline.manifest.seconds, baseline.tokens)}"
    yield f"cost of a measurement: {_paid(again.manifest.seconds, again.tokens)}"
    yield f"cost of the probe in a run with loop.iterations={rounds}: {_paid(seconds, drawn)}"


def _paid(seconds: float, tokens: int | None) -> str:
    return f"{seconds:,.2f} s, {tokens or 0:,} tokens drawn"
