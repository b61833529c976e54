"""`selfreward seed-judge`: a policy that can judge, made of answers that people ranked; a run starts from it."""

from collections.abc import Iterator
from functools import partial

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run
from selfreward.backends.base import Backend
from selfreward.commands.arguments import Compose, settings_parser
from selfreward.commands.number_types import with_types_of_this_machine
from selfreward.config import SeedJudgeConfig, answer_lengths, validate_as
from selfreward.console import ConsoleReporter
from selfreward.data.models import HfModel, start_policy
from selfreward.errors import DataError
from selfreward.policies import Policies, Policy
from selfreward.seeding.rankings import RankingsSpec, ranking_counts, rankings
from selfreward.seeding.replies import RepliesSpec, replies
from selfreward.seeding.seed import SeedSpec, seed, seeding_of
from selfreward.shell_quoting import setting
from selfreward.spec import part_of
from selfreward.stages.prompts import prompts
from selfreward.stages.sample import sample, who_draws
from selfreward.stages.source import Sources, load_sources
from selfreward.stages.update import training_of, update
from selfreward.updates import Training
from selfreward.updates.training import TrainingBase

FOLDER = "seed"
GROUP = "+seed_judge=default"


def main(arguments: list[str], compose: Compose) -> int:
    """Trains the policy and prints what it was made of. 0. Raises SelfrewardError as a run does."""
    parser = settings_parser(
        "seed-judge",
        "Make a policy that can judge from answers that people ranked: the seed of Self-Rewarding LMs. Settings are "
        "those of a run and those of conf/seed_judge; gold and held-out rows are never used.",
        epilog="example: selfreward seed-judge seed_judge.source=verifier seed_judge.reply=labelled "
        "rubric@seed_judge.rubric=right_or_wrong update.max_tokens=1024",
    )
    config = validate_as(SeedJudgeConfig, compose([GROUP, *parser.parse_args(arguments).settings]))
    print(*report_lines(config, *seed_policy(config)), sep="\n")
    return 0


def seed_policy(config: SeedJudgeConfig) -> tuple[Artifact, Artifact, Artifact]:
    """The rankings, the rows to train on and the update, linked as a run in `<run>/seed`.

    The first stages may be shared with the run itself.
    """
    config = with_types_of_this_machine(config)
    store = Store(config.store.runs / "store", ConsoleReporter())
    run = Run(config.store.runs / config.run / FOLDER, store, config.seed)
    start = start_policy(config.model, store.root, trusted=config.backend.trusts)
    stage = partial(run.stage, 0)
    with config.backend.open(start) as backend:
        sources = load_sources(config.data, run, backend, start, answer_lengths(config))
        ranked = _rank(config, run, backend, start, sources)
        drawn = None
        if config.seed_judge.reply == "generated":
            drawn = stage(
                replies, part_of(config.seed_judge, RepliesSpec), backend=backend, policy=start, rankings=ranked
            )
        seeds = stage(seed, part_of(config.seed_judge, SeedSpec), backend=backend, rankings=ranked, replies=drawn)
    trained = stage(update, config.update, engine=config.update.engine(), policy=start, reference=None, training=seeds)
    return ranked, seeds, trained


def _rank(config: SeedJudgeConfig, run: Run, backend: Backend, start: Policy, sources: Sources) -> Artifact:
    """The rankings that the settings ask for, without anything that a run measures on."""
    rank = partial(run.stage, 0, rankings, part_of(config.seed_judge, RankingsSpec), random=False)
    if config.seed_judge.source == "pairs":
        if not sources.human_pairs.rows():
            raise DataError(
                "there are no pairs that people compared: give data.human_pairs a file, or set "
                "seed_judge.source=verifier to rank the policy's own answers by the references"
            )
        return rank(pairs=sources.human_pairs, prompts=None, candidates=None)
    stage = partial(run.stage, 0)
    asked = stage(
        prompts,
        config.prompts,
        random=config.prompts.draws,
        train=sources.train,
        human=sources.human,
        previous=None,
        training=None,
    )
    sampling, drawers = who_draws(config.sample, Policies(live=start, previous=start, initial=start))
    drawn = stage(sample, sampling, backend=backend, **drawers, prompts=asked)
    return rank(pairs=None, prompts=asked, candidates=drawn)


def report_lines(config: SeedJudgeConfig, ranking: Artifact, seeds: Artifact, trained: Artifact) -> Iterator[str]:
    """What every step kept, of how much; then where the policy is and how a run starts from it."""
    ranked, seeding, training = ranking_counts(ranking), seeding_of(seeds), training_of(trained)
    without = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in ranked.unranked.items())
    yield (
        f"rankings ({config.seed_judge.source}): {ranked.ranked} of {ranked.prompts} prompts, with "
        f"{ranked.answers} answers{f'; without one: {without}' if without else ''}"
    )
    if (drawn := seeding.replies) is not None:
        yield (
            f"replies: {drawn.scored} of {drawn.drawn} state a score, {drawn.cut} were cut; one on each "
            f"answer, {drawn.agreeing} of {drawn.readings} rank as people did"
        )
        yield f"kept: {drawn.kept} replies that agree, on {drawn.prompts} of {ranked.ranked} prompts"
    scores = ", ".join(f"{score}: {some.kept} of {some.of}" for score, some in seeding.scores.items())
    yield f"verdicts by score, the most common one down-sampled: {scores}"
    rows = seeding.ift + seeding.eft
    yield f"examples: {seeding.ift} best answers (IFT), {seeding.eft} verdicts (EFT)"
    yield f"trained on {training.rows_trained} of {rows}" + _too_long(config, training)
    folder = config.store.runs / config.run / FOLDER / "iter-000" / "update" / "model"
    yield f"seeded policy: {folder}"
    if isinstance(config.model, HfModel):
        judge = f"judge=rubric {setting('rubric@judge.rubric', config.seed_judge.rubric.id)}"
        method = " judge.method=expected" if config.seed_judge.reply == "labelled" else ""
        yield f"start a run from it: selfreward run {setting('model.path', folder)} {judge}{method}"


def _too_long(config: SeedJudgeConfig, training: Training) -> str:
    """How many rows were too long to train on; a scripted update counts no tokens."""
    if not isinstance(config.update, TrainingBase):
        return ""
    hint = ": judge prompts are long, raise it" if training.rows_too_long else ""
    return f", {training.rows_too_long} longer than update.max_tokens={config.update.max_tokens}{hint}"
