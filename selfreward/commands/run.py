"""`selfreward run`: validate the settings, run the loop, say where the results are."""

import json
from collections.abc import Mapping
from typing import Any

from selfreward.artifacts import Store
from selfreward.artifacts.files import write_atomically
from selfreward.artifacts.runs import Run
from selfreward.commands.gc import collect
from selfreward.config import RunConfig, validate
from selfreward.console import ConsoleReporter
from selfreward.loop import run_loop
from selfreward.tracking import Tracker


def run(values: Mapping[str, Any]) -> None:
    """Runs the loop with the composed settings `values`. Raises SelfrewardError."""
    config = validate(values)
    reporter = ConsoleReporter()
    folder = config.store.runs / config.run
    store = Store(config.store.runs / "store", reporter)
    _write_config(config)
    if config.monitor.real_share == 0:
        reporter.say("mix.real_share=0: this run trains on its own answers alone")
    run_loop(config, Run(folder, store, config.seed), Tracker(folder, reporter))
    if config.store.keep_policies == "last":
        collect(folder, store, reporter.say)
    reporter.say(f"done: {folder}/metrics.jsonl; `selfreward report {config.run}` writes the page")


def _write_config(config: RunConfig) -> None:
    folder = config.store.runs / config.run
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config.model_dump(mode="json"), indent=2)
    write_atomically(folder / "config.json", f"{text}\n".encode())
