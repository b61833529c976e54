"""`selfreward run`: validate the settings, run the loop, say where the results are."""

import json
from contextlib import AbstractContextManager, nullcontext

from selfreward.artifacts import Store
from selfreward.artifacts.atomic_files import write_atomically
from selfreward.artifacts.runs import BEST, Run, link_to, read_run
from selfreward.backends.hf import HfSpec
from selfreward.commands.arguments import Values
from selfreward.commands.check import check_models
from selfreward.commands.gc import collect
from selfreward.commands.number_types import with_types_of_run
from selfreward.config import RunConfig, validate
from selfreward.console import ConsoleReporter
from selfreward.data.models import HfModel, start_policy
from selfreward.errors import StarvedLoop
from selfreward.judge_quality.gold_judge import why_no_turn
from selfreward.loop import run_loop
from selfreward.reading.best import best_of
from selfreward.reading.control import find_control
from selfreward.reading.time_left import after_iteration, ahead
from selfreward.report.page import REPORT_FILE, render
from selfreward.shell_quoting import word
from selfreward.tracking import Tracker
from selfreward.tracking.wandb import WandbRun


def run(values: Values) -> None:
    """Runs the loop with the composed settings `values`. Raises SelfrewardError."""
    config = validate(values)
    reporter = ConsoleReporter()
    folder = config.store.runs / config.run
    store = Store(config.store.runs / "store", reporter)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.dumps(config.model_dump(mode="json"), indent=2)
    write_atomically(folder / "config.json", f"{settings}\n".encode())
    config = with_types_of_run(config, folder, reporter.say)
    if is_new and isinstance(config.backend, HfSpec) and isinstance(config.model, HfModel):
        config.backend.open(start_policy(config.model, store.root, trusted=config.backend.trusts)).load_ahead()
    acts = config.monitor.mode == "act"
    name, share = ("monitor.floor", config.monitor.floor) if acts else ("mix.real_share", config.monitor.real_share)
    if share == 0:
        reporter.say(f"{name}=0: this run {'starts' if acts else 'trains'} on its own answers alone")
    if config.overoptimisation is not None and (why := why_no_turn(config.judge)) is not None:
        reporter.say(f"overoptimisation: {why}")
    if (folder / BEST).is_symlink():
        (folder / BEST).unlink()  # until this run has come to its own
    current = Run(folder, store, config.seed)
    to_wandb: AbstractContextManager[WandbRun | None] = nullcontext()
    if config.tracker.wandb != "disabled":
        to_wandb = WandbRun(config.tracker, folder, store.root, config.model_dump(mode="json"), reporter.say)
    with to_wandb as wandb:
        updates = config.loop.iterations
        tracker = Tracker(
            folder,
            reporter,
            log=None if wandb is None else wandb.log,
            progress=lambda: after_iteration(current.seconds(), updates),
        )
        reporter.ahead = lambda: ahead(current.seconds(), updates)
        try:
            check_models(config, current)
            run_loop(config, current, tracker)
        except StarvedLoop:
            tracker.starved()
            _link_best(config, current)
            raise
        _link_best(config, current)
        if wandb is not None and wandb.is_open:
            view = read_run(folder)
            wandb.attach(REPORT_FILE, render(view, find_control(view), texts=config.tracker.log_text))
    if config.store.keep_policies == "last" and config.sweep is None:
        collect([folder], store, reporter.say)
    reporter.say(f"done: {folder}/metrics.jsonl; `selfreward report {word(folder)}` writes the page")


def _link_best(config: RunConfig, run: Run) -> None:
    """Points `<run>/best` at the policy with the best gold, and says which that is; nothing where no gold says it."""
    if (best := best_of(read_run(run.folder))) is None:
        return
    folder = best.folder
    if folder is None:
        folder = start_policy(config.model, run.store.root, trusted=config.backend.trusts).path
    if not folder.is_dir():
        run.store.reporter.say(f"{best.told}; its weights were deleted by `selfreward gc`, so no link leads to it")
        return
    link_to(folder, run.folder / BEST)
    run.store.reporter.say(f"{best.told}; {run.folder / BEST} leads to it")
