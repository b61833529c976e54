"""Puts the page of a run together and writes it."""

import json
from pathlib import Path
from typing import Any

from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import RunView
from selfreward.metrics.evaluation import Evaluation
from selfreward.reading.rounds import Diagnosed, Round, diagnosed, rounds_of
from selfreward.reading.samples import samples_of
from selfreward.reading.settings import Progress, progress_of, read_config
from selfreward.report.control import control_settings, drops_tiers, picks_at_random, start_digest
from selfreward.report.data import data_read
from selfreward.report.document import document
from selfreward.report.figures import DASH, plural, share, tokens
from selfreward.report.graphs import diversity, human_nll, lengths, quality
from selfreward.report.health import health
from selfreward.report.judging import judging
from selfreward.report.markup import Child, Markup, element
from selfreward.report.preferences import preference_training
from selfreward.report.rounds import costs, funnels, human_rows
from selfreward.report.samples import side_by_side
from selfreward.report.tables import definitions, section, table, with_limits
from selfreward.report.verdict import judge_run
from selfreward.report.yields import per_kept_row
from selfreward.shell_quoting import setting

REPORT_FILE = "report.html"


def write_report(view: RunView, control: RunView | None) -> Path:
    """Writes the page of a run from what it has committed so far; its path."""
    path = view.folder / REPORT_FILE
    write_atomically(path, render(view, control).encode())
    return path


def render(view: RunView, control: RunView | None, *, texts: bool = True) -> str:
    """The page as HTML text; without a single prompt or answer unless `texts`."""
    config, steps = read_config(view.folder), rounds_of(view)
    watches = diagnosed(steps)
    control_steps = rounds_of(control) if control is not None else ()
    body = element(
        "main",
        _header(view, steps, watches, control),
        section(
            "Policies",
            "Held-out questions and gold pairs, which no training ever sees. In brackets: 95% intervals over prompts.",
            _policies(steps),
        ),
        section(
            "How good, how varied",
            "Every line starts at M0, the start model. Bars are 95% intervals. Quality comes from held-out questions, "
            "everything else from the fixed probe.",
            element(
                "div",
                quality(steps, control_steps),
                diversity(steps),
                human_nll(steps),
                lengths(steps),
                class_="grid",
            ),
            _control_note(config, control),
        ),
        health(view, steps, watches),
        judging(view, texts=texts),
        section(
            "From candidates to training rows",
            "Every candidate is counted once: as selected, or under the first reason that took it out.",
            funnels(steps),
        ),
        *preference_training(steps),
        *data_read(view),
        section(
            "Human data",
            "Each human row is drawn once at most. Shares are of answer tokens, of preference pairs where those are "
            "trained on.",
            human_rows(steps),
        ),
        section(
            "Time and tokens",
            "Wall time of each stage. A stage that an earlier run had made already is listed with what it took there.",
            costs(steps),
        ),
        section(
            "What one kept row took",
            "A kept row is one of the policy's own, new in the training set of its round. Below the line of what makes "
            "a row, each stage that draws, judges, trains or measures.",
            per_kept_row(steps),
        ),
        section(
            "The same prompts, policy by policy",
            "Greedy answers to the first held-out prompts of both strata, in the order of the source: none is picked "
            "for effect.",
            side_by_side(samples_of(view)) if texts else element("p", "Left out of this copy.", class_="empty"),
        ),
        _provenance(view, config, control),
    )
    return document(f"{view.name} {DASH} selfreward report", body)


def _header(
    view: RunView,
    steps: tuple[Round, ...],
    watches: tuple[Diagnosed, ...],
    control: RunView | None,
) -> Markup:
    verdict = judge_run(view, steps, watches, control)
    return element(
        "header",
        element("p", "selfreward report", class_="eyebrow"),
        element("h1", view.name),
        element("p", _progress(progress_of(view)), class_="progress"),
        element("p", verdict.headline, class_="verdict"),
        definitions((finding.about, finding.text) for finding in verdict.findings) if verdict.findings else "",
    )


def _progress(found: Progress) -> str:
    if found.stop is not None:
        return f"After {plural(found.updates, 'update')}, {found.stop}."
    if found.asked is None:
        return f"{plural(found.updates, 'update')} so far; how many were asked for is not known."
    if found.complete:
        return f"Complete: {plural(found.asked, 'update')}."
    return f"Unfinished: {found.updates} of {plural(found.asked, 'update')}. The same command goes on from there."


def _policies(steps: tuple[Round, ...]) -> Markup:
    known = [step.evaluation for step in steps if step.evaluation is not None]
    k = next((one.closed.k for one in known if one.closed is not None), None)
    head = (
        "policy",
        "greedy accuracy",
        "pass@1",
        f"pass@{k or 'k'}",
        "distinct share",
        "M0 at that share: pass@1",
        "at temperature",
        "gain over it",
        "gold accuracy",
        "tokens, closed",
        "tokens, open",
    )
    rows = [(f"M{step.t}", *(_policy_cells(step.evaluation))) for step in steps]
    return table(head, rows) if rows else element("p", DASH)


def _policy_cells(found: Evaluation | None) -> tuple[Child, ...]:
    if found is None:
        return (DASH,) * 10
    matched, closed = found.matched, found.closed
    off = " (off ladder)" if matched is not None and matched.off_ladder else ""
    return (
        *(with_limits(one) for one in (found.greedy, found.pass_1, None if closed is None else closed.pass_at_k)),
        DASH if closed is None else share(closed.distinct_share),
        share(matched.pass_at_1) if matched is not None else DASH,
        f"{matched.temperature:.2f}{off}" if matched is not None else DASH,
        DASH if matched is None else with_limits(matched.gain.pass_at_1, signed=True),
        with_limits(found.gold_accuracy),
        tokens(found.mean_tokens("closed")),
        tokens(found.mean_tokens("open")),
    )


def _control_note(config: dict[str, Any] | None, control: RunView | None) -> Markup:
    if control is not None:
        return element(
            "p", "The control is ", element("code", control.name), ": this run with random candidates.", class_="hint"
        )
    if config is not None and picks_at_random(config):
        return element("p", "This run picks its candidates at random: it is a control for others.")
    name = "NAME" if config is None else f"{config['run']}-control"
    settings = "select=random_pick" if config is None else control_settings(config)
    without = " without select.length_tier and" if config is not None and drops_tiers(config) else ""
    return element(
        "p",
        "No control run was found, so nothing here tells what the judge adds to picking candidates at random. To make "
        f"one, give the command of this run again{without} with these settings changed: ",
        element("code", f"selfreward run ... {settings} {setting('run', name)}"),
        ", then write this page anew.",
        class_="hint",
    )


def _provenance(view: RunView, config: dict[str, Any] | None, control: RunView | None) -> Markup:
    artifacts = view.artifacts()
    if control is not None:
        artifacts += [(f"{control.name}/{name}", artifact) for name, artifact in control.artifacts()]
    manifests = [artifact.manifest for _, artifact in artifacts]
    versions = sorted({manifest.versions.get("selfreward", DASH) for manifest in manifests}) or [DASH]
    commits = sorted({manifest.commit or "none known" for manifest in manifests}) or [DASH]
    facts = (
        ("start model", start_digest(view) or DASH),
        ("selfreward", ", ".join(versions)),
        ("commit", ", ".join(commits)),
    )
    rows = [
        (name, element("code", f"store/{one.manifest.stage}/{one.key}"), element("code", one.digest), one.manifest.made)
        for name, one in artifacts
    ]
    settings = DASH if config is None else json.dumps(config, indent=2, ensure_ascii=False)
    return element(
        "footer",
        element("h2", "Where this comes from"),
        element(
            "p",
            "Every number on this page comes from the folders listed here. Changes on open prompts and against the "
            "control are taken from their tables, prompt by prompt; ratios, sums and minima are made of what is "
            "listed; all else is copied as the stages wrote it. ",
            element("code", f"selfreward verify {view.name}"),
            " reads them back, byte by byte.",
        ),
        definitions(((name, element("code", value)) for name, value in facts), class_="facts"),
        element("details", element("summary", "Settings"), element("pre", settings)),
        element(
            "details",
            element("summary", f"Artifacts ({len(rows)})"),
            table(("link", "folder", "digest", "made"), rows, words=True),
        ),
    )
