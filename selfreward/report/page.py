"""Puts the page of a run together and writes it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import RunView
from selfreward.monitor.findings import PARTS
from selfreward.reading.calibrated import CEILINGS
from selfreward.reading.control import control_settings, drops_tiers, picks_at_random, start_digest
from selfreward.reading.rounds import rounds_of, verdicts_of
from selfreward.reading.samples import samples_of
from selfreward.reading.settings import progress_of, read_config
from selfreward.report.agreement import agreement_figures, standard_line
from selfreward.report.beside import arm_of
from selfreward.report.figures import DASH, below
from selfreward.report.graphs import over_policies, path_of
from selfreward.report.health_figures import families, human_data, sight
from selfreward.report.judging import judge_figures, member_figures, seen, to_read, weights_line
from selfreward.report.metas import metas
from selfreward.report.new_prompts import new_prompts
from selfreward.report.optimised import optimised
from selfreward.report.pages import page
from selfreward.report.red_team import red_team_tables
from selfreward.report.reinforcement import reinforced
from selfreward.report.revising import revised_rounds
from selfreward.report.reward_models import reward_figures, seen_rewards
from selfreward.report.round_tables import costs, data_read, funnels, per_kept_row
from selfreward.report.set_table import set_table
from selfreward.report.survival import survival
from selfreward.report.verdict import judge_run
from selfreward.report.waterfall import waterfall
from selfreward.shell_quoting import setting

REPORT_FILE = "report.html"


def write_report(view: RunView, control: RunView | None, beside: Sequence[RunView] = ()) -> Path:
    """Writes the page of a run from what it has committed so far; its path."""
    path = view.folder / REPORT_FILE
    write_atomically(path, render(view, control, beside).encode())
    return path


def render(view: RunView, control: RunView | None, beside: Sequence[RunView] = (), *, texts: bool = True) -> str:
    """The page as HTML text, with the arms `beside` the run; without a single prompt or answer unless `texts`."""
    config, rounds = read_config(view.folder), rounds_of(view)
    arms = [arm_of(view, rounds, other) for other in beside]
    verdicts, judges = verdicts_of(rounds), seen(rounds)
    policies = [
        *((f"M{one.t}", one) for one in rounds),
        *((below(f"M{one.t}", arm.name), one) for arm in arms for one in arm.rounds[1:]),
    ]
    rewards = seen_rewards(view.sources, rounds)
    measured, samples = families(verdicts, len(rounds)), samples_of(view) if texts else []
    return page(
        "run.html",
        view=view,
        control=control,
        arms=arms,
        texts=texts,
        rounds=rounds,
        policies=policies,
        sets=set_table(policies),
        progress=progress_of(config, rounds),
        verdict=judge_run(view, rounds, control),
        graphs=over_policies(rounds, () if control is None else rounds_of(control)),
        is_control=config is not None and picks_at_random(config),
        to_make_one=_control_command(config),
        drops_tiers=config is not None and drops_tiers(config),
        watched=[one for one in rounds if one.verdict],
        families=measured,
        never=[family for family in PARTS if family not in measured],
        sight=sight(verdicts),
        survival=survival(view),
        path=path_of(rounds, {arm.name: arm.rounds for arm in arms}),
        waterfall=waterfall(rounds),
        human_data=human_data(rounds),
        judges=judges,
        weights=weights_line(rounds[judges[-1].t]) if judges else None,
        members=list(rounds[judges[-1].t].members.items()) if judges else [],
        standard=standard_line(rounds[0]) if judges else None,
        judge_figures=[*judge_figures(judges), *member_figures(rounds), *agreement_figures(rounds)] if judges else [],
        missing={**judges[-1].health.measures, CEILINGS["kappa"]: judges[-1].people} if judges else {},
        to_read=to_read(view, judges[-1].t) if judges and texts else None,
        metas=metas(rounds),
        rewards=rewards,
        reward_figures=reward_figures(rewards, rounds),
        reinforced=reinforced(rounds),
        optimised=optimised(view, rounds),
        red_team=red_team_tables(rounds),
        revised=revised_rounds(view, rounds, texts=texts),
        new_prompts=new_prompts(rounds),
        funnels=funnels(rounds),
        data=data_read(view),
        costs=costs(rounds),
        per_kept_row=per_kept_row(rounds),
        samples=samples,
        answered=any(answer is not None for one in samples for answer in one.answers),
        **_provenance(view, *([] if control is None else [control]), *beside),
        settings=DASH if config is None else json.dumps(config, indent=2, ensure_ascii=False),
    )


def _control_command(config: dict[str, Any] | None) -> str:
    """The command that makes a control of a run with these settings."""
    name = "NAME" if config is None else f"{config['run']}-control"
    settings = "select=random_pick" if config is None else control_settings(config)
    return f"selfreward run ... {settings} {setting('run', name)}"


def _provenance(view: RunView, *others: RunView) -> dict[str, Any]:
    """The artifacts that the page is made of, by the names of their links, and who made them."""
    artifacts = view.artifacts()
    artifacts += [(f"{other.name}/{name}", artifact) for other in others for name, artifact in other.artifacts()]
    manifests = [artifact.manifest for _, artifact in artifacts]
    versions = sorted({one.versions.get("selfreward", DASH) for one in manifests})
    commits = sorted({one.commit or "none known" for one in manifests})
    origin = {"start model": start_digest(view), "selfreward": ", ".join(versions), "commit": ", ".join(commits)}
    return {"artifacts": artifacts, "origin": {name: value or DASH for name, value in origin.items()}}
