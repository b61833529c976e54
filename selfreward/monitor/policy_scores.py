"""What proxy and gold give the answers of each policy: by answer, by prompt, over prompts, and of which is best.

Figures are rounded, so that what is decided by them is the same on any machine.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from selfreward.metrics.best_of_n import BestOfN, ScoredCandidates, best_of_n_curve
from selfreward.metrics.intervals import Interval, bootstrap_mean, rounded
from selfreward.monitor.over_optimisation import best_policy, scores_by_policy
from selfreward.records import Outcome

_DECIMALS = 6
Scores = tuple[float | None, float | None]
"""Of the proxy and of gold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAnswer:
    """A held-out answer of `tokens` answer tokens, and what proxy and gold gave it.

    A score is None where there is none, for the reason in its outcome. The proxy is asked about the answers to prompts
    on which gold says something; its outcome is None where it was not asked.
    """

    prompt_id: str
    index: int
    tokens: int
    proxy: float | None
    proxy_outcome: Outcome | None
    gold: float | None
    gold_outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScores:
    """The mean scores of a policy's answers to one prompt, of those that have one; `policy` is its number."""

    policy: int
    prompt_id: str
    tokens: float
    proxy: float | None
    gold: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScores:
    """The mean scores over the prompts of one held-out set; None where none of them has one."""

    proxy: Interval | None
    gold: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPolicy:
    """The policy with the best mean gold so far, over the prompts that have gold of every policy.

    `gold` was its reason to be chosen, so it flatters: what the policy reaches is read off gold that did not choose it.
    """

    policy: int
    gold: Interval


def scores_by_prompt(policy: int, answers: Iterable[ScoredAnswer]) -> Iterator[PromptScores]:
    """The scores of each prompt that has any, in the order of its answers."""
    groups: dict[str, list[ScoredAnswer]] = {}
    for one in answers:
        groups.setdefault(one.prompt_id, []).append(one)
    for prompt_id, group in groups.items():
        proxy, gold = _mean(one.proxy for one in group), _mean(one.gold for one in group)
        if proxy is None and gold is None:
            continue
        tokens = round(fmean(one.tokens for one in group), _DECIMALS)
        yield PromptScores(policy=policy, prompt_id=prompt_id, tokens=tokens, proxy=proxy, gold=gold)


def rounds_of_scores(rows: Iterable[PromptScores], policies: int) -> list[dict[str, Scores]]:
    """For each of so many policies, from the initial one on, its scores by prompt; a policy may have none."""
    rounds: list[dict[str, Scores]] = [{} for _ in range(policies)]
    for one in rows:
        rounds[one.policy][one.prompt_id] = one.proxy, one.gold
    return rounds


def scores_by_set(rows: Sequence[PromptScores], sets: Mapping[str, str], seed: int) -> dict[str, SetScores]:
    """The scores of one policy over the prompts of each set, whose name `sets` has by prompt id; others are in none."""
    names = sorted({sets[one.prompt_id] for one in rows if one.prompt_id in sets})
    groups = {name: [one for one in rows if sets.get(one.prompt_id) == name] for name in names}
    return {
        name: SetScores(
            proxy=mean_over_prompts([one.proxy for one in group], seed),
            gold=mean_over_prompts([one.gold for one in group], seed),
        )
        for name, group in groups.items()
    }


def best_so_far(rows: Iterable[PromptScores], policies: int, seed: int) -> BestPolicy | None:
    """The policy with the best mean gold, of so many; None where no prompt has gold of every policy."""
    rounds = rounds_of_scores(rows, policies)
    gold_TP = scores_by_policy([{name: (gold, gold) for name, (_, gold) in one.items()} for one in rounds]).gold_TP
    if not gold_TP.shape[1]:
        return None
    best = best_policy(gold_TP)
    found = mean_over_prompts(gold_TP[best].tolist(), seed)
    assert found is not None, "there are prompts"
    return BestPolicy(policy=best, gold=found)


def best_of_answers(answers: Iterable[ScoredAnswer], seed: int) -> list[BestOfN]:
    """Best of n by the proxy for every n up to the number of answers to a prompt; empty where no prompt can be used.

    Those that lack a score, or an answer, are left out of every n.
    """
    groups: dict[str, list[ScoredAnswer]] = {}
    for one in answers:
        groups.setdefault(one.prompt_id, []).append(one)
    k = max(map(len, groups.values()), default=0)
    prompts = []
    for group in groups.values():
        both = [(one.proxy, one.gold) for one in group if one.proxy is not None and one.gold is not None]
        if len(both) == k:
            prompts.append(ScoredCandidates(proxy=[one for one, _ in both], gold=[one for _, one in both]))
    curve = best_of_n_curve(prompts, range(1, k + 1), seed)
    return [
        replace(one, kl=round(one.kl, _DECIMALS), proxy=rounded(one.proxy), gold=rounded(one.gold)) for one in curve
    ]


def mean_over_prompts(values_P: Iterable[float | None], seed: int) -> Interval | None:
    """The mean of the values that are there, with the interval of `bootstrap_mean`; None where none is."""
    found = bootstrap_mean([one for one in values_P if one is not None], seed)
    return None if found is None else rounded(found)


def _mean(scores: Iterable[float | None]) -> float | None:
    there = [one for one in scores if one is not None]
    return round(fmean(there), _DECIMALS) + 0.0 if there else None
