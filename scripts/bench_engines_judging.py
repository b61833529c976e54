"""Part of bench_engines.py: a stage that judges by a rubric, beside asking about one candidate at a time.

192 candidates, right and wrong answers to 48 everyday questions, judged by the expected score. One at a time are: one
forward pass, which is the same judgment without a batch and a shared beginning; and one drawn reply, which is how
judges are usually asked. A one-at-a-time way judges its share of the candidates in each pair.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pairs import Done, Wanted, in_turn, row, timed
from quiet import Quiet

from selfreward.__main__ import compose
from selfreward.artifacts import Artifact, Output, Store
from selfreward.backends.base import Backend, Sampling
from selfreward.backends.hf import HfBackend, HfSpec
from selfreward.backends.vllm import VllmBackend, VllmSpec
from selfreward.config import validate
from selfreward.data.embedded import load_everyday
from selfreward.judges.base import Item
from selfreward.judges.rubric import RubricSpec
from selfreward.judges.scale import spelled
from selfreward.policies import Policy
from selfreward.records import Candidate, Judgment, Prompt, digest_of, undrawn
from selfreward.spec import Spec
from selfreward.stages.judge import judge

VERSION = 1
QUESTIONS = 48
ANSWERS = 4
OneByOne = Callable[["Bench", Sequence[Item], int], None]


@dataclass(frozen=True)
class Bench:
    """Who judges, and what: as rows of the store, and one by one."""

    store: Store
    backend: Backend
    prompts: Artifact
    candidates: Artifact
    items: list[Item]


def judging(policy: Policy, pairs: int, rubric: str, *, small: bool) -> None:
    """The stage with HfBackend, beside HfBackend with all threads in one process asked one at a time."""
    one = HfBackend(HfSpec(device="cpu", workers=1), policy)
    with one, judged(HfBackend(HfSpec(device="cpu"), policy)) as bench:
        compare("hf", bench, one, pairs, rubric, 5, small=small)


def vllm_judging(policy: Policy, pairs: int, rubric: str, python: Path | None, *, small: bool) -> None:
    """The stage with VllmBackend, beside the same engine asked one at a time."""
    with judged(VllmBackend(VllmSpec(python=python), policy)) as bench:
        compare("vLLM", bench, bench.backend, pairs, rubric, 20, small=small)


@contextmanager
def judged(backend: Backend) -> Iterator[Bench]:
    """What is to be judged, in a store that does not outlive it."""
    with tempfile.TemporaryDirectory() as folder, backend:
        store = Store(Path(folder), Quiet())
        prompts, candidates = store.run(everyday_prompts, Spec()), store.run(everyday_answers, Spec())
        yield Bench(store, backend, prompts, candidates, everyday_items())


def compare(engine: str, bench: Bench, one: Backend, pairs: int, rubric: str, least: float, *, small: bool) -> None:
    """A row for each way to judge one at a time."""
    ways = {
        "one forward pass at a time": (one_pass, 2 if small else 32),
        "one drawn reply at a time": (one_reply, 1 if small else 6),
    }
    expected, sampled = (spec_of(rubric, method) for method in ("expected", "sampled"))
    stage(bench, expected, pairs)
    for name, (way, share) in ways.items():
        spec = expected if way is one_pass else sampled
        way(one, spec, bench.items[:1], 0)
        alone = partial(one_by_one, bench, one, way, spec, share)
        found = in_turn(partial(stage, bench, expected), alone, pairs)
        what = f"judging, {engine} stage beside {name} ({rubric})"
        print(row(what, found, "judgment", Wanted(least), of_time=False), flush=True)


def stage(bench: Bench, spec: RubricSpec, number: int) -> Done:
    """All candidates, by the stage as the loop runs it; under a seed of its own, or the store would have them."""

    def judgments() -> float:
        seed = len(list((bench.store.root / "judge").glob("*")))
        ask = partial(bench.store.run, judge, spec, seed=seed, backend=bench.backend, policy=bench.backend._policy)
        return len(list(ask(prompts=bench.prompts, candidates=bench.candidates).records(Judgment)))

    return timed(judgments)


def one_by_one(bench: Bench, one: Backend, way, spec: RubricSpec, share: int, number: int) -> Done:
    """Every so many candidates, from another one on in each pair."""
    step = max(1, len(bench.items) // share)
    items = bench.items[number % step :: step][:share]

    def judgments() -> float:
        way(one, spec, items, number)
        return len(items)

    return timed(judgments)


def one_pass(one: Backend, spec: RubricSpec, items: Sequence[Item], _: int) -> None:
    """One forward pass a candidate."""
    options = list(map(spelled, spec.rubric.scale.values()))
    for prompt, candidate in items:
        one.score_options([spec.rubric.ask_about(prompt, candidate.text, explained=False)], options, lambda _: None)


def one_reply(one: Backend, spec: RubricSpec, items: Sequence[Item], number: int) -> None:
    """One drawn reply a candidate."""
    sampling = Sampling(k=1, temperature=spec.temperature, top_p=spec.top_p, max_new_tokens=spec.max_new_tokens)
    for place, (prompt, candidate) in enumerate(items):
        asked = spec.rubric.ask_about(prompt, candidate.text, explained=True)
        ((reply,),) = one.generate([asked], sampling, 1000 * number + place, lambda _: None)
        spec.rubric.read(reply.text, candidate.text)


def spec_of(rubric: str, method: str) -> RubricSpec:
    """The rubric judge as shipped."""
    spec = validate(compose(["judge=rubric", f"rubric@judge.rubric={rubric}", f"judge.method={method}"])).judge
    assert isinstance(spec, RubricSpec)
    return spec


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


def everyday_prompts(out: Output, spec: Spec) -> None:
    """Table `rows` of Prompt."""
    with out.table(Prompt) as table:
        table.write_all({prompt.id: prompt for prompt, _ in everyday_items()}.values())


def everyday_answers(out: Output, spec: Spec) -> None:
    """Table `rows` of Candidate."""
    with out.table(Candidate) as table:
        table.write_all(candidate for _, candidate in everyday_items())
