"""`selfreward check`: what a model is like to work with, and whether it can be, before a run."""

import argparse
from collections.abc import Iterator

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run
from selfreward.backends import trusts
from selfreward.commands.arguments import Compose
from selfreward.config import RunConfig, judges_of, validate
from selfreward.console import ConsoleReporter
from selfreward.data.models import HfModel, model_policy, start_policy
from selfreward.judges.base import PolicyJudgeBase
from selfreward.records import Policy
from selfreward.stages.check import check, check_spec, found_by


def main(arguments: list[str], compose: Compose) -> int:
    """0 where the models can be worked with. Raises SelfrewardError that says what to set where one cannot."""
    parser = argparse.ArgumentParser(
        prog="selfreward check",
        description="Renders, draws, scores and saves with a small copy of the model, and of every external judge, and "
        "says what was found.",
        epilog="example: selfreward check model.path=/models/my-instruct",
    )
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="as for `selfreward run`")
    config = validate(compose(parser.parse_args(arguments).settings))
    store = Store(config.store.runs / "store", ConsoleReporter())
    for name, checked in check_models(config, Run(config.store.runs / config.run, store, config.seed)):
        print(f"{name}:")
        found = found_by(checked)
        width = max(len(one.what) for one in found)
        for one in found:
            print(f"  {one.what:{width}}  {one.says}")
    return 0


def check_models(config: RunConfig, run: Run) -> list[tuple[str, Artifact]]:
    """The check of the start model and of every external judge, by the names of their settings; none of a script."""
    if not isinstance(config.model, HfModel):
        return []
    spec = check_spec(trusted=trusts(config.backend))
    return [(name, run.source(f"check_{name}", check, spec, policy=policy)) for name, policy in _models(config, run)]


def _models(config: RunConfig, run: Run) -> Iterator[tuple[str, Policy]]:
    trusted, store = trusts(config.backend), run.store.root
    yield "model", start_policy(config.model, store, trusted=trusted)
    judges = {**judges_of(config.judge), **({} if config.duel is None else {"duel.judge": config.duel.judge})}
    for name, judge in judges.items():
        if isinstance(judge, PolicyJudgeBase) and judge.path is not None:
            yield name, model_policy(judge.path, judge.chat, store, trusted=trusted)
