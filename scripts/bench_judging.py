#!/usr/bin/env python
"""Judgments per second on the embedded model (run `selfreward assets` first), by each way to judge with a rubric.

64 candidates, right and wrong answers to 16 everyday questions. The ways take turns: a stage judges all candidates in
each, what is asked one at a time judges its share of them, over all turns every candidate once. A ratio is that of the
medians, with the smallest and the largest within one turn beside it. That of processor time hardly depends on what else
the machine does.

    python scripts/bench_judging.py                       both rubrics, four turns
    python scripts/bench_judging.py --rubrics right_or_wrong --turns 2
"""

import argparse
import math
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

from quiet import Quiet

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Output, Store
from selfreward.backends.base import Sampling
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.config import validate
from selfreward.data.embedded import load_everyday
from selfreward.data.models import HfModel, start_policy
from selfreward.judges.base import Item
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.scale import spelled
from selfreward.records import Candidate, Judgment, Prompt, digest_of, undrawn
from selfreward.spec import Spec
from selfreward.stages.judge import judge

VERSION = 1
QUESTIONS = 16
ANSWERS = 4


@dataclass(frozen=True)
class Bench:
    """The model, and what it judges: as rows of the store, and one by one."""

    store: Store
    backend: HfBackend
    prompts: Artifact
    candidates: Artifact
    items: list[Item]


@dataclass(frozen=True)
class Judged:
    """How many judgments were made, how many of them have a score, and the seconds they took."""

    made: int
    scored: int
    wall: float = 0.0
    cpu: float = 0.0


def timed(run: Callable[[int], Judged], turn: int) -> Judged:
    """What `run` returns for a turn, with its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = run(turn)
    return replace(done, wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def everyday_items() -> list[Item]:
    """Questions of one split with a right answer each and three that are right answers to others of their kind."""
    known = load_everyday("held_out", "")
    items = []
    for prompt in known[:QUESTIONS]:
        others = [other.references[0] for other in known if other.source == prompt.source]
        wrong = [text for text in dict.fromkeys(others) if text not in prompt.references]
        items += [
            (prompt, undrawn(digest_of("candidate", prompt.id, n), prompt.id, n, text))
            for n, text in enumerate([prompt.references[0], *wrong][:ANSWERS])
        ]
    return items


def questions(out: Output, spec: Spec) -> None:
    """Table `rows` of Prompt."""
    with out.table(Prompt) as table:
        table.write_all({prompt.id: prompt for prompt, _ in everyday_items()}.values())


def answers(out: Output, spec: Spec) -> None:
    """Table `rows` of Candidate."""
    with out.table(Candidate) as table:
        table.write_all(candidate for _, candidate in everyday_items())


def stage(bench: Bench, spec: RubricSpec, turn: int) -> Judged:
    """All candidates, by the stage as the loop runs it."""
    inputs = {"prompts": bench.prompts, "candidates": bench.candidates, "policy": bench.backend._policy}
    made = bench.store.run(judge, spec, seed=turn, backend=bench.backend, **inputs)
    judgments = list(made.records(Judgment))
    return Judged(len(judgments), sum(one.outcome == "scored" for one in judgments))


def stage_unshared(bench: Bench, spec: RubricSpec, turn: int) -> Judged:
    """As `stage`, where every prompt is computed from its first token."""
    with patch("selfreward.backends.hf.can_share_prefix", return_value=False):
        return stage(bench, spec, -1 - turn)


def one_pass(bench: Bench, spec: RubricSpec, items: Sequence[Item]) -> Judged:
    """One forward pass a candidate, one candidate at a time."""
    options = list(map(spelled, spec.rubric.scale.values()))
    scored = 0
    for prompt, candidate in items:
        asked = spec.rubric.ask_about(prompt, candidate.text, explained=False)
        (found,) = bench.backend.score_options([asked], options, lambda _: None)
        scored += math.fsum(map(math.exp, found.logprobs)) >= spec.min_mass
    return Judged(len(items), scored)


def one_sampled(bench: Bench, spec: RubricSpec, items: Sequence[Item]) -> Judged:
    """One drawn reply a candidate, one candidate at a time."""
    sampling = Sampling(k=1, temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens)
    scored = 0
    for number, (prompt, candidate) in enumerate(items):
        asked = spec.rubric.ask_about(prompt, candidate.text, explained=True)
        ((reply,),) = bench.backend.generate([asked], sampling, number, lambda _: None)
        stated = spec.rubric.read(reply.text, candidate.text)
        scored += reply.finish == "stop" and stated is not None
    return Judged(len(items), scored)


def spec_of(rubric: str, method: str) -> RubricSpec:
    """The rubric judge as shipped."""
    overrides = ["judge=rubric", f"rubric@judge.rubric={rubric}", f"judge.method={method}"]
    return validate(compose(overrides)).judge


def run_rubric(bench: Bench, rubric: str, turns: int) -> None:
    """Prints a row for each way: its rate, and how many times as fast the first way is."""
    expected, sampled = spec_of(rubric, "expected"), spec_of(rubric, "sampled")
    ways: dict[str, Callable[[int], Judged]] = {
        "expected score, the stage": partial(stage, bench, expected),
        "the same, beginnings not shared": partial(stage_unshared, bench, expected),
        "expected score, one at a time": lambda turn: one_pass(bench, expected, bench.items[turn::turns]),
        "one sampled reply, one at a time": lambda turn: one_sampled(bench, sampled, bench.items[turn::turns]),
        "one sampled reply, the stage": partial(stage, bench, sampled),
    }
    turns_of: dict[str, list[Judged]] = {way: [] for way in ways}
    for turn in range(turns):
        for way, run in ways.items():
            turns_of[way].append(timed(run, turn))
    first = turns_of[next(iter(ways))]
    for way, done in turns_of.items():
        rate = median(one.made / one.wall for one in done)
        with_score = f"{sum(one.scored for one in done)} of {sum(one.made for one in done)}"
        by_wall = ratio(first, done, lambda one: one.made / one.wall)
        by_cpu = ratio(first, done, lambda one: one.made / one.cpu)
        print(f"| {rubric} | {way} | {rate:.2f} | {by_wall} | {by_cpu} | {with_score} |", flush=True)


def ratio(ones: Sequence[Judged], others: Sequence[Judged], rate: Callable[[Judged], float]) -> str:
    """The rate of one way over that of another: of the medians, and the range over turns."""
    rates, other_rates = [*map(rate, ones)], [*map(rate, others)]
    within = [one / other for one, other in zip(rates, other_rates, strict=True)]
    return f"{median(rates) / median(other_rates):.1f} ({min(within):.1f} to {max(within):.1f})"


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rubrics", nargs="+", default=["right_or_wrong", "five_point_quality"])
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--threads", type=int, help="of torch; as many as it likes where not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), Quiet())
        policy = start_policy(HfModel(), store.root)
        with HfBackend(HfSpec(device="cpu", threads=arguments.threads), policy) as backend:
            items = everyday_items()
            bench = Bench(store, backend, store.run(questions, Spec()), store.run(answers, Spec()), items)
            one_pass(bench, spec_of(arguments.rubrics[0], "expected"), items[:2])  # loads the model
            print(f"{describe(backend)}; {len(items)} candidates, {arguments.turns} turns\n")
            print("| rubric | way | judgments/s | the stage is faster by | by processor time | with a score |")
            print("|---|---|---|---|---|---|", flush=True)
            for rubric in arguments.rubrics:
                run_rubric(bench, rubric, arguments.turns)


def describe(backend: HfBackend) -> str:
    """What the figures were had with."""
    import torch

    settings = backend.identity
    names = ", ".join(f"{name} {settings[name]}" for name in ("dtype", "device", "torch", "transformers"))
    return f"SmolLM2-135M-Instruct, {names}, {torch.get_num_threads()} threads, {platform.machine()}"


if __name__ == "__main__":
    main()
