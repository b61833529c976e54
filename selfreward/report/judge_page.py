"""The page of a judge held against a file of labelled pairs, and its figures."""

import json
from collections.abc import Sequence

from selfreward.judge_quality.bias import ScoreBin
from selfreward.judge_quality.estimate import Measures
from selfreward.judge_quality.measures import ABOUT, BIASES
from selfreward.reading.calibrated import CEILINGS, Calibrated, against_chance, weights_text
from selfreward.report.charts import Bar, ChartFigure, bar_chart, interval_chart
from selfreward.report.figures import DASH, MINUS, below, count, limits, seconds, share
from selfreward.report.judge_texts import against, flips, replies, unread
from selfreward.report.pages import page

_RESTS = {name: 1.0 if name == "parse_rate" else 0.0 for name in BIASES if name != "share_at_maximum"}


def render(found: Calibrated) -> str:
    """The page as HTML text."""
    kind_of = {item.id: str(item.kind) for item in found.items}
    return page(
        "judge.html",
        found=found,
        against_chance=against_chance(found.measures["accuracy"]),
        facts=_facts(found),
        quality=[(name, one) for name, one in found.measures.items() if name not in BIASES and one.interval],
        ceilings={name: found.people[best].interval for name, best in CEILINGS.items()},
        named=named,
        biases=biases(found.measures),
        scores=histogram(found.scores),
        kinds=[one for one in found.kinds if one.judged],
        against=against(found.judged, kind_of, found.kinds),
        flips=flips(found.judged, found.judgments),
        replies=replies(unread([item.labelled for item in found.items], found.judgments)),
        settings=json.dumps(dict(found.judge), indent=2, ensure_ascii=False),
    )


def _facts(found: Calibrated) -> list[tuple[str, str]]:
    acted = [one for one in found.gate.findings if one.action != "observe"]
    told = "; ".join(f"{one.name} {one.why}" for one in acted) or "no bound was crossed"
    left_out = {**found.left_out, "not asked": found.not_asked}
    without = ", ".join(f"{reason.replace('_', ' ')} {number:,}" for reason, number in left_out.items() if number)
    outcomes = ", ".join(f"{name} {number:,}" for name, number in found.outcomes.items())
    facts = [
        ("Gate", f"{found.gate.action}: {told}. Nothing is stopped by a calibration."),
        ("Pairs", f"{len(found.items):,} of {found.gold}{f'; left out: {without}' if without else ''}"),
        ("Judgments", outcomes or DASH),
        ("Cost", f"{seconds(found.artifact.manifest.seconds)}, {count(found.artifact.tokens)} tokens"),
    ]
    if found.weights is not None:
        learned = f"{weights_text(found.weights)}; learned on these pairs, each judged by those of the others"
        facts.insert(3, ("Weights", learned))
    return facts


def biases(measures: Measures) -> ChartFigure:
    """The biases on one axis, each with its interval and, dashed, the value of a judge without it."""
    there = [(name, found, _RESTS.get(name)) for name in BIASES if (found := measures[name].interval) is not None]
    if not there:
        return ChartFigure("Biases", None, missing="None could be measured.")
    rows = [(named(name), share(found.value), limits(found)) for name, found, _ in there]
    drawing = interval_chart("Biases with 95% intervals", there)
    return ChartFigure("Biases", drawing, ("bias", "value", "95% interval"), rows)


def histogram(scores: Sequence[ScoreBin]) -> ChartFigure | None:
    """How often each score was given; None where the judge gives no scores."""
    bars = []
    for one in scores:
        name = f"{one.low:.4g}" if one.low == one.high else f"{one.low:.3g} to {one.high:.3g}"
        bars.append(Bar(name.replace("-", MINUS), ((one.count, 0),), count(one.count)))
    most = max((one.count for one in scores), default=0)
    return ChartFigure("Scores", bar_chart("Scores", bars, full=most)) if bars else None


def named(name: str) -> str:
    """The name of a measure, and below it what it says."""
    return below(name.replace("_", " "), ABOUT[name])
