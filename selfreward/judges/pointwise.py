"""Judgments of one candidate each: how they are made, shared among candidates of the same text, and told of."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from selfreward.backends.base import Advance
from selfreward.judges.base import NO_USAGE, Item
from selfreward.records import Judgment, Outcome, Usage


def pointwise(
    item: Item,
    *,
    judge: str,
    outcome: Outcome = "scored",
    score: float | None = None,
    raw: str,
    usage: Usage = NO_USAGE,
    rubric: str | None = None,
    repeat: int = 0,
) -> Judgment:
    """A judgment of one candidate by itself."""
    prompt, candidate = item
    return Judgment(
        prompt_id=prompt.id,
        candidate_ids=(candidate.id,),
        order=(0,),
        judge=judge,
        rubric=rubric,
        repeat=repeat,
        outcome=outcome,
        score=score,
        raw=raw,
        usage=usage,
    )


def fields(items: Sequence[Item]) -> dict[str, list[Item]]:
    """By the id of its prompt, every prompt's candidates whose texts differ, by index: of the same text the first."""
    found: dict[str, dict[str, Item]] = {}
    for item in _first_alike(items).values():
        found.setdefault(item[0].id, {})[item[1].id] = item
    return {id_: sorted(field.values(), key=lambda item: item[1].index) for id_, field in found.items()}


def by_prompt(judgments: Iterable[Judgment]) -> dict[str, list[Judgment]]:
    """The judgments of each prompt, by its id; they need not stand together."""
    found: dict[str, list[Judgment]] = {}
    for one in judgments:
        found.setdefault(one.prompt_id, []).append(one)
    return found


def shared(items: Sequence[Item], judgments: Iterable[Judgment]) -> list[Judgment]:
    """The judgments of each item, in order: its own or, at no cost, those of the first candidate with its text."""
    made: dict[str, list[Judgment]] = {}
    for one in judgments:
        made.setdefault(one.candidate_ids[0], []).append(one)
    firsts = _first_alike(items)
    return [
        one if one.candidate_ids == (candidate.id,) else replace(one, candidate_ids=(candidate.id,), usage=NO_USAGE)
        for _, candidate in items
        for one in made[firsts[candidate.id][1].id]
    ]


def _first_alike(items: Sequence[Item]) -> dict[str, Item]:
    """For the id of each candidate, the first candidate by index of the same prompt with the same text."""
    firsts: dict[tuple[str, str], Item] = {}
    for item in sorted(items, key=lambda item: item[1].index):
        firsts.setdefault((item[0].id, item[1].text), item)
    return {candidate.id: firsts[prompt.id, candidate.text] for prompt, candidate in items}


def in_step(steps: int, whole: int, advance: Advance) -> Advance:
    """A function that is told of `steps` in all, and tells `advance` of `whole` in proportion."""
    if steps == 0:
        advance(whole)
        return lambda _: None
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        before = done * whole // steps
        done += more
        advance(done * whole // steps - before)

    return tell
