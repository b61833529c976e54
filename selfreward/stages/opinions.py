"""What a judge says of pairs of answers, written shard by shard, so that a crash costs no more than one."""

from collections.abc import Sequence
from functools import partial

from selfreward.artifacts import Output, derive_seed
from selfreward.artifacts.output import Advance
from selfreward.artifacts.tables import in_batches
from selfreward.calibration.asking import shown, verdicts_on
from selfreward.calibration.records import Labelled, Verdicts
from selfreward.judges import AnyJudge
from selfreward.judges.base import Judge
from selfreward.records import Judgment
from selfreward.stages.judge import judge_shard

_SHARD_ITEMS = 16


def write_opinions(
    out: Output,
    spec: AnyJudge,
    judging: Judge,
    items: Sequence[Labelled],
    *,
    rows: str,
    evidence: str,
    seed: int,
    advance: Advance,
) -> list[Verdicts]:
    """Table `rows` of Verdicts, one an item, which are returned, and before it table `evidence` of Judgment.

    Tells `advance` of two answers an item. Raises StageError as the stage `judge` does.
    """
    said: list[Verdicts] = []
    with out.table(Judgment, evidence) as asked, out.table(Verdicts, rows) as concluded:
        for shard, batch in enumerate(in_batches(iter(items), _SHARD_ITEMS)):
            answers = shown(batch, seed)
            make = partial(judge_shard, spec, judging.ask, answers, derive_seed(seed, shard), advance)
            judgments = asked.shard(make, partial(_tell, advance, len(answers)))
            out.count(tokens=sum(one.usage.prompt_tokens + one.usage.completion_tokens for one in judgments))
            scores = judgments if judging.conclude is None else judging.conclude(answers, judgments)
            said += concluded.shard(partial(verdicts_on, batch, judgments, scores))
    return said


def _tell(advance: Advance, answers: int, judgments: int) -> None:
    """Progress is in answers, however many judgments each of them has."""
    advance(answers)
