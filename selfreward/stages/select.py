"""Select: which candidates become training rows, and a count of why the others did not."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from selfreward.artifacts import Advance, Artifact, Output
from selfreward.records import Example, PreferencePair, Prompt
from selfreward.stages.examples import BestOfK, RandomPick, choose, example_of
from selfreward.stages.pairs import PreferencePairs, anchor_pair, choose_pairs, pair_of
from selfreward.stages.pool import Rated, pools

VERSION = 2

AnySelect = BestOfK | RandomPick | PreferencePairs
SelectSpec = Annotated[AnySelect, Field(discriminator="kind")]

Pools = Iterator[tuple[Prompt, list[Rated]]]


def select(
    out: Output, spec: AnySelect, *, seed: int, candidates: Artifact, judgments: Artifact, prompts: Artifact
) -> None:
    """Table `rows` of Example, or `pairs` and `human_pairs` of PreferencePair, and `selection.json`.

    The counts say how many candidates each rule left: every candidate that is looked at is counted once, as selected,
    as passed over, or under the first reason that took it out (`cut`, an outcome such as `unscored:truncated`,
    `empty`, `below_threshold`, `duplicate`). Human prompts that were sampled along make human pairs alone.
    """
    counts: Counter[str] = Counter(
        prompts=0, prompts_without_selection=0, candidates=0, selected=0, passed_over=0, cut=0, duplicate=0
    )
    with out.progress(prompts.rows(), "prompts") as advance:
        rated = _advancing(pools(prompts, candidates, judgments), advance)
        match spec:
            case PreferencePairs():
                human = {example.prompt_id: example for example in prompts.records(Example, "human")}
                counts.update(pairs=0, ties=0, below_margin=0, human_pairs=0, human_prompts_without_pair=0)
                _write_pairs(out, spec, rated, human, seed, counts)
            case BestOfK() | RandomPick():
                with out.table(Example) as table:
                    examples = (
                        example_of(prompt, pick)
                        for prompt, group in rated
                        for pick in choose(spec, prompt, group, seed, counts)
                    )
                    table.write_all(examples)
    out.write_json("selection", dict(counts))


def _write_pairs(
    out: Output, spec: PreferencePairs, rated: Pools, human: dict[str, Example], seed: int, counts: Counter[str]
) -> None:
    anchors: list[PreferencePair] = []

    def own() -> Iterator[PreferencePair]:
        for prompt, group in rated:
            if prompt.id not in human:
                yield from (pair_of(prompt, *pair) for pair in choose_pairs(spec, prompt, group, seed, counts))
            elif (anchor := anchor_pair(spec, prompt, human[prompt.id], group, counts)) is not None:
                anchors.append(anchor)

    with out.table(PreferencePair, "pairs") as table:
        table.write_all(own())
    with out.table(PreferencePair, "human_pairs") as table:
        table.write(anchors)


def _advancing(rated: Pools, advance: Advance) -> Pools:
    for one in rated:
        yield one
        advance(1)
