"""Prompts: which prompts this round samples answers to."""

import random
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from selfreward.artifacts import Artifact, Output
from selfreward.artifacts.reports import load_report, save_report
from selfreward.errors import StarvedLoop
from selfreward.records import Example, RowPrompt, prompt_type
from selfreward.spec import Spec
from selfreward.stages.mix import Spent, mixing_of, uses_of

VERSION = 2


class PromptsSpec(Spec):
    """What a round samples: all training prompts, or `count` of them.

    `slice` takes the next `count` in the order of the source and starts over at the end; `without_replacement` draws
    `count` at random that no earlier round has had. `human` prompts of the human pool, with answers that are not spent
    yet (`mix.max_uses`), are sampled along, to pair their human answers with the policy's own.
    """

    per_round: Literal["all", "slice", "without_replacement"] = "all"
    count: PositiveInt | None = None
    human: NonNegativeInt = 0

    @model_validator(mode="after")
    def _count_goes_with_its_mode(self) -> "PromptsSpec":
        if (self.per_round == "all") != (self.count is None):
            raise ValueError(
                f"prompts.per_round={self.per_round} with prompts.count={self.count}: a slice or a draw, and nothing "
                "else, needs prompts.count=<prompts a round>"
            )
        return self

    @property
    def draws(self) -> bool:
        """Whether luck decides which prompts are asked; where it does not, all seeds ask the same ones."""
        return self.per_round == "without_replacement" or self.human > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPrompts:
    """Which prompts a round asks: `prompts` training prompts and `human_prompts` that bring a human answer.

    Without replacement, `drawn` holds the ids of all that were drawn up to this round and `prompts_left` counts the
    others; it is None where prompts are not drawn.
    """

    round: int
    prompts: int
    prompts_left: int | None
    human_prompts: int
    drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A training prompt, by its id."""

    id: str


def prompts(
    out: Output,
    spec: PromptsSpec,
    *,
    seed: int | None = None,
    train: Artifact,
    human: Artifact,
    previous: Artifact | None,
    training: Artifact | None,
) -> None:
    """Table `rows` of Prompt to sample, table `human` of the Examples whose prompts are among them, `prompts.json`.

    Where prompts of `train` have columns of their row, `rows` is of RowPrompt.

    `previous` is this stage's artifact of the round before, `training` the training set before, with the ledger of
    human examples spent; it is None, as the `seed` is, where the settings draw nothing. Raises StarvedLoop when fewer
    than `spec.count` prompts are left to draw.
    """
    assert (seed is not None) == spec.draws, "a seed where something is drawn, and only there"
    before = None if previous is None else load_report(previous, "prompts", RoundPrompts)
    this_round = 0 if before is None else before.round + 1
    chosen, drawn = _own(spec, train, this_round, set() if before is None else set(before.drawn), seed)
    examples = _human(spec, human, training, train, chosen, seed)
    asked = (prompt for place, prompt in enumerate(train.records(RowPrompt)) if chosen is None or place in chosen)
    first = [*islice(asked, 1)]
    written = out.write_table(prompt_type(first), chain(first, asked, map(_prompt_of, examples)))
    with out.table(Example, "human") as table:
        table.write(examples)
    told = RoundPrompts(
        round=this_round,
        prompts=written - len(examples),
        prompts_left=train.rows() - len(drawn) if drawn else None,
        human_prompts=len(examples),
        drawn=tuple(sorted(drawn)),
    )
    save_report(out, "prompts", told)


def _own(
    spec: PromptsSpec, train: Artifact, this_round: int, before: set[str], seed: int | None
) -> tuple[set[int] | None, set[str]]:
    """The places of the training prompts of this round in the source, None for all; and the ids drawn so far."""
    if spec.count is None:
        return None, set()
    if spec.per_round == "slice":
        start = this_round * spec.count
        return {(start + offset) % train.rows() for offset in range(min(spec.count, train.rows()))}, set()
    known = _ids(train)
    fresh = [one for one in known if one not in before]
    if len(fresh) < spec.count:
        raise StarvedLoop(
            f"{len(fresh)} of {len(known)} training prompts are left in round {this_round}, prompts.count asks for "
            f"{spec.count}: lower prompts.count or loop.iterations, or bring more prompts"
        )
    chosen = set(random.Random(seed).sample(fresh, spec.count))
    return {place for place, one in enumerate(known) if one in chosen}, before | chosen


def _ids(train: Artifact) -> list[str]:
    return [one.id for one in train.records(_Known)]


def _human(
    spec: PromptsSpec,
    human: Artifact,
    training: Artifact | None,
    train: Artifact,
    chosen: set[int] | None,
    seed: int | None,
) -> list[Example]:
    """Unspent human examples, the least used first and then at random, one a prompt, none of a prompt asked anyway."""
    if spec.human == 0:
        return []
    asked = {one for place, one in enumerate(_ids(train)) if chosen is None or place in chosen}
    uses = uses_of(() if training is None else training.records(Spent, "ledger"))
    most = 1 if training is None else mixing_of(training).max_uses
    pool = [example for example in human.records(Example) if uses[example.id] < most]
    random.Random(seed).shuffle(pool)
    pool.sort(key=lambda example: uses[example.id])
    one_each: dict[str, Example] = {}
    for example in pool:
        if example.prompt_id not in asked and len(one_each) < spec.human:
            one_each.setdefault(example.prompt_id, example)
    return list(one_each.values())


def _prompt_of(example: Example) -> RowPrompt:
    return RowPrompt(
        id=example.prompt_id,
        messages=example.messages,
        stratum=example.stratum,
        source="human",
        references=(example.text,),
        match=None,
    )
