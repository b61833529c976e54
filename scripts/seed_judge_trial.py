#!/usr/bin/env python
"""Can `selfreward seed-judge` make a small model judge measurably better? Before against after, paired.

    python scripts/seed_judge_trial.py [SETTING=VALUE ...] [--seeds 0 1 2]

For each seed the embedded model is taught labelled verdicts on its own answers to the everyday training questions,
right and wrong by the references. Then it judges two sets of answers to the held-out questions, by the expected score
of the same rubric, before and after:

- references: a question's accepted answer against one accepted for another question of its kind, so that every wrong
  answer is right elsewhere and nothing but the question tells them apart;
- own answers: what the start model drew, right against wrong, as the loop would have them judged. Here a judge can gain
  by knowing which answers are wrong wherever they are given; the start model's own mean log-probability is beside it.

AUC is over all right and wrong answers, accuracy within a question, ties count half; .5 is a coin. Intervals are 95%
percentile bootstraps over questions, the same resamples for both policies; seeds are averaged within a question.
Settings go to every seeding (`update.epochs=3`). Stop it whenever you like: seedings are kept, judging starts over.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selfreward.__main__ import compose
from selfreward.answers import distinct_key, is_right
from selfreward.backends.candidates import Decoding, draw_candidates
from selfreward.commands.seed_judge import GROUP, report_lines, seed_policy
from selfreward.config import SeedJudgeConfig, validate_as
from selfreward.data.embedded import load_everyday
from selfreward.data.models import start_policy
from selfreward.judges.base import Item, Means
from selfreward.judges.rubric import RubricSpec
from selfreward.policies import Policy
from selfreward.records import Candidate, Prompt, digest_of, undrawn
from selfreward.stages.update import policy_of

SETTINGS = [
    "data.train_closed=600",
    "data.train_open=0",
    "data.held_out_closed=300",
    "data.held_out_open=0",
    "sample.k=8",
    "seed_judge.source=verifier",
    "seed_judge.reply=labelled",
    "rubric@seed_judge.rubric=right_or_wrong",
]
DRAWS = 2000
Scores = Mapping[str, float]
ENOUGH_MASS = 0.5


@dataclass(frozen=True)
class Answers:
    """Answers to judge, and for each prompt which of them are right and which wrong, by candidate id."""

    name: str
    items: list[Item]
    right: list[list[str]]
    wrong: list[list[str]]


@dataclass(frozen=True)
class Wins:
    """How often a right answer of prompt i beats a wrong one of prompt j, ties half, and of how many; P x P."""

    won_PP: np.ndarray
    of_PP: np.ndarray


def references(prompts: Sequence[Prompt]) -> Answers:
    """An accepted answer to each question, and a random one that is accepted for another of its kind and wrong here."""
    lot = random.Random(0)
    items, right, wrong = [], [], []
    for prompt in prompts:
        others = [
            other.references[0]
            for other in prompts
            if other.source == prompt.source and is_right(prompt, other.references[0]) is False
        ]
        if others and is_right(prompt, prompt.references[0]):
            pair = [
                undrawn(digest_of("trial", prompt.id, at, text), prompt.id, at, text)
                for at, text in enumerate((prompt.references[0], lot.choice(others)))
            ]
            items += [(prompt, candidate) for candidate in pair]
            right.append([pair[0].id])
            wrong.append([pair[1].id])
    return Answers("references", items, right, wrong)


def own_answers(prompts: Sequence[Prompt], candidates: Sequence[Candidate]) -> Answers:
    """The different whole answers to each question that has right and wrong ones."""
    items, right, wrong = [], [], []
    for prompt in prompts:
        distinct: dict[str, Candidate] = {}
        for one in candidates:
            if one.prompt_id == prompt.id and one.finish == "stop" and one.text.strip():
                distinct.setdefault(distinct_key(prompt, one.text), one)
        good = [one.id for one in distinct.values() if is_right(prompt, one.text)]
        bad = [one.id for one in distinct.values() if one.id not in good]
        if good and bad:
            items += [(prompt, one) for one in distinct.values()]
            right.append(good)
            wrong.append(bad)
    return Answers("own answers", items, right, wrong)


def judged(
    spec: RubricSpec, config: SeedJudgeConfig, policy: Policy, sets: Sequence[Answers]
) -> tuple[list[Scores], str]:
    """For each set the score of every answer; and in words on how many the scores had enough probability."""
    found: list[Scores] = []
    masses = []
    with config.backend.open(policy) as backend:
        judge = spec.build(Means(policy=policy, backend=backend))
        for answers in sets:
            print(f"judging {len(answers.items)} {answers.name}", file=sys.stderr)
            judgments = judge.ask(answers.items, 0, lambda _: None)
            found.append({one.candidate_ids[0]: one.score for one in judgments if one.score is not None})
            enough = [float(one.raw.rpartition("mass=")[2]) >= ENOUGH_MASS for one in judgments]
            masses.append(f"{answers.name} {np.mean(enough):.2f}")
    return found, ", ".join(masses)


def wins(answers: Answers, scores: Scores) -> Wins:
    """Right against wrong answers of all prompts by their scores."""
    right, wrong = ([[scores[one] for one in ids] for ids in side] for side in (answers.right, answers.wrong))
    won = [[np.subtract.outer(good, bad) for bad in wrong] for good in right]
    return Wins(
        np.array([[((gap > 0) + 0.5 * (gap == 0)).sum() for gap in row] for row in won]),
        np.array([[gap.size for gap in row] for row in won], dtype=float),
    )


def auc(some: Wins, weights_BP: np.ndarray) -> np.ndarray:
    """The area under the curve of each resample."""
    won_B, of_B = (
        np.einsum("bi,ij,bj->b", weights_BP, one, weights_BP, optimize=True) for one in (some.won_PP, some.of_PP)
    )
    return won_B / of_B


def accuracy(some: Wins, weights_BP: np.ndarray) -> np.ndarray:
    """The mean over prompts of the share of their pairs that are ranked right, of each resample."""
    return weights_BP @ (np.diag(some.won_PP) / np.diag(some.of_PP)) / weights_BP.sum(axis=1)


def rows(name: str, answers: Answers, before: Wins, after: Wins) -> None:
    """Prints a Markdown row for each measure."""
    prompts = len(answers.right)
    weights_BP = np.random.default_rng(0).multinomial(prompts, [1 / prompts] * prompts, size=DRAWS)
    weights_BP = np.concatenate([np.ones((1, prompts)), weights_BP])
    for measure in (auc, accuracy):
        old_B, new_B = measure(before, weights_BP), measure(after, weights_BP)
        cells = [told_of(old_B), told_of(new_B), told_of(new_B - old_B, "+")]
        print(f"| {answers.name} | {name} | {measure.__name__} | {prompts} | {' | '.join(cells)} |", flush=True)


def told_of(values_B: np.ndarray, sign: str = "") -> str:
    """The value of the sample itself, which is the first, and the interval of the others."""
    low, high = np.quantile(values_B[1:], [0.025, 0.975])
    return f"{values_B[0]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def main() -> None:
    """Seeds, judges and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="which (default: 0 1 2)")
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    arguments = parser.parse_intermixed_args()

    configs = {}
    for seed in arguments.seeds:
        settings = [*SETTINGS, f"seed={seed}", f"run=seed-trial-{seed}", *arguments.settings]
        configs[seed] = validate_as(SeedJudgeConfig, compose([GROUP, *settings]))
    first = next(iter(configs.values()))
    spec = RubricSpec(rubric=first.seed_judge.rubric, method="expected", min_mass=0)
    start = start_policy(first.model, first.store.runs / "store")
    prompts = load_everyday("held_out", first.data.system)
    with first.backend.open(start) as backend:
        drawn = draw_candidates(backend, start, prompts, Decoding(k=4), seed=0, advance=lambda _: None)
    sets = [one for one in (references(prompts), own_answers(prompts, drawn)) if one.right]
    scores, enough = judged(spec, first, start, sets)
    before = [wins(*one) for one in zip(sets, scores, strict=True)]
    masses = [f"before: {enough}"]
    after: dict[int, list[Wins]] = {}
    for seed, config in configs.items():
        made = seed_policy(config)
        print(*(f"seed {seed}: {line}" for line in report_lines(config, made)), sep="\n", file=sys.stderr)
        scores, enough = judged(spec, config, policy_of(made.trained), sets)
        after[seed] = [wins(*one) for one in zip(sets, scores, strict=True)]
        masses.append(f"seed {seed}: {enough}")

    print("| answers | seed | measure | questions | before | after | gain |\n|---|---|---|---|---|---|---|")
    for at, answers in enumerate(sets):
        for seed, found in after.items():
            rows(str(seed), answers, before[at], found[at])
        mean = Wins(np.mean([found[at].won_PP for found in after.values()], axis=0), before[at].of_PP)
        rows("mean of seeds", answers, before[at], mean)
        if answers.name == "own answers":
            likelihood = {one.id: one.logprob / one.tokens for one in drawn if one.logprob is not None}
            rows("(likelihood, not seeded)", answers, before[at], wins(answers, likelihood))
    print(f"\nShare of answers with at least {ENOUGH_MASS} of the probability on the scores. {'; '.join(masses)}.")


if __name__ == "__main__":
    main()
