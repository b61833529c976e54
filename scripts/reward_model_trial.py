#!/usr/bin/env python
"""Does a reward model learn from right and wrong answers which answers to other questions are right?

    python scripts/reward_model_trial.py [SETTING=VALUE ...] [--skip 128] [--questions 400] [--k 8] [--seeds 0 1 2]
                                         [--store DIR]

For each seed the embedded model answers everyday training questions, without the first `--skip`, which are left to
runs that use the reward model. The references say which answers are right, and a reward model learns from one pair or
two a question. It is measured on pairs of held-out training questions, as the stage does; and on answers to the
held-out questions, where the best of k by reward is held against an answer picked at random and against the best by the
policy's own mean log-probability. Settings are those of the reward model (`trainable=lora learning_rate=1e-4`). What
was drawn and trained is kept in the store.
"""

import argparse
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

import yaml
from quiet import Quiet

from selfreward.answers import is_right
from selfreward.artifacts import Artifact, Output, Store
from selfreward.backends.candidates import Decoding, draw_candidates
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.reward_model import RewardModel, RewardScore, Shown
from selfreward.data.embedded import load_everyday
from selfreward.data.models import HfModel, start_policy
from selfreward.data.sources import EmbeddedData
from selfreward.metrics.intervals import bootstrap_mean
from selfreward.policies import Policy
from selfreward.records import Candidate, PreferencePair, Prompt, digest_of
from selfreward.spec import Spec
from selfreward.stages.reward import members_of, reward, rewarding_of
from selfreward.updates.reward import RewardSpec

VERSION = 1
MOST = 2  # pairs a question


class Questions(Spec):
    """How many questions of a split behind the first `skip`, and how often each is answered."""

    split: Literal["train", "held_out"]
    skip: int
    count: int
    k: int


def main() -> None:
    """Prints figures for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--skip", type=int, default=128)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--store", type=Path, default=Path("runs/reward_model_trial"))
    arguments = parser.parse_args()
    given = dict(one.split("=", 1) for one in arguments.settings)
    spec = RewardSpec(**{"min_pairs": 10, "held_out": 0.3, **{name: yaml.safe_load(it) for name, it in given.items()}})
    store = Store(arguments.store, Quiet())
    policy = start_policy(HfModel(), arguments.store)
    for seed in arguments.seeds:
        made = Questions(split="train", skip=arguments.skip, count=arguments.questions, k=arguments.k)
        asked = Questions(split="held_out", skip=0, count=arguments.questions // 2, k=arguments.k)
        pairs, answers = (drawn(store, policy, one, seed) for one in (made, asked))
        trained = store.run(reward, spec, seed=seed, policy=policy, pairs=pairs, engine={"trial": VERSION})
        told = rewarding_of(trained)
        print(f"seed {seed}: {told.pairs} pairs, {told.held_out} held out, {trained.manifest.seconds:.0f} s")
        print("  " + ", ".join(f"model {n}: {one.path}" for n, one in enumerate(members_of(trained), start=1)))
        for name, one in told.held_out.measures.items():
            if one.value is not None:
                print(f"  {name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}] on {one.n}")
        picked(spec, trained, answers, asked, seed)


def drawn(store: Store, policy: Policy, asked: Questions, seed: int) -> Artifact:
    """The answers of the policy and pairs of them."""
    with HfBackend(HfSpec(), policy) as backend:
        return store.run(answered, asked, seed=seed, policy=policy, backend=backend)


def questions(asked: Questions) -> list[Prompt]:
    """Those of a split."""
    return load_everyday(asked.split, EmbeddedData().system)[asked.skip :][: asked.count]


def answered(out: Output, spec: Questions, *, seed: int, policy: Policy, backend: HfBackend) -> None:
    """Table `rows` of Candidate and `pairs` of PreferencePair: right answers over wrong ones."""
    prompts = questions(spec)
    found = draw_candidates(backend, policy, prompts, Decoding(k=spec.k), seed=seed, advance=lambda _: None)
    lot = random.Random(seed)
    by_prompt = {id_: list(some) for id_, some in itertools.groupby(found, key=lambda one: one.prompt_id)}
    pairs = [pair for prompt in prompts for pair in of_prompt(prompt, by_prompt[prompt.id], lot)]
    out.write_table(Candidate, found, "rows")
    out.write_table(PreferencePair, pairs, "pairs")


def of_prompt(prompt: Prompt, candidates: Sequence[Candidate], lot: random.Random) -> list[PreferencePair]:
    """At most MOST pairs of different texts, no text twice."""
    texts = list(dict.fromkeys(one.text for one in candidates))
    right = [text for text in texts if is_right(prompt, text)]
    wrong = [text for text in texts if text not in right]
    lot.shuffle(right)
    lot.shuffle(wrong)
    return [
        PreferencePair(
            id=digest_of("trial", prompt.id, better, worse),
            prompt_id=prompt.id,
            messages=prompt.messages,
            chosen=better,
            rejected=worse,
            origin="self",
            stratum="closed",
            chosen_tokens=0,
            rejected_tokens=0,
            margin=None,
        )
        for better, worse in list(zip(right, wrong, strict=False))[:MOST]
    ]


def picked(spec: RewardSpec, trained: Artifact, answers: Artifact, asked: Questions, seed: int) -> None:
    """Prints how often the best answer to a held-out question is right, less how often one picked by lot is."""
    prompts = {one.id: one for one in questions(asked)}
    candidates = list(answers.records(Candidate))
    shown = [Shown(messages=prompts[one.prompt_id].messages, text=one.text) for one in candidates]
    by_member = []
    for member in members_of(trained):
        model = RewardModel(folder=member.path, device="cpu", dtype="float32", batch_tokens=4096)
        scored = model.score(shown, lambda _: None)
        by_member.append([one.score for one in scored if isinstance(one, RewardScore)])
    rewards = {one.id: fmean(some) for one, some in zip(candidates, zip(*by_member, strict=True), strict=True)}
    for name, score in {
        "reward": lambda one: rewards[one.id],
        "mean log-probability": lambda one: one.logprob / max(one.tokens, 1),
    }.items():
        print(f"  best of {asked.k} by {name} less a random one: {gain(prompts, candidates, score, seed)}")


def gain(prompts, candidates: Sequence[Candidate], score: Callable[[Candidate], float], seed: int) -> str:
    """The mean over questions with its interval."""
    gains = []
    for id_, group in itertools.groupby(candidates, key=lambda one: one.prompt_id):
        some = list(group)
        right = [float(bool(is_right(prompts[id_], one.text))) for one in some]
        best = max(map(score, some))
        gains.append(fmean(it for one, it in zip(some, right, strict=True) if score(one) == best) - fmean(right))
    found = bootstrap_mean(gains, seed)
    assert found is not None
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}] on {found.n} questions"


if __name__ == "__main__":
    main()
