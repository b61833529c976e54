"""`selfreward judge calibrate`: how far any judge can be trusted, on any file of labelled pairs, without a loop."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.atomic_files import write_atomically, write_json
from selfreward.artifacts.runs import Run
from selfreward.commands.arguments import Compose, action_of, positive, settings_parser
from selfreward.commands.number_types import with_types_of_this_machine
from selfreward.config import RunConfig, validate
from selfreward.console import ConsoleReporter, table_lines
from selfreward.data.models import start_policy
from selfreward.data.readers import content_digest
from selfreward.errors import ConfigError, DataError
from selfreward.judge_quality.accuracy import scores_of
from selfreward.judge_quality.bias import score_histogram
from selfreward.judge_quality.estimate import Measure, Measures
from selfreward.judge_quality.measures import judge_measures, rater_measures
from selfreward.judge_quality.opinions import weights_of
from selfreward.judge_quality.verdicts import Labelled, Verdicts, judged
from selfreward.judges.disagreement import Dispute
from selfreward.judging_policies import Judges
from selfreward.labels.items import read_items, write_items
from selfreward.labels.judge_calibration import LabelledSpec, calibrate, labelled_pairs
from selfreward.labels.kinds import KindOfPrompt, with_kinds
from selfreward.monitor.gate_rules import judge_gate
from selfreward.policies import Judging, Policies
from selfreward.reading.calibrated import Calibrated, against_chance, as_json, ceiling, weights_text
from selfreward.reading.rounds import cost_of
from selfreward.records import Judgment
from selfreward.report.judge_page import render
from selfreward.report.pages import visible
from selfreward.spec import identity
from selfreward.stages.health import health_spec

ACTIONS = {
    "calibrate [SETTING=VALUE ...] --gold FILE": "agreement with people, biases, disagreements; a table and a page"
}
FOLDER = "judge"
PAGE, ITEMS, FIGURES = "judge.html", "items.jsonl", "measures.json"
_LEFT_OUT = "left_out:"


def main(arguments: list[str], compose: Compose) -> int:
    """0, whatever the gate says of the judge. Raises SelfrewardError for a mistake that the user can mend."""
    _, rest = action_of("judge", "Judges by themselves; docs/judges.md shows what comes of it.", ACTIONS, arguments)
    parser = settings_parser(
        "judge calibrate",
        "Ask a judge about pairs of answers that people labelled. Settings are those of a run: model, backend and "
        "judge decide who is asked, gate what is said about it. The start model stands for every policy but an "
        "external one.",
        epilog="example: selfreward judge calibrate judge=pairwise judge.method=probability --gold pairs.jsonl "
        "--items 200",
    )
    parser.add_argument(
        "--gold", type=Path, required=True, metavar="FILE", help="labelled pairs in any form of docs/labels.md"
    )
    parser.add_argument("--items", type=positive, metavar="N", help="only N of them, at random (default: all)")
    parser.add_argument("--seed", type=int, metavar="S", help="the same as seed=S")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the page goes (default: beside the links)")
    parsed = parser.parse_intermixed_args(rest)
    settings = [*parsed.settings, *([] if parsed.seed is None else [f"seed={parsed.seed}"])]
    found, out = calibrate_judge(validate(compose(settings)), parsed.gold, parsed.items, parsed.out)
    print(*report_lines(found, out), sep="\n")
    return 0


def calibrate_judge(config: RunConfig, gold: Path, limit: int | None, out: Path | None) -> tuple[Calibrated, Path]:
    """Asks the judge of `config` about `limit` pairs of `gold`, writes page and files into `out`; returns both.

    Artifacts are linked in `<run>/judge/<name of the file>`, which is `out` where none is given.
    """
    if (why := config.judge.why_not_gold) is not None:
        raise ConfigError(f"judge={config.judge.kind} cannot be calibrated: {why}; choose another judge or rubric")
    config = with_types_of_this_machine(config)
    store = Store(config.store.runs / "store", ConsoleReporter())
    run = Run(config.store.runs / config.run / FOLDER / gold.resolve().stem, store, config.seed)
    out = out or run.folder
    if (out / ITEMS).resolve() == gold.resolve():
        raise DataError(f"{gold} would be written over: give another folder with --out")
    spec = LabelledSpec(path=gold, content=content_digest(gold), limit=limit)
    pairs = run.source("pairs", labelled_pairs, spec)
    _check_own(health_spec(config.judge).own, gold, pairs)
    found = _measured(config, gold, pairs, *_judge(config, run, pairs))
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / PAGE, render(found).encode())
    write_items(out / ITEMS, found.items)
    write_json(out / FIGURES, as_json(found))
    return found, out


def _judge(config: RunConfig, run: Run, pairs: Artifact) -> tuple[Artifact, Judging | None]:
    store = run.store.root
    start = start_policy(config.model, store, trusted=config.backend.trusts)
    policies = Policies(live=start, previous=start, initial=start)
    with config.backend.open(start) as backend, Judges(config.backend, backend, store, policies) as judges:
        policy = judges.named(config.judge)
        asked = judges.inputs(config.judge, policy)
        return run.stage(0, calibrate, config.judge, pairs=pairs, **asked), policy


def _check_own(own: Sequence[str], gold: Path, pairs: Artifact) -> None:
    """Raises DataError for an author of `judge.own` who wrote nothing that is asked about."""
    authors = {author for one in pairs.records(Labelled) for author in (one.first_author, one.second_author)} - {None}
    if unknown := [author for author in own if author not in authors]:
        there = ", ".join(sorted(visible(str(author))[:40] for author in authors)) or "no authors"
        raise DataError(f"judge.own={unknown[0]}: {gold} has no answer by that author; it has {there}")


def _measured(config: RunConfig, gold: Path, pairs: Artifact, artifact: Artifact, policy: Judging | None) -> Calibrated:
    labelled, verdicts = list(pairs.records(Labelled)), list(artifact.records(Verdicts))
    of_file = {item.id: item for item in read_items(gold)[0]}
    said = {one.id: one for one in verdicts}
    disputed = {one.id: one.disagreement for one in artifact.records(Dispute, "disputes")}
    items = [replace(of_file[id_], judge=one, disagreement=disputed.get(id_)) for id_, one in said.items()]
    own = health_spec(config.judge).own
    measures = judge_measures(labelled, verdicts, own=own, scale=config.judge.scale, seed=config.seed)
    counts = pairs.manifest.counts
    return Calibrated(
        gold=gold.name,
        judge=identity(config.judge) | ({"own": [*own]} if own else {}),
        policy=policy,
        artifact=artifact,
        items=with_kinds(items, config.seed),
        judgments=list(artifact.records(Judgment, "evidence")),
        measures=measures,
        people=rater_measures([one.verdicts for one in labelled], config.seed, [one.messages for one in labelled]),
        scores=score_histogram([score for pair in judged(labelled, verdicts) for score in scores_of(pair)]),
        gate=judge_gate(config.gate, measures),
        left_out={name.removeprefix(_LEFT_OUT): int(n) for name, n in counts.items() if name.startswith(_LEFT_OUT)},
        not_asked=int(counts["pairs"]) - len(items),
        weights=weights_of(artifact) if config.judge.learns else None,
    )


def report_lines(found: Calibrated, out: Path) -> Iterator[str]:
    """The lines of a calibration: table, people, what is missing, kinds of prompt, gate, where the page is."""
    yield f"{found.judge['kind']} on {len(found.items):,} pairs of {visible(found.gold)}{_without(found)}"
    yield f"{against_chance(found.measures['accuracy'])}."
    if found.weights is not None:
        yield f"weights learned on these pairs, each judged by those of the others: {weights_text(found.weights)}"
    yield ""
    yield from table_lines([_row(name, one, found.people) for name, one in found.measures.items() if one.interval])
    yield ""
    for name, one in found.people.items():
        if (mean := one.interval) is not None:
            limits = f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
            yield f"people among themselves: {name} {limits} on {mean.n:,} pairs"
    for name, one in {**found.measures, **found.people}.items():
        if one.interval is None:
            yield f"not measured: {name}: {one.why_missing}"
    yield from ("", *table_lines([_kind_row(one) for one in found.kinds]))
    yield from (f"scores: {_scores(found)}", "") if found.scores else ("",)
    yield f"judgments: {', '.join(f'{name} {count:,}' for name, count in found.outcomes.items())}"
    yield f"cost: {found.artifact.manifest.seconds:,.1f} s, {found.artifact.tokens or 0:,} tokens{_money(found)}"
    for finding in found.gate.findings:
        if finding.bound is not None:
            yield f"gate {finding.action}: {finding.name} {finding.why}"
    yield f"gate: {found.gate.action} is what a run would do with this judge; nothing is stopped here"
    yield f"{out / PAGE}"
    yield f"{out / ITEMS}: the pairs with the judge's verdicts, for `selfreward labels export`"


def _money(found: Calibrated) -> str:
    money = cost_of(found.artifact).money
    return "" if money is None else f", money {money:.3g}"


def _without(found: Calibrated) -> str:
    counts = {**found.left_out, "not asked": found.not_asked}
    given = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in counts.items() if count)
    return f"; left out: {given}" if given else ""


def _row(name: str, measure: Measure, people: Measures) -> dict[str, str]:
    one, best = measure.interval, ceiling(name, people)
    assert one is not None, "only measures that exist are listed"
    return {
        "measure": name,
        "value": f"{one.value:.3f}",
        "95% interval": f"[{one.low:.3f}, {one.high:.3f}]",
        "n": f"{one.n:,}",
        "prompts": f"{measure.prompts:,}",
        "left out": f"{measure.left_out:,}",
        "people": "-" if best is None or best.interval is None else f"{best.interval.value:.3f}",
    }


def _scores(found: Calibrated) -> str:
    return ", ".join(
        f"{one.low:.4g}{'' if one.low == one.high else f' to {one.high:.4g}'}: {one.count:,}" for one in found.scores
    )


def _kind_row(one: KindOfPrompt) -> dict[str, str]:
    against = f"{one.against:,} of {one.judged:,}"
    return {"kind of prompt": visible(one.kind), "pairs": f"{one.items:,}", "judge against people": against}
