"""Which selection rules and updates go together, from what each says of itself. All raise ValueError, in one line."""

from typing import get_args

from selfreward.judges.base import JudgeBase
from selfreward.row_kinds import EXAMPLES, PROMPTS, ROW_KINDS, RowKind
from selfreward.selection import AnySelect
from selfreward.updates import AnyUpdate

_RULES: tuple[type[AnySelect], ...] = get_args(AnySelect)
_UPDATES: tuple[type[AnyUpdate], ...] = get_args(AnyUpdate)


def check_rows(select: AnySelect, update: AnyUpdate) -> None:
    """The update trains on what the rule makes or hands on, and weighs nothing that a lot hides."""
    if select.by_lot and update.margins is not None:
        raise ValueError(
            f"{update.margins} with {select.by_lot}: the margins would tell what the lot hides, set "
            f"{update.margins.partition('=')[0]}=0"
        )
    if (select.hands is None) == (PROMPTS in update.trains_on):
        able = " or ".join(_typed("update", one) for one in _UPDATES if PROMPTS in one.trains_on)
        raise ValueError(
            f"update={update.kind} with select={select.kind}: {able} draws its own answers, and that goes with "
            "select=prompts, or with select=preference_pairs select.prompts=all where a reward model learns the pairs"
        )
    if select.hands is not None:
        return
    if select.makes not in update.trains_on:
        known = "; ".join(
            f"{one} goes with {' or '.join(rules)}" for updates, rules in map(_of_kind, ROW_KINDS) for one in updates
        )
        raise ValueError(f"update={update.kind} with select={select.kind}: {known}")


def check_human_prompts(select: AnySelect, prompts: int) -> None:
    """Human prompts are sampled along only for a rule that sets their answers against the policy's."""
    if prompts > 0 and not select.anchors:
        able = " or ".join(_typed("select", rule) for rule in _RULES if rule.anchors)
        raise ValueError(
            f"prompts.human={prompts} with select={select.kind}: human prompts are sampled for {able} alone, set "
            "prompts.human=0"
        )


def check_labels(select: AnySelect, judge: JudgeBase) -> None:
    """Labels that say how sure the judge is are asked for only of one that says so."""
    if select.labelled and (why := judge.why_no_labels) is not None:
        raise ValueError(
            f"select.labels=soft with judge={judge.called}, which does not say how sure it is that one answer is "
            f"better: {why}; or set select.labels=hard"
        )


def check_learns_examples(update: AnyUpdate) -> None:
    """The update trains on examples, which is what `seed-judge` makes."""
    if EXAMPLES not in update.trains_on:
        learns = " or ".join(kind.many for kind in update.trains_on)
        updates, rules = _of_kind(EXAMPLES)
        raise ValueError(
            f"update={update.kind} learns from {learns}, seed-judge makes {EXAMPLES.many}: set {updates[0]} {rules[0]}"
        )


def _of_kind(kind: RowKind) -> tuple[list[str], list[str]]:
    """The updates that train on rows of this kind alone and the rules that make them, as they are typed."""
    updates = [_typed("update", one) for one in _UPDATES if one.trains_on == (kind,)]
    return updates, [_typed("select", rule) for rule in _RULES if rule.makes is kind and rule.chooses]


def _typed(group: str, spec: type[AnySelect] | type[AnyUpdate]) -> str:
    return f"{group}={spec.model_fields['kind'].default}"
