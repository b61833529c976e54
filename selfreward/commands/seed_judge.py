"""`selfreward seed-judge`: a policy that can judge, made of answers that people ranked; a run starts from it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Artifact, Store
from selfreward.artifacts.runs import Run
from selfreward.backends.base import Backend
from selfreward.backends.new_tokens import read_new_tokens
from selfreward.backends.rendering import read_rendering
from selfreward.commands.arguments import Compose, settings_parser
from selfreward.commands.number_types import with_types_of_this_machine
from selfreward.config import SeedJudgeConfig, answer_lengths, validate_as
from selfreward.console import ConsoleReporter
from selfreward.data.base_model import policy_to_teach
from selfreward.data.models import HfModel
from selfreward.errors import DataError
from selfreward.policies import Policies, Policy
from selfreward.records import Example
from selfreward.seeding.best_answers import BestAnswersSpec, best_answers
from selfreward.seeding.rankings import RankingsSpec, ranking_counts, rankings
from selfreward.seeding.replies import RepliesSpec, replies
from selfreward.seeding.seed import SeedSpec, seed, seeding_of
from selfreward.shell_quoting import setting
from selfreward.spec import part_of
from selfreward.stages.prompts import prompts
from selfreward.stages.sample import sample, who_draws
from selfreward.stages.source import Sources, load_sources
from selfreward.stages.update import policy_of, training_of, update
from selfreward.updates import Training
from selfreward.updates.training import TrainingBase

FOLDER = "seed"
BASELINE = "seed_baseline"
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
    print(*report_lines(config, seed_policy(config)), sep="\n")
    return 0


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """The policy that was taught, what it was made of, and what became of it; `baseline` where one drew replies."""

    start: Policy
    ranked: Artifact
    baseline: Artifact | None
    seeds: Artifact
    trained: Artifact


def seed_policy(config: SeedJudgeConfig) -> Seeded:
    """The rankings, the rows to train on and the update, linked as a run in `<run>/seed`.

    The first stages may be shared with the run itself. A baseline is linked in `<run>/seed_baseline`.
    """
    config = with_types_of_this_machine(config)
    told = config.seed_judge
    store = Store(config.store.runs / "store", ConsoleReporter())
    run = Run(config.store.runs / config.run / FOLDER, store, config.seed)
    start = policy_to_teach(config.model, told.tokens, store.root, trusted=config.backend.trusts)
    drawn = baseline = None
    with config.backend.open(start) as backend:
        sources = load_sources(config.data, run, backend, start, answer_lengths(config))
        ranked = _rank(config, run, backend, start, sources)
        if told.reply == "generated" and told.drawn_by == "start":
            drawn = _draw(config, run, backend, start, ranked)
    if told.drawn_by == "baseline":
        baseline = _baseline(config, store, start, ranked)
        with config.backend.open(policy_of(baseline)) as drawing:
            drawn = _draw(config, run, drawing, policy_of(baseline), ranked)
    with config.backend.open(start) as backend:
        seeds = run.stage(0, seed, part_of(told, SeedSpec), backend=backend, rankings=ranked, replies=drawn)
    return Seeded(start=start, ranked=ranked, baseline=baseline, seeds=seeds, trained=_train(config, run, start, seeds))


def _draw(config: SeedJudgeConfig, run: Run, backend: Backend, policy: Policy, ranked: Artifact) -> Artifact:
    spec = part_of(config.seed_judge, RepliesSpec)
    return run.stage(0, replies, spec, backend=backend, policy=policy, rankings=ranked)


def _baseline(config: SeedJudgeConfig, store: Store, start: Policy, ranked: Artifact) -> Artifact:
    """The update of `start` on the best answers alone, linked in a folder of its own."""
    run = Run(config.store.runs / config.run / BASELINE, store, config.seed)
    return _train(config, run, start, run.stage(0, best_answers, BestAnswersSpec(), random=False, rankings=ranked))


def _train(config: SeedJudgeConfig, run: Run, start: Policy, rows: Artifact) -> Artifact:
    return run.stage(
        0, update, config.update, engine=config.update.engine(), policy=start, reference=None, training=rows
    )


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


def report_lines(config: SeedJudgeConfig, seeded: Seeded) -> Iterator[str]:
    """What every step kept, of how much; then where the policy is and how a run starts from it."""
    yield from _template_lines(config, seeded)
    ranked, seeding, training = ranking_counts(seeded.ranked), seeding_of(seeded.seeds), training_of(seeded.trained)
    without = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in ranked.unranked.items())
    yield (
        f"rankings ({config.seed_judge.source}): {ranked.ranked} of {ranked.prompts} prompts, with "
        f"{ranked.answers} answers{f'; without one: {without}' if without else ''}"
    )
    if seeded.baseline is not None:
        taught = training_of(seeded.baseline)
        yield (
            f"baseline, which draws the replies: trained on {taught.rows_trained} of {seeding.ift} best answers"
            f"{_too_long(config, taught, 'raise it')}"
        )
    if (drawn := seeding.replies) is not None:
        yield (
            f"replies: {drawn.scored} of {drawn.drawn} state a score, {drawn.cut} were cut; one on each "
            f"answer, {drawn.agreeing} of {drawn.readings} rank as people did"
        )
        yield f"kept: {drawn.kept} replies that agree, on {drawn.prompts} of {ranked.ranked} prompts"
    scores = ", ".join(f"{score}: {some.kept} of {some.of}" for score, some in seeding.scores.items())
    yield f"verdicts by score, the most common one down-sampled: {scores}"
    yield f"examples: {seeding.ift} best answers (IFT), {seeding.eft} verdicts (EFT)"
    yield _mixture(seeded.seeds)
    yield f"trained on {training.rows_trained} of {seeding.ift + seeding.eft}" + _too_long(
        config, training, "judge prompts are long, raise it"
    )
    folder = config.store.runs / config.run / FOLDER / "iter-000" / "update" / "model"
    yield f"seeded policy: {folder}"
    if isinstance(config.model, HfModel):
        judge = f"judge=rubric {setting('rubric@judge.rubric', config.seed_judge.rubric.id)}"
        method = " judge.method=expected" if config.seed_judge.reply == "labelled" else ""
        yield f"start a run from it: selfreward run {setting('model.path', folder)} {judge}{method}"


def _template_lines(config: SeedJudgeConfig, seeded: Seeded) -> Iterator[str]:
    """What the model was given to be talked to; nothing where its template is its own."""
    if not isinstance(config.model, HfModel) or config.model.chat_template is None:
        return
    rendering, new = read_rendering(seeded.start.path), read_new_tokens(seeded.start.path)
    assert rendering is not None
    yield f"template: {config.model.chat_template}, an answer ends with {rendering.end_of_turn}"
    if new is not None:
        grown = f"{new.rows_before} -> {new.rows} rows" if new.rows > new.rows_before else f"{new.rows} rows as before"
        added = f"added {', '.join(new.added)}" if new.added else "no token was missing"
        yield (
            f"tokens: {added}; embeddings: {grown}, {'tied' if new.tied else 'untied'}; trained whatever "
            f"update.trainable freezes: the rows of {', '.join(new.tokens)}"
        )


def _mixture(seeds: Artifact) -> str:
    """How the two kinds of rows are mixed, and the share of each in what bears loss."""
    tokens = Counter[bool]()
    for row in seeds.records(Example):
        tokens[row.score is None] += row.tokens
    return (
        "mixed: one training on both kinds in one random order, none weighed; tokens of best answers "
        f"{tokens[True]}, of verdicts {tokens[False]}"
    )


def _too_long(config: SeedJudgeConfig, training: Training, advice: str) -> str:
    """How many rows were too long to train on; a scripted update counts no tokens."""
    if not isinstance(config.update, TrainingBase):
        return ""
    hint = f": {advice}" if training.rows_too_long else ""
    return f", {training.rows_too_long} longer than update.max_tokens={config.update.max_tokens}{hint}"
