"""A rule of selection, and what it did with each candidate, in words."""

from selfreward.monitor.controller import Orders
from selfreward.reading.prompt_rounds import Considered, PromptRound
from selfreward.selection import AnySelect
from selfreward.selection.examples import BestOfK, RandomPick
from selfreward.selection.fates import Fate
from selfreward.selection.pairs import PreferencePairs

_SHORTEST, _LONGEST = "the shortest of the top tier", "the longest of the bottom tier"
_PAIRS = {
    "best_worst": "the best over the worst",
    "all": "every better one over every worse one, widest margin first",
    "random": "random pairs, the better over the worse",
    "coin": "random pairs, in a random order",
}


def rule_in_words(told: PromptRound) -> list[str]:
    """Which candidates of a round may be chosen, and which of them are; empty before there is a selection."""
    if told.rule is None:
        return []
    spec = told.rule.spec
    enough = "" if spec.threshold is None else f" of at least {spec.threshold:g}"
    once = "; of equal answers, the first in rank" if spec.dedup and not told.anchors else ""
    less = f"; each token of an answer takes {spec.length_penalty:g} off its score" if spec.length_penalty else ""
    tier = None if isinstance(spec, RandomPick) else spec.length_tier
    width = "" if tier is None else f", a tier being {tier:.0%} of the way between the best and the worst score"
    anchored = f"the human answer over {'the worst of them' if tier is None else _LONGEST}{width}"
    return [
        f"rule select={spec.kind}, seed {told.rule.seed}",
        f"eligible: those of the first {spec.k} that end by themselves, say something and have a score{enough}{once}",
        f"chosen: {anchored if told.anchors else _choice(spec, width)}{less}",
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


def _choice(spec: AnySelect, width: str) -> str:
    match spec:
        case BestOfK(length_tier=float()):
            return f"{spec.top}, {_SHORTEST} first and then the highest score{width}"
        case BestOfK():
            return f"the {spec.top} with the highest score; at equal scores, the one drawn first"
        case RandomPick():
            return f"{spec.top} at random"
        case PreferencePairs():
            most = "all of them" if spec.per_prompt is None else f"at most {spec.per_prompt} a prompt"
            rule = _PAIRS[spec.pairs] if spec.length_tier is None else f"{_SHORTEST} over {_LONGEST}{width}"
            return f"pairs whose scores differ by more than {spec.margin:g}: {rule}; {most}"


def fate_in_words(one: Considered, told: PromptRound) -> str:
    """What became of a candidate of a round, and why."""
    if one.fate is None or told.rule is None:
        return "no selection yet"
    spec, fate = told.rule.spec, one.fate
    score = _score(fate, spec)
    rank = "" if fate.rank is None else f", rank {fate.rank} of {_ranked(told)}"
    match fate.fate:
        case "selected":
            return f"{_selected(fate, told)}{score}{rank}"
        case "passed_over":
            return f"passed over{score}{rank}: {_passed_over(told)}"
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
        case "beyond_k":
            return f"beyond select.k{score}: only the first {spec.k} are looked at"
        case name:
            return f"{name}: no judgment of it was scored"


def _score(fate: Fate, spec: AnySelect) -> str:
    """The judge's score, and what a penalty on length leaves of it."""
    if fate.score is None:
        return ""
    return f", score {fate.score:.4f}" + (f" ({fate.worth:.4f} after the penalty)" if spec.length_penalty else "")


def _selected(fate: Fate, told: PromptRound) -> str:
    """`selected`, or over and under which others a candidate stands in pairs."""
    outside = "an answer of iteration 0" if told.rule is not None and told.rule.orders.anchored else "the human answer"
    sides = (
        ("chosen over", [_named(told, other, outside) for other in fate.over]),
        ("rejected for", [_named(told, other) for other in fate.under]),
    )
    return "; ".join(f"{word} {', '.join(others)}" for word, others in sides if others) or "selected"


def _passed_over(told: PromptRound) -> str:
    assert told.rule is not None
    spec = told.rule.spec
    match spec:
        case BestOfK(top=top) | RandomPick(top=top) if told.rule.orders.novelty:
            return f"select.top={top} and others were preferred, novel ones first"
        case BestOfK(top=top, length_tier=float()):
            return f"select.top={top} and others come first, the shortest of the top tier before all"
        case BestOfK(top=top):
            return f"select.top={top} and others rank higher"
        case RandomPick(top=top):
            return f"select.top={top} and the lot fell on others"
        case PreferencePairs():
            return _in_no_pair(spec, told.rule.orders, told)


def _in_no_pair(spec: PreferencePairs, orders: Orders, told: PromptRound) -> str:
    taken = any(one.fate is not None and one.fate.fate == "selected" for one in told.candidates)
    if told.anchors:
        if not taken:
            return "an answer of iteration 0 stands against the human one"
        return "it is not the worst" if spec.length_tier is None else f"it is not {_LONGEST}"
    if taken:
        if spec.pairs != "best_worst" or orders.novelty or orders.anchored:
            return "the pairs that were kept are of others"
        return "neither the best nor the worst" if spec.length_tier is None else f"neither {_SHORTEST} nor {_LONGEST}"
    return (
        "there is no other to compare it with"
        if _ranked(told) == 1
        else f"no two compared differ by more than {spec.margin:g}"
    )


def _ranked(told: PromptRound) -> int:
    return sum(other.fate is not None and other.fate.rank is not None for other in told.candidates)


def _named(told: PromptRound, candidate_id: str | None, outside: str = "the human answer") -> str:
    """The number of a candidate, or what it is and its id for one from `outside` the round."""
    found = [one.candidate.index for one in told.candidates if one.candidate.id == candidate_id]
    return f"#{found[0]}" if found else f"{outside} {candidate_id}"
