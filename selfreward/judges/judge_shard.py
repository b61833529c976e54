"""A judge put together from its settings, and asked about one shard of candidates."""

from collections.abc import Mapping
from dataclasses import replace

from selfreward.answers.refusal import refused
from selfreward.artifacts import Advance
from selfreward.backends.base import Backend
from selfreward.errors import StageError
from selfreward.judges import AnyJudge
from selfreward.judges.base import Ask, Item, Judge, PolicyJudgeBase
from selfreward.judges.jury import Jury, JurySpec, Weights
from selfreward.records import Judgment, Policy


def build_judge(
    spec: AnyJudge,
    backend: Backend | None,
    policy: Policy | None,
    jurors: Mapping[str, Policy],
    weights: Weights | None = None,
) -> Judge | Jury:
    """The judge of `spec` over `backend`, which holds `policy`; `weights` are those that a jury learned."""
    if not isinstance(spec, PolicyJudgeBase):
        return spec.build()
    assert backend is not None
    assert policy is not None
    return spec.build(backend, policy, jurors, weights) if isinstance(spec, JurySpec) else spec.build(backend, policy)


def judge_shard(spec: AnyJudge, ask: Ask, items: list[Item], seed: int, advance: Advance) -> list[Judgment]:
    """What `ask` says of `items`. Raises StageError where more than `spec.max_failed_share` failed."""
    # A judge that stated no verdict may have declined to.
    judgments = [
        replace(one, outcome="refused") if one.outcome == "unparsed" and refused(one.raw) else one
        for one in ask(items, seed, advance)
    ]
    failed = [judgment for judgment in judgments if judgment.outcome == "failed"]
    if len(failed) > spec.max_failed_share * len(judgments):
        raise StageError(
            f"{len(failed)} of {len(judgments)} judgments failed ({failed[0].raw}), max_failed_share allows "
            f"{spec.max_failed_share:.0%}: run the same command again to retry them, or raise judge.max_failed_share "
            "(of a duel: duel.judge.max_failed_share)"
        )
    return judgments


def tell_items(advance: Advance, items: int, judgments: int) -> None:
    """Progress is in answers judged, however many judgments each of them has."""
    advance(items)
