"""What a judge says of pairs of answers, written shard by shard, so that a crash costs no more than one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from selfreward.artifacts import Output, derive_seed
from selfreward.artifacts.output import Advance
from selfreward.artifacts.parquet import in_batches
from selfreward.backends.base import Backend
from selfreward.judge_quality.asking import as_candidates, verdicts_on
from selfreward.judge_quality.verdicts import Labelled, Verdicts
from selfreward.judge_quality.weights import learned, learned_on_others
from selfreward.judges import AnyJudge
from selfreward.judges.ask import build_judge, judge_shard, tell_items
from selfreward.judges.base import Conclude, Item, Judge
from selfreward.judges.disagreement import disagreements
from selfreward.judges.jury import Jury, JurySpec, Weights
from selfreward.records import Judgment, Policy

_SHARD_ITEMS = 16
_Shard = tuple[list[Labelled], list[Item], list[Judgment]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What was `said` of each item; of a jury how far it disagreed, by item, and the `weights` it learned from all.

    `weights` is None where none were to be learned.
    """

    said: list[Verdicts]
    disagreements: Mapping[str, float]
    weights: Weights | None


def opinionated(
    spec: AnyJudge, backend: Backend | None, policy: Policy | None, jurors: Mapping[str, Policy]
) -> Judge | Jury:
    """The judge of `spec`, as `build_judge` gives it; a jury whose weights are still to be learned as it is seated."""
    if isinstance(spec, JurySpec) and spec.learns:
        return spec.seated(backend, policy, jurors)
    return build_judge(spec, backend, policy, jurors)


def write_opinions(
    out: Output,
    spec: AnyJudge,
    judging: Judge | Jury,
    items: Sequence[Labelled],
    *,
    rows: str,
    evidence: str,
    seed: int,
    advance: Advance,
) -> Opinions:
    """Table `rows` of Verdicts, one an item, and before it table `evidence` of Judgment.

    A jury that learns its weights concludes on every item with those learned on the others, so that no measure of it
    is taken on what it learned from. Tells `advance` of two answers an item. Raises StageError as the stage `judge`
    does.
    """
    shards: list[_Shard] = []
    said: list[Verdicts] = []
    disputes: dict[str, float] = {}
    with out.table(Judgment, evidence) as asked, out.table(Verdicts, rows) as concluded:
        for shard, batch in enumerate(in_batches(iter(items), _SHARD_ITEMS)):
            answers = as_candidates(batch, seed)
            make = partial(judge_shard, spec, judging.ask, answers, derive_seed(seed, shard), advance)
            judgments = asked.shard(make, partial(tell_items, advance, len(answers)))
            out.count(tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments))
            shards.append((batch, answers, judgments))
        conclude, weights = _learned(judging, shards) if isinstance(judging, Jury) else (judging.conclude, None)
        for batch, answers, judgments in shards:
            conclusions = judgments if conclude is None else conclude(answers, judgments)
            said += concluded.shard(partial(verdicts_on, batch, judgments, conclusions))
            disputes |= disagreements(conclusions) if isinstance(spec, JurySpec) else {}
    return Opinions(said=said, disagreements=disputes, weights=weights)


def _learned(jury: Jury, shards: Sequence[_Shard]) -> tuple[Conclude, Weights]:
    """How `jury` concludes on each item by the weights learned on the others, and the weights learned on all."""
    items = [item for batch, _, _ in shards for item in batch]
    said: dict[str, list[Verdicts]] = {seat.name: [] for seat in jury.seats}
    for batch, answers, judgments in shards:
        for seat in jury.seats:
            said[seat.name] += verdicts_on(batch, *seat.verdicts(answers, judgments))
    # The prompt that an item is asked about as has the item's id.
    return partial(jury.conclude, learned_on_others(items, said).__getitem__), learned(items, said)
