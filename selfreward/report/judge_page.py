"""The page of a judge held against a file of labelled pairs."""

import json

from selfreward.judge_quality.measures import BIASES
from selfreward.monitor.gate_rules import GateDecision
from selfreward.report.calibrated import Calibrated, against_chance
from selfreward.report.document import document
from selfreward.report.figures import DASH, count, seconds
from selfreward.report.judge_examples import disagreements, flips, unread
from selfreward.report.judge_figures import bias_panel, histogram, measures_table, missing_measures, people_table
from selfreward.report.jury import weights_text
from selfreward.report.markup import Markup, element
from selfreward.report.tables import definitions, section, table
from selfreward.report.unread import replies


def render(found: Calibrated) -> str:
    """The page as HTML text."""
    quality = [one for one in found.measures if one.name not in BIASES and one.interval is not None]
    kind_of = {item.id: str(item.kind) for item in found.items}
    body = element(
        "main",
        _header(found),
        section(
            "Agreement with people",
            "On the pairs of the file. In brackets: 95% intervals over prompts. People: what they reach among "
            "themselves, two at a time, while the judge is held against most of them.",
            measures_table(quality, found.people),
            element("h3", "People among themselves", class_="apart"),
            people_table(found.people)
            if any(one.interval is not None for one in found.people)
            else element("p", "Each pair was labelled once, so the ceiling is not known.", class_="empty"),
            missing_measures(found.measures),
        ),
        section(
            "What moves it besides quality",
            "Each bias is measured at equal values of the others, and is at rest for a judge that errs at random, or "
            "with its labels. A judge that is better than labels with errors does not rest at a length slope and a "
            "self-preference of 0; the corrected ones above take those errors out, where pairs have several verdicts.",
            element("div", bias_panel(found.measures), *histogram(found.scores, "answers"), class_="grid"),
        ),
        section(
            "Where it is against people",
            "Kinds of prompt are clusters of questions that share words, named by the most telling. A tie is "
            "against people where most of them took a side. Of each kind, the pairs that the judge is surest of "
            "against most people can be unfolded.",
            disagreements(found.judged, kind_of, found.kinds),
        ),
        section(
            "Flips",
            "Pairs on which the verdict changed when the answers changed places, with the reply in each order.",
            flips(found.judged, found.judgments),
        ),
        section(
            "Replies without a verdict",
            "In full, as they came; equal ones once.",
            replies(unread([item.labelled for item in found.items], found.judgments)),
        ),
        _gate(found.gate),
        _provenance(found),
    )
    return document(f"{found.gold} {DASH} selfreward judge calibrate", body)


def _header(found: Calibrated) -> Markup:
    acted = [one for one in found.gate.findings if one.action != "observe"]
    told = "; ".join(f"{one.name} {one.why}" for one in acted) or "no bound was crossed"
    left_out = {**found.left_out, "not asked": found.not_asked}
    without = ", ".join(f"{reason.replace('_', ' ')} {number:,}" for reason, number in left_out.items() if number)
    outcomes = ", ".join(f"{name} {number:,}" for name, number in found.outcomes.items())
    weighed = "learned on these pairs, each judged by those of the others"
    learned = () if found.weights is None else (("Weights", f"{weights_text(found.weights)}; {weighed}"),)
    facts = (
        ("Gate", f"{found.gate.action}: {told}. Nothing is stopped by a calibration."),
        ("Pairs", f"{len(found.items):,} of {found.gold}{f'; left out: {without}' if without else ''}"),
        ("Judgments", outcomes or DASH),
        *learned,
        ("Cost", f"{seconds(found.artifact.manifest.seconds)}, {count(found.artifact.tokens)} tokens"),
    )
    return element(
        "header",
        element("p", "selfreward judge calibrate", class_="eyebrow"),
        element("h1", f"{found.judge['kind']} on {found.gold}"),
        element("p", f"{against_chance(found.measure('accuracy'))}.", class_="verdict"),
        definitions(facts),
    )


def _gate(gate: GateDecision) -> Markup:
    rows = [(one.name.replace("_", " "), one.action, one.why) for one in gate.findings]
    return section(
        "Gate",
        "What the rules of `gate` would do in a run whose gold these pairs were.",
        table(("measure", "action", "why"), rows, words=True),
    )


def _provenance(found: Calibrated) -> Markup:
    made = found.artifact.manifest
    facts = (
        ("judging policy", DASH if found.policy is None else found.policy.digest),
        ("verdicts and replies", f"store/{made.stage}/{made.key}"),
        ("digest", made.digest),
        ("made", made.made),
        ("selfreward", made.versions.get("selfreward", DASH)),
    )
    return element(
        "footer",
        element("h2", "Where this comes from"),
        definitions(((name, element("code", text)) for name, text in facts), class_="facts"),
        element(
            "details",
            element("summary", "Settings of the judge"),
            element("pre", json.dumps(dict(found.judge), indent=2, ensure_ascii=False)),
        ),
    )
