"""Whether a round's judgments are judged, by whom, and what of it is trained on."""

from collections.abc import Callable

from selfreward.artifacts import Artifact, Part, part_of
from selfreward.judges import AnyJudge
from selfreward.judges.rubric import RubricSpec
from selfreward.judging_policies import Judges
from selfreward.policies import Judging
from selfreward.row_kinds import PAIRS
from selfreward.selection import AnySelect
from selfreward.stages.gate import ends_meta, gate_of
from selfreward.stages.meta import MetaSpec, meta, stage_spec
from selfreward.updates import AnyUpdate

_OF_RUN = ("live", "previous", "initial")


def check_meta(spec: MetaSpec | None, judge: AnyJudge, select: AnySelect, update: AnyUpdate) -> None:
    """Raises ValueError, in one line, where a run with this judge, rule and update cannot train on judgments."""
    if spec is None:
        return
    if not isinstance(judge, RubricSpec) or judge.method != "sampled":
        method = f" and judge.method={judge.method}" if isinstance(judge, RubricSpec) else ""
        raise ValueError(
            f"meta with judge={judge.called}{method}, which writes no judgments that could be compared: set "
            "judge=rubric judge.method=sampled, or meta=none"
        )
    if judge.policy not in _OF_RUN:
        raise ValueError(
            f"meta with judge.policy={judge.policy}, whose judgments are not the policy's own: set judge.policy to "
            "live, previous or initial, or meta=none"
        )
    if judge.repeats < 2:
        raise ValueError(
            f"meta with judge.repeats={judge.repeats} has nothing to compare: set judge.repeats to 2 or more, or "
            "meta=none"
        )
    if select.makes is not PAIRS or PAIRS not in update.trains_on:
        raise ValueError(
            f"meta makes pairs to train on, and select={select.kind} with update={update.kind} trains on none: set "
            "select=preference_pairs update=dpo, or meta=none"
        )
    if update.margins is not None:
        raise ValueError(
            f"{update.margins} with meta: the margin of a pair of judgments is in log-odds, that of a pair of answers "
            f"in scores: set {update.margins.partition('=')[0]}=0, or meta=none"
        )
    budget = spec.judge.budget
    if budget is not None and budget < judge.repeats - 1:
        raise ValueError(
            f"meta.judge.budget={budget} leaves some of judge.repeats={judge.repeats} judgments out: set "
            f"meta.judge.budget to {judge.repeats - 1} or more, or null for all comparisons"
        )


def meta_of_round(
    spec: MetaSpec | None,
    judge: AnyJudge,
    t: int,
    before: Artifact | None,
    judges: Judges,
    trusted: Judging | None,
    stage: Callable[..., Artifact],
) -> Artifact | None:
    """The judgments of round `t` judged; None where they are not: not asked for, all rounds done, or ended by the gate.

    `before` is what was made of those of the round before, `trusted` the policy that `judge` judged with, and `stage`
    runs a stage on the round's candidates, prompts and judgments. A meta-judge that is the live policy, as the judge
    is, is frozen with it.
    """
    if spec is None or not isinstance(judge, RubricSpec) or t >= spec.rounds or (t > 0 and before is None):
        return None
    frozen_with_it = spec.judge.policy == judge.policy == "live"
    means = judges.inputs(spec.judge, trusted if frozen_with_it else judges.named(spec.judge))
    return stage(meta, stage_spec(spec, judge.rubric), policy=means["policy"], backend=means["backend"])


def unless_ended(metas: Artifact | None, gated: Artifact) -> Artifact | None:
    """What is trained on of `metas`; None where the gate ended it."""
    return None if metas is None or ends_meta(gate_of(gated)) else metas


def pairs_of_judgments(metas: Artifact | None) -> Part | None:
    """The part of `metas` that `mix` reads."""
    return part_of(metas, PAIRS.table)
