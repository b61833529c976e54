"""What a judge says of pairs of answers, written shard by shard, so that a crash costs no more than one.

A jury may learn from them how much the vote of each member weighs: of voters that err independently, the best decision
weighs each by the log-odds of its being right (Nitzan and Paroush 1982). A member no better than a coin has no say.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Artifact, Output, derive_seed
from selfreward.artifacts.output import Advance
from selfreward.artifacts.parquet import in_batches
from selfreward.artifacts.reports import load_report
from selfreward.judge_quality.accuracy import hit
from selfreward.judge_quality.verdicts import Labelled, Verdicts, as_candidates, judged, verdicts_on
from selfreward.judges.base import Conclude, Item, Judge, JudgeBase, Panel, Weights
from selfreward.judges.disagreement import Dispute
from selfreward.judges.judge_shard import write_shard
from selfreward.records import Judgment

_SHARD_ITEMS = 16
_Shard = tuple[list[Labelled], list[Item], list[Judgment]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What was `said` of each item; of a jury its `disputes`, and the `weights` it learned from all, if it was to."""

    said: list[Verdicts]
    disputes: list[Dispute]
    weights: Weights | None


def write_opinions(
    out: Output,
    spec: JudgeBase,
    judging: Judge,
    items: Sequence[Labelled],
    *,
    rows: str,
    evidence: str,
    seed: int,
    advance: Advance,
) -> Opinions:
    """Table `rows` of Verdicts, one an item, and before it table `evidence` of Judgment.

    A jury that learns its weights concludes on every item with those learned on the others, so that no measure of it
    is taken on what it learned from. A judge that standardises its scores does so on those of all these answers. Tells
    `advance` of two answers an item. Raises StageError as the stage `judge` does.
    """
    shards: list[_Shard] = []
    said: list[Verdicts] = []
    disputes: list[Dispute] = []
    with out.table(Judgment, evidence) as asked, out.table(Verdicts, rows) as concluded:
        for shard, batch in enumerate(in_batches(iter(items), _SHARD_ITEMS)):
            answers = as_candidates(batch, seed)
            judgments = write_shard(asked, spec, judging.ask, answers, derive_seed(seed, shard), advance)
            out.count(tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments))
            shards.append((batch, answers, judgments))
        if judging.standardising is not None and shards:
            everything = (one for _, _, judgments in shards for one in judgments)
            judging = judging.standardising.by(judging.standardising.standard_of(everything))
        conclude, weights = judging.conclude, None
        if judging.panel is not None:
            conclude, weights = _learned(judging.panel, shards)
        for batch, answers, judgments in shards:
            conclusions = judgments if conclude is None else conclude(answers, judgments)
            said += concluded.shard(partial(verdicts_on, batch, judgments, conclusions))
            disputes += [] if judging.disputes is None else judging.disputes(answers, judgments)
    return Opinions(said=said, disputes=disputes, weights=weights)


def _learned(panel: Panel, shards: Sequence[_Shard]) -> tuple[Conclude, Weights]:
    """How `panel` concludes on each item by the weights learned on the others, and the weights learned on all."""
    items = [item for batch, _, _ in shards for item in batch]
    said: dict[str, list[Verdicts]] = {name: [] for name in panel.says}
    for batch, answers, judgments in shards:
        for name, says in panel.says.items():
            said[name] += verdicts_on(batch, *says(answers, judgments))
    of_all, of_others = learned(items, said)
    # The prompt that an item is asked about as has the item's id.
    return partial(panel.conclude_by, of_others.__getitem__), of_all


def save_weights(out: Output, weights: Weights) -> None:
    """Writes the weights of a jury, by member, to `weights.json`."""
    out.write_json("weights", dict(weights))


def weights_of(measured: Artifact) -> Weights:
    """The weights that a jury learned when it was measured."""
    return load_report(measured, "weights", dict[str, float])


def learned(items: Sequence[Labelled], said: Mapping[str, Sequence[Verdicts]]) -> tuple[Weights, Mapping[str, Weights]]:
    """The weight of every member, max(0, log((hits + 1) / (misses + 1))), and by item those learned on the others.

    `said` is what each member said of the items by itself. A hit is an item on which it prefers the answer most people
    prefer, a miss one on which it prefers the other, a tie half of each; other items count for nothing.
    """
    of_all: dict[str, float] = {}
    of_others: dict[str, dict[str, float]] = {item.id: {} for item in items}
    for name, verdicts in said.items():
        hits = [hit(pair) for pair in judged(items, verdicts)]
        known = [one for one in hits if one is not None]
        right, wrong = sum(known), len(known) - sum(known)
        of_all[name] = _weight(right, wrong)
        for item, one in zip(items, hits, strict=True):
            of_others[item.id][name] = of_all[name] if one is None else _weight(right - one, wrong - (1 - one))
    return of_all, of_others


def _weight(hits: float, misses: float) -> float:
    return max(0.0, math.log((hits + 1) / (misses + 1)))
