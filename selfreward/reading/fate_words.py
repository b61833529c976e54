"""A rule of selection, and what it did with each candidate, in words."""

from selfreward.monitor.controller import Orders
from selfreward.reading.prompt_rounds import Considered, PromptRound
from selfreward.revisions import called
from selfreward.selection import AnySelect
from selfreward.selection.fates import Fate, PromptFates
from selfreward.selection.tiers import LONGEST


def rule_in_words(told: PromptRound) -> list[str]:
    """Which candidates of a round may be chosen, and which of them are; empty before there is a selection."""
    if told.rule is None:
        return []
    spec = told.rule.spec
    enough = "" if spec.threshold is None else f" of at least {spec.threshold:g}"
    scored = f", say something and have a score{enough}" if spec.by_scores else " and say something"
    once = "; of equal answers, the first in rank" if spec.dedup and not told.anchors else ""
    less = f"; each token of an answer takes {spec.length_penalty:g} off its score" if spec.length_penalty else ""
    tier = spec.tier
    width = "" if tier is None else f", a tier being {tier:.0%} of the way between the best and the worst score"
    anchored = f"the human answer over {'the worst of them' if tier is None else LONGEST}{width}"
    return [
        f"rule select={spec.kind}, seed {told.rule.seed}",
        f"eligible: those of the first {spec.k} that end by themselves{scored}{once}",
        f"chosen: {anchored if told.anchors else spec.in_words(width)}{less}",
        *_ordered(told.rule.orders),
    ]


def _ordered(orders: Orders) -> list[str]:
    """What the monitor ordered of the selection, on one line."""
    parts = [] if orders.select_k is None else [f"at most {orders.select_k} candidates a prompt"]
    if orders.novelty_quantile is not None:
        parts.append(
            f"the most novel first, of those with a score at or above the {orders.novelty_quantile:g} quantile"
        )
    if orders.cluster_cap is not None:
        parts.append(f"at most {orders.cluster_cap} near-equal answers to open prompts in the whole round")
    if orders.anchored:
        parts.append("rejected answers are the worst of iteration 0")
    return [f"ordered by the monitor: {'; '.join(parts)}"] if parts else []


def fate_in_words(one: Considered, told: PromptRound) -> str:
    """What became of a candidate of a round, and why."""
    if one.fate is None or told.rule is None:
        return "no selection yet"
    spec, fate = told.rule.spec, one.fate
    score = _score(fate, spec)
    rank = "" if fate.rank is None else f", rank {fate.rank} of {_ranked(told)}"
    match fate.fate:
        case "selected":
            return f"{_in_pairs(fate, told) or spec.taken_as(fate)}{score}{rank}"
        case "passed_over":
            return f"passed over{score}{rank}: {spec.why_passed_over(fate, _facts(told))}"
        case "duplicate":
            return f"duplicate{score}: gives the answer of {_named(told, fate.repeats)} again, which ranks higher"
        case "same_as_human":
            return f"passed over{score}: it says what the human answer says"
        case "cut":
            return f"cut{score}: the token limit ended it (sample.max_new_tokens)"
        case "empty":
            return f"empty{score}: it says nothing"
        case "below_threshold":
            return f"below threshold{score}: less than select.threshold={spec.threshold}"
        case "over_cluster_cap":
            cap = told.rule.orders.cluster_cap
            return f"over the cap{score}{rank}: {cap} better-scored answers of the round say nearly the same"
        case "not_agreed":
            return f"not agreed{score}: the judge does not score it higher than what it revises"
        case "beyond_k":
            return f"beyond select.k{score}: only the first {spec.k} are looked at"
        case name:
            return f"{name}: no judgment of it was scored"


def _score(fate: Fate, spec: AnySelect) -> str:
    """The judge's score, and what a penalty on length leaves of it."""
    if fate.score is None:
        return ""
    return f", score {fate.score:.4f}" + (f" ({fate.worth:.4f} after the penalty)" if spec.length_penalty else "")


def _in_pairs(fate: Fate, told: PromptRound) -> str:
    """Over and under which others a candidate stands in pairs; empty where it stands in none."""
    outside = "an answer of iteration 0" if told.rule is not None and told.rule.orders.anchored else "the human answer"
    sides = (
        ("chosen over", [_named(told, other, outside) for other in fate.over]),
        ("rejected for", [_named(told, other) for other in fate.under]),
    )
    return "; ".join(f"{word} {', '.join(others)}" for word, others in sides if others)


def _facts(told: PromptRound) -> PromptFates:
    assert told.rule is not None
    taken = any(one.fate is not None and one.fate.fate == "selected" for one in told.candidates)
    return PromptFates(ranked=_ranked(told), taken=taken, anchors=told.anchors, orders=told.rule.orders)


def _ranked(told: PromptRound) -> int:
    return sum(other.fate is not None and other.fate.rank is not None for other in told.candidates)


def _named(told: PromptRound, candidate_id: str | None, outside: str = "the human answer") -> str:
    """The number of a candidate, or what it is and its id for one from `outside` the round."""
    found = [called(one.candidate) for one in told.candidates if one.candidate.id == candidate_id]
    return found[0] if found else f"{outside} {candidate_id}"
