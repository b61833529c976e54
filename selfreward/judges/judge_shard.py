"""Candidates with their prompts, shard by shard, and a judge asked about one shard of them."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from selfreward.answers.refusal import refused
from selfreward.artifacts import Advance, Artifact
from selfreward.artifacts.output import Table
from selfreward.errors import StageError
from selfreward.judges.base import Ask, Item, JudgeBase
from selfreward.records import Candidate, Judgment, Prompt, RowPrompt


def shards_of(prompts: Artifact, candidates: Artifact) -> Iterator[list[Item]]:
    """Candidates with their prompts, one list for each shard of candidates; both come in the same order."""
    following = prompts.records(RowPrompt)
    for shard in candidates.shards(Candidate):
        wanted = {candidate.prompt_id for candidate in shard}
        found: dict[str, Prompt] = {}
        while len(found) < len(wanted):
            prompt = next(following)
            found[prompt.id] = prompt
        yield [(found[candidate.prompt_id], candidate) for candidate in shard]


_SETTING = (
    "judge.max_failed_share (of a duel: duel.judge.max_failed_share; of gold: overoptimisation.gold.max_failed_share; "
    "of judgments: meta.judge.max_failed_share)"
)


def judge_shard(
    spec: JudgeBase, ask: Ask, items: list[Item], seed: int, advance: Advance, setting: str = _SETTING
) -> list[Judgment]:
    """What `ask` says of `items`. Raises StageError, which names the `setting`, for more than `max_failed_share`."""
    # A judge that stated no verdict may have declined to.
    judgments = [
        replace(one, outcome="refused") if one.outcome == "unparsed" and refused(one.raw) else one
        for one in ask(items, seed, advance)
    ]
    failed = [judgment for judgment in judgments if judgment.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(judgments):
        raise StageError(
            f"{len(failed)} of {len(judgments)} judgments failed ({failed[0].raw}), max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise {setting}"
        )
    return judgments


def write_shard(
    table: Table[Judgment], spec: JudgeBase, ask: Ask, items: list[Item], seed: int, advance: Advance
) -> list[Judgment]:
    """As `judge_shard`, written to the next shard of `table`, or found there."""
    return table.shard(partial(judge_shard, spec, ask, items, seed, advance), partial(_tell_items, advance, len(items)))


def _tell_items(advance: Advance, items: int, judgments: int) -> None:
    """Progress is in answers judged, however many judgments each of them has."""
    advance(items)
