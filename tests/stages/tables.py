"""Artifacts of made-up rows, to call a stage without a loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from selfreward.artifacts import Artifact, Output, Part, Store
from selfreward.monitor.controller import Orders
from selfreward.records import Candidate, Example, Judgment, Prompt, Usage, make_prompt
from selfreward.selection import AnySelect
from selfreward.selection.asked import Asked
from selfreward.selection.choice import Choice
from selfreward.selection.novelty import NO_ORDERS
from selfreward.selection.pool import Rated
from selfreward.spec import Json, Spec
from selfreward.stages.select import select
from tests.support import Silent

VERSION = 1
SEED = 3


class Made(Spec):
    """What a made-up artifact is called."""

    name: str


def artifact(folder: Path, name: str, tables: Mapping[str, tuple[type, Sequence[object]]], **files: Json) -> Artifact:
    """An artifact with these tables and JSON files."""

    def stage(out: Output, spec: Made) -> None:
        for table, (record_type, rows) in tables.items():
            with out.table(record_type, table) as written:
                written.write_all(rows)
        for file, value in files.items():
            out.write_json(file, value)

    return Store(folder, Silent()).run(stage, Made(name=name))


def choice_of(
    spec: AnySelect,
    prompt: Prompt,
    rated: Sequence[Rated],
    orders: Orders = NO_ORDERS,
    first: Sequence[Rated] = (),
    *,
    seed: int = 0,
) -> Choice:
    """What a rule chooses of the candidates of one prompt."""
    return spec.choose(Asked(prompt=prompt, rated=rated, seed=seed, orders=orders, first=first))


def open_prompt(number: int) -> Prompt:
    """A prompt whose answers are all different texts."""
    return make_prompt(f"Tell me of thing {number}.", system="", stratum="open", source="test")


def closed_prompt(number: int) -> Prompt:
    """A sum."""
    return make_prompt(
        f"What is {number} + 2?", system="", stratum="closed", source="test", references=("4",), match="numeric"
    )


def drawn(prompt: Prompt, index: int, text: str, policy: str = "p") -> Candidate:
    """A candidate with an id that tells whose it is."""
    return Candidate(
        id=f"{policy}{index}-{prompt.id}",
        prompt_id=prompt.id,
        index=index,
        text=text,
        text_hash="",
        finish="stop",
        tokens=5,
        logprob=-1.0,
        policy_key=policy,
        policy_digest=policy,
        seed=0,
    )


def judged(candidate: Candidate, score: float | None) -> Judgment:
    """A judgment with this score; unparsed where it is None."""
    return Judgment(
        prompt_id=candidate.prompt_id,
        candidate_ids=(candidate.id,),
        order=(0,),
        judge="test",
        rubric=None,
        dimension=None,
        principle=None,
        repeat=0,
        outcome="unparsed" if score is None else "scored",
        score=score,
        verdict=None,
        raw="",
        usage=Usage(prompt_tokens=0, completion_tokens=0),
    )


Answers = Sequence[tuple[Prompt, Sequence[tuple[str, float | None]]]]
"""Prompts with their answers and scores."""


def round_of(folder: Path, answers: Answers, policy: str = "p", human: Sequence[Example] = ()) -> dict[str, Artifact]:
    """The candidates, judgments and prompts of a round."""
    candidates = [drawn(prompt, at, text, policy) for prompt, given in answers for at, (text, _) in enumerate(given)]
    scores = [score for _, given in answers for _, score in given]
    verdicts = [judged(one, score) for one, score in zip(candidates, scores, strict=True)]
    prompts = [prompt for prompt, _ in answers]
    return {
        "candidates": artifact(folder, f"candidates {policy}", {"rows": (Candidate, candidates)}),
        "judgments": artifact(folder, f"judgments {policy}", {"rows": (Judgment, verdicts)}),
        "prompts": artifact(folder, f"prompts {policy}", {"rows": (Prompt, prompts), "human": (Example, list(human))}),
    }


def ordered(folder: Path, real_share: float = 0.2, human_left: int | None = None, **orders: Json) -> Part:
    """What a decision orders."""
    given: dict[str, Json] = {
        "select_k": None,
        "novelty": False,
        "cluster_cap": None,
        "novelty_quantile": None,
        "anchored": False,
        "sft_weight": 0.0,
    }
    decision: dict[str, Json] = {
        "round": 0,
        "real_share": real_share,
        "human_left": human_left,
        "orders": {**given, **orders},
    }
    return artifact(folder, f"decision {decision}", {}, orders=decision).part("orders")


def lengthened(folder: Path, candidates: Artifact) -> Artifact:
    """The same candidates, each ten tokens longer than the one before it of its prompt."""
    rows = [replace(one, tokens=one.tokens + 10 * one.index) for one in candidates.records(Candidate)]
    return artifact(folder, "longer and longer", {"rows": (Candidate, rows)})


def selected(
    folder: Path,
    answers: Answers,
    spec: AnySelect,
    decision: Part | None = None,
    first: Answers = (),
    human: Sequence[Example] = (),
    *,
    longer: bool = False,
) -> Artifact:
    """What select makes of a round's answers, under the orders of `decision`; `longer` ones, if asked for."""
    given = round_of(folder, answers, human=human)
    if longer:
        given["candidates"] = lengthened(folder, given["candidates"])
    before = round_of(folder, first, "first") if first else {}
    return Store(folder, Silent()).run(
        select,
        spec,
        seed=SEED,
        **given,
        decision=decision,
        first_candidates=before.get("candidates"),
        first_judgments=before.get("judgments"),
    )


def human_example(number: int, tokens: int = 10, prompt: Prompt | None = None) -> Example:
    """An answer that a person gave."""
    asked = prompt or open_prompt(1000 + number)
    return Example(
        id=f"h{number}",
        prompt_id=asked.id,
        messages=asked.messages,
        text=f"Somebody wrote text {number} here.",
        origin="human",
        stratum="open",
        tokens=tokens,
        score=None,
        candidate_id=None,
        iteration=None,
    )
