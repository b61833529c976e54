"""The page of a judge held against a file of labelled pairs."""

import json

from selfreward.judge_quality.measures import BIASES
from selfreward.reading.calibrated import CEILINGS, Calibrated, against_chance, weights_text
from selfreward.report.figures import DASH, count, seconds
from selfreward.report.judge_figures import biases, histogram, named
from selfreward.report.judge_texts import against, flips, replies, unread
from selfreward.report.pages import page


def render(found: Calibrated) -> str:
    """The page as HTML text."""
    kind_of = {item.id: str(item.kind) for item in found.items}
    return page(
        "judge.html",
        found=found,
        against_chance=against_chance(found.measure("accuracy")),
        facts=_facts(found),
        quality=[one for one in found.measures if one.name not in BIASES and one.interval is not None],
        ceilings={name: one.interval for one in found.people for name, best in CEILINGS.items() if one.name == best},
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
