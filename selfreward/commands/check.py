"""`selfreward check`: what a model is like to work with, and whether it can be, before a run."""

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run
from selfreward.backends import trusts
from selfreward.commands.arguments import Compose, settings_parser
from selfreward.config import RunConfig, judges_of, validate
from selfreward.console import ConsoleReporter
from selfreward.data.models import HfModel, model_policy, start_policy
from selfreward.judges.base import PolicyJudgeBase
from selfreward.stages.check import check, check_spec, found_by


def main(arguments: list[str], compose: Compose) -> int:
    """0 where the models can be worked with. Raises SelfrewardError that says what to set where one cannot."""
    parser = settings_parser(
        "check",
        "Renders, draws, scores and saves with a small copy of the model, and of every external judge, and says what "
        "was found.",
        epilog="example: selfreward check model.path=/models/my-instruct",
    )
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
    trusted, store = trusts(config.backend), run.store.root
    policies = {"model": start_policy(config.model, store, trusted=trusted)}
    for name, judge in judges_of(config).items():
        if isinstance(judge, PolicyJudgeBase) and judge.path is not None:
            policies[name] = model_policy(judge.path, judge.chat, store, trusted=trusted)
    spec = check_spec(trusted=trusted)
    return [(name, run.source(f"check_{name}", check, spec, policy=policy)) for name, policy in policies.items()]
